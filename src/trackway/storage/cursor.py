"""A place in a stream's files: every row once, also those that are written while one reads."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from trackway.errors import FormatError
from trackway.format.segment import (
    NOTE,
    ROWS,
    Frame,
    Opening,
    SegmentHeader,
    frames,
    split,
)
from trackway.storage.parts import open_part, part_header
from trackway.storage.places import PartFile, SegmentFile, StoredFile, StreamFolder
from trackway.storage.seek import offset_of
from trackway.storage.segments import read_opening
from trackway.storage.stored import sentence, stored_rows

if TYPE_CHECKING:
    from trackway.storage.archive.part import ColumnPart, TextPart

_BLOCK_BYTES: Final = 4 << 20
_ALL: Final = slice(None)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Block:
    """Rows whose numbers follow each other; `[n, num_envs, *shape]` of each field."""

    first_row: int
    columns: list[npt.NDArray[Any]]


class Cursor:
    """Stands behind the last row that it gave.

    Attributes:
        faults: Files that could not be read, a sentence each; their rows were left out.
    """

    def __init__(self, folder: StreamFolder, fields: Sequence[str], envs: slice = _ALL) -> None:
        self.faults: list[str] = []
        self._elsewhere: set[Path] = set()
        self._folder, self._fields, self._envs = folder, fields, envs
        self._passed = -1  # the last segment of which nothing is left
        self._at: int | None = None  # the segment that it stands in
        self._opening: Opening | None = None
        self._offset = 0
        self._most: int | None = None

    def read(self, wanted: int, most: int | None = None) -> Iterator[Block | Mapping[str, Any]]:
        """Rows and notes that are new, in order; what ends before row `wanted` is left out.

        Args:
            wanted: Number of a row.
            most: How many rows of a part to put together at once, for who may stop there.
        """
        self._most = most
        while True:
            # Listed before the rest is read: with a successor, that rest is complete.
            contents = self._folder.contents()
            found = contents.files
            if any(file.path not in self._elsewhere for file in contents.stored):
                self._tell_of(contents.stored, wanted)
            if self._at is not None:
                at = self._at
                if not (yield from self._rest(wanted)):
                    self._leave(at - 1)  # it has become part of the archive, or is gone
                    continue
                if not any(file.last > at for file in found):
                    return
                self._leave(at)
            later = [file for file in found if file.last > self._passed]
            if not later or not (yield from self._through(later, wanted)):
                return

    def _tell_of(self, stored: Sequence[StoredFile], wanted: int) -> None:
        """Say once of rows that lie in a store that they are left out, and how they come back."""
        self._elsewhere |= {file.path for file in stored}
        try:
            for rows in stored_rows(self._folder):
                if rows.next_row > wanted:
                    self.faults.append(sentence(self._folder.name, rows))
                    _log.warning("%s", self.faults[-1])
        except FormatError as error:
            self._fault(error)

    def _through(
        self, later: Sequence[PartFile | SegmentFile], wanted: int
    ) -> Generator[Block | Mapping[str, Any], None, bool]:
        """Read these files up to the last one, which may still grow; whether to look again."""
        for file, successor in zip(later, [*later[1:], None], strict=True):
            if isinstance(file, PartFile):
                if not (yield from self._part(file, wanted)):
                    return True
                self._leave(file.last)
            elif successor is None:
                self._at = file.number
                return True
            elif not _begins_by(successor, wanted):
                self._at = file.number
                if not (yield from self._rest(wanted)):
                    self._leave(file.number - 1)
                    return True
                self._leave(file.number)
        return False

    def _leave(self, passed: int) -> None:
        self._passed, self._at, self._opening, self._offset = passed, None, None, 0

    def _part(
        self, file: PartFile, wanted: int
    ) -> Generator[Block | Mapping[str, Any], None, bool]:
        """What a part holds; False when it is not there any more: a larger one is."""
        known = part_header(file.path)
        if known is not None and known.next_row <= wanted:
            yield from known.notes  # nothing to be read of it
            return True
        try:
            part = open_part(file.path)
        except FileNotFoundError:
            return False
        except FormatError as error:
            self._fault(error)
            return True
        with part:
            if part.header.next_row > wanted:
                yield from self._rows(part, wanted)
            yield from part.header.notes
        return True

    def _rows(self, part: ColumnPart | TextPart, wanted: int) -> Iterator[Block]:
        num_envs = len(range(part.header.num_envs)[self._envs])
        row_bytes = sum(f.value_bytes for f in part.header.schema if f.name in self._fields)
        most = max(1, _BLOCK_BYTES // max(1, num_envs * row_bytes))
        if self._most is not None:
            most = max(1, min(most, self._most))
        for start, end in part.stripes(self._envs):
            try:
                begin = max(start, part.place(wanted))
                if begin >= end:
                    continue
                told = list(runs(part.numbers(slice(begin, end)), most))
                ends = itertools.accumulate((count for _, count in told), initial=begin)
                places = [slice(*place) for place in itertools.pairwise(ends)]
                blocks = part.blocks(self._fields, places, self._envs)
                for (first, _), columns in zip(told, blocks, strict=True):
                    yield Block(first, columns)
            except FormatError as error:
                self._fault(error)

    def _fault(self, error: FormatError) -> None:
        if str(error) not in self.faults:
            _log.warning("%s; its rows are left out", error)
            self.faults.append(str(error))

    def _rest(self, wanted: int) -> Generator[Block | Mapping[str, Any], None, bool]:
        """What follows in the segment that it stands in; whether that is there."""
        size = _BLOCK_BYTES
        while True:
            if self._opening is None and not self._open(wanted):
                return self._there()
            opening, start = cast("Opening", self._opening), self._offset
            data = self._bytes(start, size)
            if data is None:
                return False
            for part in frames(data, 0, opening.salt):
                if isinstance(part, Frame):
                    self._offset = start + part.end
                    yield from self._told(part, opening.header)
            if len(data) < size:
                return True
            # A frame, or damage, that is larger than a block.
            size = _BLOCK_BYTES if self._offset > start else 2 * size

    def _told(self, frame: Frame, header: SegmentHeader) -> Iterator[Block | Mapping[str, Any]]:
        if frame.kind == ROWS:
            columns = split(header.schema, header.num_envs, frame)
            chosen = [columns[name][:, self._envs] for name in self._fields]
            # Views of a few fields would hold all that was read of the file.
            if 2 * sum(column.nbytes for column in chosen) < len(frame.payload):
                chosen = [column.copy() for column in chosen]
            yield Block(frame.first_row, chosen)
        elif frame.kind == NOTE:
            yield frame.json()

    def _open(self, wanted: int) -> bool:
        """Read the segment's header, and stand before the frame that holds row `wanted`.

        False where it is just being made, or lost: rows that are elsewhere will be found there.
        """
        file = self._file()
        if file is None:
            return False
        with file:
            try:
                self._opening = opening = read_opening(file)
            except FormatError:
                return False
            self._offset = opening.size
            if opening.header.first_row < wanted:
                end = file.seek(0, os.SEEK_END)
                self._offset = offset_of(file, opening.size, end, opening.salt, wanted)
        return True

    def _bytes(self, offset: int, size: int) -> bytes | None:
        file = self._file()
        if file is None:
            return None
        with file:
            file.seek(offset)
            return file.read(size)

    def _there(self) -> bool:
        file = self._file()
        if file is not None:
            file.close()
        return file is not None

    def _file(self) -> BinaryIO | None:
        number = self._at or 0
        sealed = self._folder.sealed_segment(number)
        # It may be sealed, and so renamed, between two looks.
        for path in (sealed, self._folder.open_segment(number), sealed):
            try:
                return path.open("rb")
            except FileNotFoundError:
                continue
        return None


def read_header(path: Path) -> SegmentHeader | None:
    """A segment's header alone, or None where there is none."""
    try:
        with path.open("rb") as file:
            return read_opening(file).header
    except (FormatError, FileNotFoundError):
        return None


def runs(rows: npt.NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Rising numbers as runs without a gap, of at most so many: the first, and how many."""
    edges = [0, *(np.flatnonzero(np.diff(rows) > 1) + 1).tolist(), len(rows)]
    for start, end in itertools.pairwise(edges):
        for first in range(start, end, most):
            yield int(rows[first]), min(most, end - first)


def _begins_by(file: PartFile | SegmentFile, row: int) -> bool:
    if isinstance(file, PartFile):
        part = part_header(file.path)
        return part is not None and part.first_row <= row
    header = read_header(file.path)
    return header is not None and header.first_row <= row
