"""A run's line: its attempts joined where each went on from the one before.

    attempt 1   ──────────────┬─ ─ ─ ─   recorded after the checkpoint from which attempt 2 went on
    attempt 2                 └───────┬─ ─
    attempt 3                         └────────

What a dead attempt recorded after that checkpoint stays on disk, but it was done again: the line
holds every timestep once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import StreamError
from trackway.format import pieces
from trackway.format.schema import Schema
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import AttemptFolder, StreamFolder, attempts
from trackway.storage.reader import Reader, describe, end_row

_BATCH_BYTES: Final = 4 << 20
_FIRST_PIECES: Final = 256  # what an attempt began with lies well within them


@dataclass(frozen=True)
class Stretch:
    """What one attempt adds to the line of a stream.

    Attributes:
        folder: The stream.
        begin: Timesteps made before its first row.
        end: The last timestep that is of the line; None: as far as it goes.
    """

    folder: StreamFolder
    begin: int
    end: int | None = None

    def cut(self, timestep: int) -> Stretch:
        return replace(self, end=timestep if self.end is None else min(self.end, timestep))


@dataclass(frozen=True)
class Batch:
    """Rows of one attempt: timesteps after each, their numbers there, and columns."""

    stretch: Stretch
    timesteps: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[Any]]


def rank_of(attempt: AttemptFolder) -> int:
    """Of several processes that record into a run at once, whose attempt it is; 0 if it says nothing."""
    try:
        return int(orjson.loads(attempt.manifest.read_bytes()).get("rank", 0))
    except (OSError, ValueError, TypeError, AttributeError):
        return 0  # the rows of an attempt whose manifest is damaged count all the same


def of_rank(run: Path, rank: int) -> list[AttemptFolder]:
    """The attempts of one of a run's writers, oldest first."""
    return [attempt for attempt in attempts(run) if rank_of(attempt) == rank]


def find_line(run: Path, stream: str, clock: Clock = SYSTEM_CLOCK) -> list[Stretch]:
    """The stretches of a run's line, in order; one that another replaces wholly is left out.

    Of a run of several writers it is the line of the one of the lowest rank that is here.

    Where trainer and writer of an attempt were both killed, this finishes their work first.

    Raises:
        StreamError: No attempt has that stream; the message lists those that exist.
    """
    found: list[Stretch] = []
    known: set[str] = set()
    first = min(map(rank_of, attempts(run)), default=0)
    for attempt in of_rank(run, first):
        finish_abandoned(attempt, clock)
        names = {folder.name for folder in attempt.streams() if end_row(folder) > 0}
        if not names:
            continue  # it died before its first row: nothing was done again
        known |= names
        begin = begin_timestep(attempt)
        found = [stretch.cut(begin) for stretch in found if stretch.begin < begin]
        if stream in names:
            found.append(Stretch(attempt.stream(stream), begin))
    if not found:
        raise StreamError(
            f"{run} has no stream {stream!r}; it has: {', '.join(sorted(known))}"
            if known
            else f"{run} holds no recorded streams"
        )
    return found


def begin_timestep(attempt: AttemptFolder) -> int:
    """Timesteps that were made before an attempt, as its first events tell; 0 where none does."""
    return beginning(attempt)[0] or 0


def beginning(attempt: AttemptFolder) -> tuple[int | None, int | None]:
    """Timesteps made before an attempt, and its number of environments; None: no event tells.

    Raises:
        StreamError: The events cannot be read.
    """
    timestep: int | None = None
    num_envs: int | None = None
    folder = attempt.stream("events")
    if not folder.path.is_dir() or end_row(folder) == 0 or describe(folder)[2] != pieces.KIND:
        return timestep, num_envs
    reader, joiner = Reader(folder), pieces.Joiner()
    while len(records := reader.poll(_FIRST_PIECES)):
        for event in joiner.join(records.rows, records.columns):
            if event.get("row", 0):
                return timestep, num_envs
            # A program may begin as at first, and put a checkpoint's state in before the first step.
            if event.get("event") in {"begin", "resumed"}:
                timestep = int(event.get("timestep") or 0)
                num_envs = int(event.get("num_envs") or 0) or num_envs
    return timestep, num_envs


def layout(line: Sequence[Stretch]) -> tuple[Schema, int, str]:
    """Schema, number of environments and kind of the line's newest stretch."""
    return describe(line[-1].folder)


def read_batches(line: Sequence[Stretch], fields: Sequence[str], after: int) -> Iterator[Batch]:
    """The line's rows that led beyond timestep `after`, in order, as many at a time as fit memory."""
    for stretch in line:
        if stretch.end is not None and stretch.end <= after:
            continue
        schema, num_envs, _ = describe(stretch.folder)
        first = max(0, (after - stretch.begin) // num_envs)
        reader = Reader(stretch.folder, fields, first)
        limit = max(1, _BATCH_BYTES // schema.row_bytes(num_envs))
        while len(records := reader.poll(limit)):
            timesteps = stretch.begin + (records.rows + 1) * num_envs
            last = np.inf if stretch.end is None else stretch.end
            here = slice(*np.searchsorted(timesteps, [after, last], side="right"))
            if here.stop > here.start:
                columns = {name: column[here] for name, column in records.columns.items()}
                yield Batch(stretch, timesteps[here], records.rows[here], columns)
            if here.stop < len(timesteps):
                break


def read_line_records(line: Sequence[Stretch]) -> list[tuple[Stretch, dict[str, Any]]]:
    """The line's records of a stream of JSON, and who told each.

    An update that led to a checkpoint may be told before it and again after the resume: once here.
    """
    told: list[tuple[Stretch, dict[str, Any]]] = []
    for stretch in line:
        records, joiner, reader = [], pieces.Joiner(), Reader(stretch.folder)
        while len(batch := reader.poll(limit=100_000)):
            records += joiner.join(batch.rows, batch.columns)
        seam = [_lasting(record) for _, record in told if _timestep(record) == stretch.begin]
        for record in records:
            timestep = _timestep(record)
            if stretch.end is not None and timestep is not None and timestep > stretch.end:
                continue
            if not seam or timestep != stretch.begin or _lasting(record) not in seam:
                told.append((stretch, record))
    return told


def _timestep(record: dict[str, Any]) -> int | None:
    return record.get("timestep")


def _lasting(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if lasts(key)}


def lasts(key: str) -> bool:
    """Whether a member of a record would be the same had the training not been interrupted.

    Not so clock times, and row numbers, which begin anew with each attempt.
    """
    return key not in {"unix_s", "row"} and not key.startswith("time/")
