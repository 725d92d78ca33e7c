"""Which files of a stream become one part: what waits, and small parts as they accumulate.

Parts are made large enough at once, so that most rows are written a single time; small ones are
merged when there are eight of about the same size, so a row is rewritten at most once for every
factor of eight that a stream grows by.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Final

from trackway.storage.places import PartFile, SegmentFile

File = PartFile | SegmentFile

# Of segments: 25,000 rows of twelve Go1s.
PART_BYTES: Final = 128 << 20
FAN_IN: Final = 8


def jobs(
    files: Sequence[File], *, everything: bool, part_bytes: int = PART_BYTES
) -> list[list[File]]:
    """Neighbours to be made one part each.

    Args:
        files: All of a stream, in order.
        everything: Whether segments are taken also where they do not fill a part.
        part_bytes: Size of the segments that fill one.
    """
    found: list[list[File]] = []
    for run in _neighbours(files):
        for parts, group in itertools.groupby(run, lambda file: isinstance(file, PartFile)):
            if parts:
                found += _alike(list(group), part_bytes)
            else:
                found += _filled(list(group), everything, part_bytes)
    return found


def waiting(files: Sequence[File], enough_bytes: int) -> bool:
    """Whether sealed segments are at least so much."""
    size = 0
    for file in files:
        if not isinstance(file, PartFile) and file.sealed:
            with contextlib.suppress(FileNotFoundError):
                size += file.path.stat().st_size
    return size >= enough_bytes


def _neighbours(files: Sequence[File]) -> Iterator[list[File]]:
    """Finished files whose numbers follow each other."""
    run: list[File] = []
    for file in files:
        finished = isinstance(file, PartFile) or file.sealed
        if run and (not finished or file.number != run[-1].last + 1):
            yield run
            run = []
        if finished:
            run.append(file)
    if run:
        yield run


def _filled(segments: Sequence[File], everything: bool, part_bytes: int) -> Iterator[list[File]]:
    group, size = [], 0
    for segment in segments:
        group.append(segment)
        size += segment.path.stat().st_size
        if size >= part_bytes:
            yield group
            group, size = [], 0
    if group and everything:
        yield group


def _alike(parts: Sequence[File], part_bytes: int) -> Iterator[list[File]]:
    group: list[File] = []
    level = -1
    for part in parts:
        size = part.path.stat().st_size
        own = int(math.log(max(size, 4096), FAN_IN))
        if own != level or 2 * size > part_bytes:
            group, level = [], own
        if 2 * size <= part_bytes:
            group.append(part)
        if len(group) == FAN_IN:
            yield group
            group = []
