"""The journal of a stream: a segment that grows, is synced, and is sealed when full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from trackway import files
from trackway.clock import Clock
from trackway.errors import FormatError
from trackway.format.schema import Schema
from trackway.format.segment import (
    FRAME_BYTES,
    Digests,
    RowsEncoder,
    SegmentHeader,
    encode_note,
    encode_seal,
    open_segment,
)
from trackway.storage.cursor import read_header
from trackway.storage.limits import Limits
from trackway.storage.places import StreamFolder
from trackway.storage.segments import Segment, load


@dataclass(frozen=True)
class JournalSpec:
    """What a journal keeps, and how much of it.

    `segment_rows` counts rows, not bytes, so that two recordings of the same steps are cut alike
    and their digests can be compared.
    """

    kind: str
    num_envs: int
    schema: Schema
    segment_rows: int
    limits: Limits = field(default_factory=Limits)


class Journal:
    """The growing end of a stream. Whoever holds one holds the attempt's writer lock.

    After an OSError of anything but `append` and `note`, nobody knows what is durable: close the
    journal and begin a new one after the rows that were durable before.

    Attributes:
        next_row: Number of the first row that is not yet written.
    """

    next_row: int

    def __init__(
        self,
        folder: StreamFolder,
        spec: JournalSpec,
        clock: Clock,
        *,
        number: int = 0,
        next_row: int = 0,
        previous: Mapping[str, str] | None = None,
    ) -> None:
        """Begin a journal with a new segment.

        Raises:
            OSError: The disk refused.
        """
        self._folder, self._spec, self._clock = folder, spec, clock
        self._number, self.next_row = number, next_row
        self._file: files.AppendFile | None = None
        self._encoder = RowsEncoder()
        self._begin(previous or {})

    @classmethod
    def adopt(
        cls, folder: StreamFolder, spec: JournalSpec, clock: Clock, segment: Segment
    ) -> Journal:
        """Go on with a segment that was left open; its torn tail is cut off."""
        journal = cls.__new__(cls)
        journal._folder, journal._spec, journal._clock = folder, spec, clock
        journal._number, journal.next_row = segment.header.number, segment.next_row
        journal._encoder = RowsEncoder()
        journal._file = files.open_append(segment.path, segment.end)
        journal._take(segment.header, segment.opening.salt)
        journal._rows = sum(frame.count for frame in segment.rows)
        journal._digests = segment.digests()
        return journal

    @property
    def room(self) -> int:
        """Rows until the segment is full."""
        return self._header.first_row + self._spec.segment_rows - self.next_row

    def append(self, columns: Sequence[npt.NDArray[Any]]) -> None:
        """Write the next rows, at most `room`, as one frame of columns `[count, num_envs, ...]`.

        Raises:
            OSError: The disk refused. The journal is as before.
        """
        count = len(columns[0])
        frame = self._encoder.encode(self._salt, self.next_row, count, columns)
        self._write(frame)
        self._digests.update(frame[FRAME_BYTES:], count)
        self._rows += count
        self.next_row += count

    def note(self, note: Mapping[str, Any]) -> None:
        """Write what befell the stream before the next row.

        Raises:
            OSError: The disk refused. The journal is as before.
        """
        self._write(encode_note(self._salt, self.next_row, note))

    def skip(self, count: int) -> None:
        """Leave out rows; a note should say why."""
        self.next_row += count

    def sync(self) -> None:
        """Make everything written so far durable."""
        self._open_file.sync_data()

    def roll(self) -> None:
        """Seal the segment, begin the next one, and keep within the limits."""
        digests = self._seal()
        self._number += 1
        self._begin(digests)
        self._limit()

    def finish(self, reason: str) -> None:
        """Seal what there is: no row follows."""
        self.note({"note": "ended", "reason": reason})
        self._seal()

    def close(self) -> None:
        """Let go of the file as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    @property
    def _open_file(self) -> files.AppendFile:
        if self._file is None:
            raise ValueError("this journal is closed")
        return self._file

    def _write(self, data: bytes | memoryview) -> None:
        file = self._open_file
        try:
            file.append(data)
        except OSError:
            file.cut()
            raise

    def _begin(self, previous: Mapping[str, str]) -> None:
        header = SegmentHeader(
            attempt=self._folder.attempt.name,
            stream=self._folder.name,
            number=self._number,
            first_row=self.next_row,
            num_envs=self._spec.num_envs,
            kind=self._spec.kind,
            created_unix=self._clock.unix_s(),
            schema=self._spec.schema,
            previous=previous,
        )
        data = header.encode()
        files.make_folder(self._folder.path)
        self._file = files.create_append(self._folder.open_segment(self._number), data)
        self._take(header, open_segment(data).salt)

    def _take(self, header: SegmentHeader, salt: int) -> None:
        self._header, self._salt, self._rows = header, salt, 0
        self._digests = Digests(self._spec.schema, self._spec.num_envs, header.previous)

    def _seal(self) -> Mapping[str, str]:
        digests = self._digests.hex()
        self._write(encode_seal(self._salt, self.next_row, self._rows, digests))
        self.sync()
        self.close()
        files.rename(
            self._folder.open_segment(self._number), self._folder.sealed_segment(self._number)
        )
        return digests

    def _limit(self) -> None:
        """Let the oldest segments go, as far as the limits say."""
        limits = self._spec.limits
        if not limits.any:
            return
        sealed = [segment for segment in self._folder.segments() if segment.sealed]
        sizes = [segment.path.stat().st_size for segment in sealed]
        while sealed:
            # What came after the oldest one begins where, and when, its successor does.
            after = self._header if len(sealed) == 1 else read_header(sealed[1].path)
            if after is None or not limits.exceeded(
                # The segment that begins now will need as much room as the largest so far.
                sum(sizes) + max(sizes),
                self.next_row - after.first_row,
                self._clock.unix_s() - after.created_unix,
            ):
                return
            try:
                oldest = load(sealed[0].path)
            except FormatError:
                return  # damaged: what cannot be told is not deleted
            # Said durably before: a row that is gone without a word would pass for a fault.
            self.note(
                {
                    "note": "limited",
                    "first": oldest.header.first_row,
                    "count": sum(frame.count for frame in oldest.rows),
                }
            )
            self.sync()
            files.remove(oldest.path)
            del sealed[0], sizes[0]
