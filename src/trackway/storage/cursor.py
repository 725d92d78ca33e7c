"""A place in a journal: every frame once, also those that are written while one reads."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

from trackway.errors import FormatError
from trackway.format.segment import Frame, Opening, SegmentHeader, frames, open_segment
from trackway.storage.places import SegmentFile, StreamFolder

_HEAD_BYTES = 1 << 16


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
                yield from self._rest()
            if not later:
                return
            for segment, successor in itertools.pairwise(later):
                self._number, self._opening, self._offset = segment.number, None, 0
                if not _begins_by(successor, wanted):
                    yield from self._rest()
            self._number, self._opening, self._offset = later[-1].number, None, 0

    def _rest(self) -> Iterator[tuple[Frame, SegmentHeader]]:
        data = self._bytes()
        if self._opening is None:
            try:
                self._opening = open_segment(data)
            except FormatError:
                return  # just being made, or lost: rows that are elsewhere will be found there
            self._offset = self._opening.size
            data = data[self._offset :]
        start = self._offset
        for part in frames(data, 0, self._opening.salt):
            if isinstance(part, Frame):
                self._offset = start + part.end
                yield part, self._opening.header

    def _bytes(self) -> bytes:
        sealed = self._folder.sealed_segment(self._number)
        # It may be sealed, and so renamed, between two looks.
        for path in (sealed, self._folder.open_segment(self._number), sealed):
            try:
                with path.open("rb") as file:
                    file.seek(self._offset)
                    return file.read()
            except FileNotFoundError:
                continue
        return b""


def read_header(path: Path) -> SegmentHeader | None:
    """A segment's header alone, or None where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
            try:
                return open_segment(data).header
            except FormatError:
                return open_segment(data + file.read()).header
    except (FormatError, FileNotFoundError):
        return None


def _begins_by(segment: SegmentFile, row: int) -> bool:
    header = read_header(segment.path)
    return header is not None and header.first_row <= row
