"""What the name of a stream's file says of what it holds."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Final

SEGMENT: Final = re.compile(r"(\d{6,})\.(seg|open)")
PART: Final = re.compile(r"(\d{6,})-(\d{6,})(?:\.r(\d+))?\.parquet")
STORED: Final = re.compile(r"(\d{6,})-(\d{6,})\.stored")


def is_reduced(path: PurePath) -> bool:
    """Whether a file is a part of which something was given up: its values or its rows."""
    match = PART.fullmatch(path.name)
    return match is not None and match[3] is not None


def reductions(path: Path) -> list[Path]:
    """Parts that hold less of the same segments than this whole one."""
    match = PART.fullmatch(path.name)
    if match is None or match[3] is not None:
        return []
    return [part for part in path.parent.glob(f"{path.stem}.r*.parquet") if is_reduced(part)]


def segments_in(name: str) -> range:
    """Numbers of the sealed segments whose rows a file called so holds: a segment, or a part."""
    if match := PART.fullmatch(name):
        return range(int(match[1]), int(match[2]) + 1)
    match = SEGMENT.fullmatch(name)
    return range(int(match[1]), int(match[1]) + 1) if match and match[2] == "seg" else range(0)
