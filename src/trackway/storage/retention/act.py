"""Letting go: only of what is whole, in parts, and where the policy asks for it, in a backup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trackway import files
from trackway.errors import FormatError
from trackway.storage.archive.compact import compact_attempt
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.parts import open_part
from trackway.storage.places import PartFile
from trackway.storage.retention.cuts import Cut, Stage


def carry_out(cut: Cut, held_by: Mapping[str, Callable[[Path], bool]]) -> tuple[int, list[str]]:
    """Let the rows of a stream go.

    Args:
        cut: What was planned.
        held_by: Where every file has to be first: by name of the place, whether it is there.

    Returns:
        Bytes freed, and a sentence for everything that stays nevertheless.

    Raises:
        OSError: The disk refused. What was not rewritten yet is as it was.
    """
    said: list[str] = []
    attempt = cut.stream.attempt
    compact_attempt(attempt)
    held = files.lock(attempt.archive_lock)
    if held is None:
        return 0, [f"{cut.stream.path} stays: it is being compacted"]
    try:
        before = _size(cut)
        for file in cut.stream.contents().files:
            if not isinstance(file, PartFile):
                said.append(f"{file.path} stays: it is not whole, see `trackway verify`")
                continue
            missing = [place for place, holds in held_by.items() if not holds(file.path)]
            if missing:
                said.append(f"{file.path} stays: {' and '.join(missing)} does not hold it")
            else:
                said += _thin(cut, file)
        return before - _size(cut), said
    finally:
        held.release()


def _thin(cut: Cut, file: PartFile) -> list[str]:
    try:
        with open_part(file.path) as part:
            header, places = part.header, cut.chosen(part.rows)
        note: dict[str, Any] = {
            "row": header.first_row,
            "note": "thinned",
            "first": header.first_row,
            "count": header.next_row - header.first_row,
            "every": cut.every if cut.stage is Stage.SAMPLED else None,
            "reason": cut.why,
        }
        rewrite(cut.stream, file, places=places, note=note)
    except FormatError as error:
        return [f"{file.path} stays: {error}"]
    return []


def _size(cut: Cut) -> int:
    return sum(file.path.stat().st_size for file in cut.stream.contents().files)
