"""Files written off the training thread; a disk that refuses stops nothing but is told of."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trackway import files

_log = logging.getLogger(__name__)


class BackgroundFiles:
    """Publishes files one after the other, in the order in which they were handed over.

    Attributes:
        failed: Files that could not be written.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self.failed = 0

    def publish(self, path: Path, data: bytes) -> None:
        """Write `data` to `path` soon, whole or not at all."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trackway-files")
        self._thread.submit(self._write, path, data)

    def close(self) -> None:
        """Wait until everything handed over is written or refused."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
        if self.failed > 1:
            _log.warning("%d files could not be written.", self.failed)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            files.publish(path, data)
        except OSError as error:
            self.failed += 1
            if self.failed == 1:
                _log.warning("%s could not be written (%s); training goes on.", path, error)
