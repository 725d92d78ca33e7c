"""A part's file, of which nothing is believed before its checksum."""

from __future__ import annotations

import io
import itertools
import os
from pathlib import Path

from trackway.errors import FormatError
from trackway.format.crc import crc32
from trackway.format.part import END_BYTES, MAGIC, read_checks


class CheckedFile(io.FileIO):
    """A file of which a column chunk is given only when it is what was written.

    Attributes:
        chunks: By offset, size and CRC of every column chunk.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path = path
        self.chunks: dict[int, tuple[int, int]] = {}

    def read_checks(self) -> None:
        """Prove the footer, and learn what the chunks have to be.

        Raises:
            FormatError: They are not as they were written.
        """
        size = self.seek(0, os.SEEK_END)
        self.seek(max(0, size - END_BYTES))
        try:
            checks = read_checks(super().read())
        except FormatError:
            # The block may be larger than what was looked at.
            self.seek(0)
            checks = read_checks(super().read())
        starts = itertools.accumulate(checks.sizes, initial=len(MAGIC))
        told = zip(checks.sizes, checks.crcs, strict=True)
        self.chunks = dict(zip(starts, told, strict=False))

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        data = super().read(-1 if size is None else size) or b""
        known = self.chunks.get(start)
        if known is not None and size == known[0] and crc32(data) != known[1]:
            raise FormatError(f"{self._path}: bytes {start} to {start + known[0] - 1} are damaged")
        return data
