"""Segments read from disk: which frames are whole, what is damaged, where rows end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackway.errors import FormatError
from trackway.format.segment import (
    ROWS,
    SEAL,
    Damage,
    Digests,
    Frame,
    Opening,
    SegmentHeader,
    frames,
    open_segment,
)


@dataclass(frozen=True)
class Segment:
    """A segment as it was found."""

    path: Path
    opening: Opening
    frames: list[Frame]
    damage: list[Damage]
    size: int

    @property
    def header(self) -> SegmentHeader:
        return self.opening.header

    @property
    def rows(self) -> list[Frame]:
        return [frame for frame in self.frames if frame.kind == ROWS]

    @property
    def seal(self) -> dict[str, Any] | None:
        last = self.frames[-1] if self.frames else None
        return last.json() if last is not None and last.kind == SEAL else None

    @property
    def end(self) -> int:
        """Where the last whole frame ends; from there on a torn tail."""
        return self.frames[-1].end if self.frames else self.opening.size

    @property
    def torn_bytes(self) -> int:
        return self.size - self.end

    @property
    def next_row(self) -> int:
        """The number after the last row that this segment accounts for."""
        ends = [frame.first_row + frame.count for frame in self.frames]
        return max([self.header.first_row, *ends])

    def digests(self) -> Digests:
        """The digests of the rows that are whole."""
        digests = Digests(self.header.schema, self.header.num_envs, self.header.previous)
        for frame in self.rows:
            digests.update(frame.payload, frame.count)
        return digests


def load(path: Path) -> Segment:
    """Read a whole segment and check every byte of it.

    Raises:
        OSError: It cannot be read, or is not there (any more).
        FormatError: Not even its header can be read.
    """
    data = path.read_bytes()
    try:
        opening = open_segment(data)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from error
    parts = list(frames(data, opening.size, opening.salt))
    return Segment(
        path=path,
        opening=opening,
        frames=[part for part in parts if isinstance(part, Frame)],
        damage=[part for part in parts if isinstance(part, Damage)],
        size=len(data),
    )
