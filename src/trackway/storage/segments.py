"""Segments read from disk: which frames are whole, what is damaged, where rows end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from trackway.errors import FormatError
from trackway.format.segment import (
    FRAME_BYTES,
    FRAME_MAGIC,
    ROWS,
    SEAL,
    Damage,
    Digests,
    Frame,
    Opening,
    SegmentHeader,
    frames,
    open_segment,
    read_frame,
    read_frame_head,
)
from trackway.storage.seek import offset_of

# More than a seal with a digest for each of a thousand fields takes.
_TAIL_BYTES: Final = 1 << 17
_HEAD_BYTES: Final = 1 << 16
_BLOCK_BYTES: Final = 1 << 20


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


def next_row(path: Path) -> int:
    """The number after the last row that a segment accounts for; of a whole one, its ends are read.

    Raises:
        OSError: It cannot be read, or is not there (any more).
        FormatError: Not even its header can be read.
    """
    with path.open("rb") as file:
        opening = read_opening(file)
        size = file.seek(0, os.SEEK_END)
        offset = offset_of(file, opening.size, size, opening.salt, sys.maxsize)
        file.seek(offset)
        found = frames(file.read(), 0, opening.salt)
        ends = [part.first_row + part.count for part in found if isinstance(part, Frame)]
    return max(ends) if ends else load(path).next_row


def read_opening(file: BinaryIO) -> Opening:
    """The header of the segment that this file is.

    Raises:
        FormatError: It cannot be read.
    """
    data = file.read(_HEAD_BYTES)
    try:
        return open_segment(data)
    except FormatError:
        return open_segment(data + file.read())


def walk(file: BinaryIO, opening: Opening) -> Iterator[Frame]:
    """Every frame of a segment in memory that is used again: each is valid until the next.

    Raises:
        FormatError: A byte is not as it was written.
    """
    memory, offset = bytearray(_BLOCK_BYTES), opening.size
    while True:
        size = os.preadv(file.fileno(), [memory], offset)
        block, at = memoryview(memory)[:size], 0
        while frame := read_frame(block, at, opening.salt):
            yield frame
            at = frame.end
        if at:
            offset += at
            continue
        if not size:
            return
        head = read_frame_head(block, 0, opening.salt)
        if head is None or size < len(memory) or FRAME_BYTES + head.size <= size:
            raise FormatError(f"byte {offset} begins no whole frame")
        memory = bytearray(FRAME_BYTES + head.size)


def read_seal(path: Path) -> tuple[SegmentHeader, int, dict[str, str]] | None:
    """A sealed segment's header, the row after its last, and its digests; its rows are not read.

    None where header or seal cannot be read.
    """
    try:
        with path.open("rb") as file:
            opening = open_segment(file.read(_TAIL_BYTES))
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            tail = file.read()
    except (FormatError, FileNotFoundError):
        return None
    view, start = memoryview(tail), tail.rfind(FRAME_MAGIC)
    while start >= 0:
        frame = read_frame(view, start, opening.salt)
        if frame is not None and frame.end == len(view):
            return (
                (opening.header, frame.first_row, frame.json()["digests"])
                if frame.kind == SEAL
                else None
            )
        start = tail.rfind(FRAME_MAGIC, 0, start)
    return None
