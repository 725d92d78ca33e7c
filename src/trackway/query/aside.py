"""Bytes laid aside on the disk: who looks at a run for days stays as small as on the first hour.

They lie in a file without a name in the cache's folder, which goes with whoever opened it.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import IO

from trackway.storage.cache import cache_folder


class Aside:
    """A file that only its owner can see; opened when something is laid aside for the first time."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self.size_bytes = 0

    def put(self, data: bytes) -> int:
        """Lay bytes aside; where they lie.

        Raises:
            OSError: The disk refused: they have to stay where they are.
        """
        if self._file is None:
            cache_folder().mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=cache_folder(), buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        at, left = self.size_bytes, memoryview(data)
        while left:
            written = os.pwrite(self._file.fileno(), left, at + len(data) - len(left))
            left = left[written:]
        self.size_bytes += len(data)
        return at

    def get(self, at: int, size: int) -> bytes:
        """So many bytes of what was put.

        Raises:
            OSError: The disk does not give them back.
        """
        found = b"" if self._file is None else os.pread(self._file.fileno(), size, at)
        if len(found) != size:
            raise OSError(f"{size - len(found)} bytes that were laid aside are gone")
        return found
