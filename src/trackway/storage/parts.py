"""Opening parts of the archive where pyarrow may not be installed: journals are read without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trackway.errors import FormatError, StreamError
from trackway.format.part import PartHeader

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
    """What a part says of itself, or None where there is none that can be read."""
    try:
        with open_part(path) as part:
            return part.header
    except (FormatError, FileNotFoundError):
        return None
