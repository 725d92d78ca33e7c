"""Opening parts of the archive where pyarrow may not be installed: journals are read without it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from trackway.errors import FormatError, StreamError
from trackway.format.part import END_BYTES, PartHeader, read_header

if TYPE_CHECKING:
    from trackway.storage.archive.part import ColumnPart, TextPart


def open_part(path: Path) -> ColumnPart | TextPart:
    """Open a part.

    Raises:
        FileNotFoundError: It is not there (any more).
        FormatError: It is damaged, or no part.
        StreamError: pyarrow is missing.
    """
    try:
        from trackway.storage.archive import part
    except ModuleNotFoundError as error:
        raise StreamError(
            f"{path} is Parquet: install what reads it with pip install 'trackway[archive]'"
        ) from error
    return part.open_part(path)


def part_header(path: Path) -> PartHeader | None:
    """What a part says of itself, told without pyarrow; None where there is none that can be read."""
    try:
        told = path.stat()
    except FileNotFoundError:
        return None
    return _read_header(path, told.st_ino, told.st_size, told.st_mtime_ns)


# A part never changes; one that was damaged since has another time.
@lru_cache(maxsize=16)
def _read_header(path: Path, _inode: int, size: int, _mtime_ns: int) -> PartHeader | None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, size - END_BYTES))
            try:
                return read_header(file.read())
            except FormatError:
                file.seek(0)  # the checks may be larger than what was looked at
                return read_header(file.read())
    except (FormatError, FileNotFoundError, KeyError, TypeError, ValueError, IndexError):
        return None
