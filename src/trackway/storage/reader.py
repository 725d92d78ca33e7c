"""Reading a stream: parts, journal and ring as one, while it is written as well as years later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import FormatError, StreamError
from trackway.format import pieces
from trackway.format.schema import Schema
from trackway.storage import ring
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.cursor import Block, Cursor, read_header
from trackway.storage.parts import part_header
from trackway.storage.places import PartFile, StreamFolder, find_stream
from trackway.storage.ring import Ring
from trackway.storage.segments import next_row

Array = npt.NDArray[Any]
_PIECES_AT_ONCE = 100_000


@dataclass(frozen=True)
class Records:
    """Rows of a stream.

    Attributes:
        rows: Their numbers, int64 `[n]`, rising; a number that is missing is a row that was lost.
        columns: By field, `[n, num_envs, *shape]`.
    """

    rows: npt.NDArray[np.int64]
    columns: dict[str, Array]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, field: str) -> Array:
        return self.columns[field]


class Reader:
    """Reads a stream from a row on; each `poll` gives what came since the last.

    Any number of readers may look while the stream is written; nobody waits for them.

    Attributes:
        ended: Whether the journal said that no row follows what was given.
        end_reason: Why: `closed`, or how the training died.
    """

    def __init__(
        self,
        folder: StreamFolder,
        fields: Sequence[str] | None = None,
        first: int = 0,
        env: int | None = None,
    ) -> None:
        """Begin at row `first`; with `env`, columns hold that environment alone, `[n, 1, …]`.

        Raises:
            StreamError: The stream cannot be read, or does not have one of `fields`.
        """
        self.ended = False
        self.end_reason: str | None = None
        self.schema, self.num_envs, self.kind = describe(folder)
        self._folder = folder
        self._unread: Iterator[Block | Mapping[str, Any]] = iter(())
        self._ring: Ring | None = None
        self._next = first
        self._envs = slice(None) if env is None else slice(env, env + 1)
        known = [field.name for field in self.schema]
        unknown = [name for name in fields or () if name not in known]
        if unknown:
            raise StreamError(
                f"stream {folder.name!r} has no field {', '.join(unknown)}; "
                f"it has: {', '.join(known)}"
            )
        self._fields = known if fields is None else list(fields)
        self._cursor = Cursor(folder, self._fields, self._envs)

    @property
    def faults(self) -> list[str]:
        """Files that could not be read, a sentence each; their rows were left out."""
        return self._cursor.faults

    def poll(self, limit: int | None = None) -> Records:
        """Rows that were committed since the last poll; none is also an answer.

        With a limit it stops once it has so many, or a few more: for streams larger than memory.
        """
        # The ring is looked at first: rows go from there to the journal, never back.
        if self._ring is None:
            self._ring = ring.find_ring(self._folder.ring_pointer)
        first, copies = self._ring.snapshot(self._next, self._fields) if self._ring else (0, [])
        found: list[tuple[int, list[Array]]] = []
        count = 0
        behind = not copies or first > self._next
        # Once its pointer is gone, everything is in the journal, and it is sealed.
        if behind or not self._folder.ring_pointer.exists():
            # What a poll with a limit left unread, then what was written since.
            for unread in (self._unread, self._cursor.read(self._next, limit)):
                for block in unread:
                    if isinstance(block, Block):
                        count += self._take(found, block.first_row, block.columns)
                    elif block.get("note") == "ended":
                        self.ended, self.end_reason = True, block.get("reason")
                    if limit is not None and count >= limit:
                        self._unread = unread
                        return self._joined(found)
            self._unread = iter(())
        if copies and self._ring is not None:
            # Else a page that watches a run would hold a ring of each stream after a lap.
            self._ring.let_go()
            self._take(found, first, [column[:, self._envs] for column in copies])
        return self._joined(found)

    def _take(self, found: list[tuple[int, list[Array]]], first: int, columns: list[Array]) -> int:
        """Keep those rows that were not given yet; how many they are."""
        end = first + len(columns[0])
        if end <= self._next:
            return 0
        known = max(0, self._next - first)
        found.append((first + known, [column[known:] for column in columns]))
        self._next = end
        return end - first - known

    def _joined(self, found: list[tuple[int, list[Array]]]) -> Records:
        if not found:
            empty = (
                (field.name, np.empty((0, self.num_envs, *field.shape), field.dtype)[:, self._envs])
                for field in self.schema
                if field.name in self._fields
            )
            return Records(np.empty(0, np.int64), dict(empty))
        rows = np.concatenate([np.arange(row, row + len(part[0])) for row, part in found])
        columns = zip(*(part for _, part in found), strict=True)
        joined = (np.concatenate(parts) for parts in columns)
        return Records(rows, dict(zip(self._fields, joined, strict=True)))


def describe(folder: StreamFolder) -> tuple[Schema, int, str]:
    """Schema, number of environments and kind of a stream.

    Raises:
        StreamError: Neither a segment nor a ring tells them.
    """
    for file in folder.contents().files:
        header = part_header(file.path) if isinstance(file, PartFile) else read_header(file.path)
        if header is not None:
            return header.schema, header.num_envs, header.kind
    found = ring.find_ring(folder.ring_pointer)
    if found is None:
        raise StreamError(f"{folder.path} holds no file of a stream that can be read")
    return found.spec.schema, found.spec.num_envs, found.spec.kind


def end_row(folder: StreamFolder) -> int:
    """The number after the last row that was committed, told without reading the stream."""
    found = ring.find_ring(folder.ring_pointer)
    if found is not None:
        return found.head
    for file in reversed(folder.contents().files):
        if isinstance(file, PartFile):
            header = part_header(file.path)
            if header is not None:
                return header.next_row
            continue
        try:
            return next_row(file.path)
        except (FormatError, FileNotFoundError):
            continue
    return 0


def count_records(folder: StreamFolder) -> int:
    """How many records a stream of JSON holds that are whole."""
    reader, count = Reader(folder, ["flags"]), 0
    while len(batch := reader.poll(limit=_PIECES_AT_ONCE)):
        count += int(np.count_nonzero(batch["flags"] & pieces.LAST))
    return count


def read(
    run: Path,
    stream: str,
    *,
    attempt: str | None = None,
    fields: Sequence[str] | None = None,
    first: int = 0,
    clock: Clock = SYSTEM_CLOCK,
) -> Records:
    """Everything a run has recorded of a stream, up to the row that was committed last.

    Where trainer and writer were both killed, this finishes their work first.

    Args:
        run: The run's folder.
        stream: Its name, such as `steps`.
        attempt: Its name; without one, the latest attempt that has the stream.
        fields: Which columns; all when not given.
        first: The first row wanted.
        clock: Gives the time of what is finished.

    Raises:
        StreamError: There is no such stream or field.
    """
    folder = find_stream(run, stream, attempt)
    finish_abandoned(folder.attempt, clock)
    return Reader(folder, fields, first).poll()


def read_records(run: Path, stream: str, *, attempt: str | None = None) -> list[dict[str, Any]]:
    """All records of a stream of JSON, such as `events`.

    Raises:
        StreamError: There is no such stream, or it holds columns.
    """
    folder = find_stream(run, stream, attempt)
    if describe(folder)[2] != pieces.KIND:
        raise StreamError(f"stream {stream!r} holds columns: read it with trackway.read")
    records = read(run, stream, attempt=attempt)
    return pieces.Joiner().join(records.rows, records.columns)


def follow(
    reader: Reader, folder: StreamFolder, *, poll_s: float = 0.002, clock: Clock = SYSTEM_CLOCK
) -> Iterator[Records]:
    """Rows as they come, until the stream has ended: every batch with at least one row."""
    looked_s = clock.monotonic_s()
    while True:
        # Looked at before the poll: what the trainer committed last is still given.
        gone = clock.monotonic_s() - looked_s > 0.5 and not files.is_locked(folder.attempt.lock)
        records = reader.poll()
        if len(records):
            yield records
        elif reader.ended or (gone and not finish_abandoned(folder.attempt, clock)):
            return
        else:
            if clock.monotonic_s() - looked_s > 0.5:
                looked_s = clock.monotonic_s()
            clock.sleep_s(poll_s)
