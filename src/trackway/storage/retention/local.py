"""What may go from this machine because a store has it: the oldest files of steps first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from trackway import files
from trackway.run import RunFolder, list_runs
from trackway.storage.parts import part_header
from trackway.storage.places import PartFile, SegmentFile, StreamFolder, attempts
from trackway.storage.retention.cuts import DAY_S, column_streams
from trackway.storage.retention.pins import is_pinned
from trackway.storage.retention.policy import Policy, policy_of
from trackway.storage.segments import read_seal


@dataclass(frozen=True)
class LocalFile:
    """A finished file of steps.

    Attributes:
        number, last: The segments that it holds.
        first_row, next_row: Its rows.
        begun_unix: When the last of its segments was begun.
        store: Which has to have it.
        why: What lets it go.
    """

    run: RunFolder
    stream: StreamFolder
    path: Path
    number: int
    last: int
    first_row: int
    next_row: int
    begun_unix: float
    size_bytes: int
    store: str
    why: str = ""


def to_free(models: Path, of_folder: Policy, now_unix: float) -> list[LocalFile]:
    """Files that may go from here once their store is found to have them, oldest first.

    The newest file of each stream stays: it tells what the stream is, and where it goes on. Of an
    attempt that is recorded only parts go; its segments are about to become parts. A run that is
    pinned stays whole.
    """
    found: list[LocalFile] = []
    here_bytes = 0
    for run in list_runs(models):
        policy = policy_of(run, of_folder)
        for stream in (s for attempt in attempts(run.path) for s in column_streams(attempt)):
            here_bytes += sum(file.path.stat().st_size for file in stream.contents().files)
            if policy.store is None or is_pinned(run):
                continue
            for file in _finished(run, stream, policy.store):
                age_days = (now_unix - file.begun_unix) / DAY_S
                limit = policy.local_days
                if limit is not None and age_days > limit:
                    file = replace(file, why=f"{age_days:.1f} days old, kept here for {limit:g}")
                found.append(file)
    found.sort(key=lambda file: (file.begun_unix, file.path))
    here_bytes -= sum(file.size_bytes for file in found if file.why)
    chosen = []
    for file in found:
        if (
            not file.why
            and of_folder.local_gb is not None
            and here_bytes > of_folder.local_gb * 1e9
        ):
            here_bytes -= file.size_bytes
            file = replace(file, why=f"more than {of_folder.local_gb:g} GB of steps are here")
        if file.why:
            chosen.append(file)
    return chosen


def _finished(run: RunFolder, stream: StreamFolder, store: str) -> Iterator[LocalFile]:
    attempt = stream.attempt
    recorded = files.is_locked(attempt.lock) or files.is_locked(attempt.writer_lock)
    for file in stream.contents().files[:-1]:
        told = _told(file)
        if told is None or (recorded and not isinstance(file, PartFile)):
            continue
        first_row, next_row, begun_unix = told
        size = file.path.stat().st_size
        yield LocalFile(
            run, stream, file.path, file.number, file.last, first_row, next_row, begun_unix, size,
            store,
        )  # fmt: skip


def _told(file: PartFile | SegmentFile) -> tuple[int, int, float] | None:
    """First row, the row after the last, and when it was begun; None where that cannot be read."""
    if isinstance(file, PartFile):
        part = part_header(file.path)
        if part is None:
            return None
        return part.first_row, part.next_row, part.segments[-1].created_unix
    found = read_seal(file.path) if file.sealed else None
    return found and (found[0].first_row, found[1], found[0].created_unix)
