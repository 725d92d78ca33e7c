"""A place in a journal: every frame once, also those that are written while one reads."""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from trackway.errors import FormatError
from trackway.format.segment import Frame, Opening, SegmentHeader, frames, open_segment
from trackway.storage.places import SegmentFile, StreamFolder
from trackway.storage.seek import offset_of

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 4 << 20


class Cursor:
    """Stands behind the last frame it gave."""

    def __init__(self, folder: StreamFolder) -> None:
        self._folder = folder
        self._number = -1
        self._opening: Opening | None = None
        self._offset = 0

    def read(self, wanted: int) -> Iterator[tuple[Frame, SegmentHeader]]:
        """Frames that are new, in order; segments that end before row `wanted` are left out."""
        while True:
            # Listed before the rest is read: with a successor, that rest is complete.
            later = [s for s in self._folder.segments() if s.number > self._number]
            if self._number >= 0:
                yield from self._rest(wanted)
            if not later:
                return
            for segment, successor in itertools.pairwise(later):
                self._number, self._opening, self._offset = segment.number, None, 0
                if not _begins_by(successor, wanted):
                    yield from self._rest(wanted)
            self._number, self._opening, self._offset = later[-1].number, None, 0

    def _rest(self, wanted: int) -> Iterator[tuple[Frame, SegmentHeader]]:
        size = _BLOCK_BYTES
        while True:
            if self._opening is None and not self._open(wanted):
                return  # just being made, or lost: rows that are elsewhere will be found there
            opening = cast("Opening", self._opening)
            start, data = self._offset, self._bytes(self._offset, size)
            for part in frames(data, 0, opening.salt):
                if isinstance(part, Frame):
                    self._offset = start + part.end
                    yield part, opening.header
            if len(data) < size:
                return
            # A frame, or damage, that is larger than a block.
            size = _BLOCK_BYTES if self._offset > start else 2 * size

    def _open(self, wanted: int) -> bool:
        """Read the segment's header, and stand before the frame that holds row `wanted`."""
        with self._file() as file:
            try:
                self._opening = opening = _read_opening(file)
            except FormatError:
                return False
            self._offset = opening.size
            if opening.header.first_row < wanted:
                end = file.seek(0, os.SEEK_END)
                self._offset = offset_of(file, opening.size, end, opening.salt, wanted)
        return True

    def _bytes(self, offset: int, size: int) -> bytes:
        with self._file() as file:
            file.seek(offset)
            return file.read(size)

    def _file(self) -> BinaryIO:
        sealed = self._folder.sealed_segment(self._number)
        # It may be sealed, and so renamed, between two looks.
        for path in (sealed, self._folder.open_segment(self._number), sealed):
            try:
                return path.open("rb")
            except FileNotFoundError:
                continue
        return io.BytesIO()


def read_header(path: Path) -> SegmentHeader | None:
    """A segment's header alone, or None where there is none."""
    try:
        with path.open("rb") as file:
            return _read_opening(file).header
    except (FormatError, FileNotFoundError):
        return None


def _read_opening(file: BinaryIO) -> Opening:
    data = file.read(_HEAD_BYTES)
    try:
        return open_segment(data)
    except FormatError:
        return open_segment(data + file.read())


def _begins_by(segment: SegmentFile, row: int) -> bool:
    header = read_header(segment.path)
    return header is not None and header.first_row <= row
