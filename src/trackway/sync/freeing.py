"""Steps that leave this machine because a store has them, and come back from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackway import files
from trackway.errors import SyncError
from trackway.format.stored import StoredRows
from trackway.run import RunFolder
from trackway.storage.retention.local import LocalFile
from trackway.sync import layout, lease
from trackway.sync.acknowledged import identity
from trackway.sync.changes import lane_of
from trackway.sync.holdings import Holdings
from trackway.sync.mirror import ranks
from trackway.sync.opening import open_store
from trackway.sync.store import Store

_LANE = layout.LANES[-1]


def holdings_of(run: RunFolder, store: Store, lanes: Sequence[str] = (_LANE,)) -> Holdings:
    """What a store has of this folder's run; unless told otherwise, of its steps.

    Raises:
        SyncError: The store has nothing of this folder, or another machine holds the run.
        UnreachableError: The store cannot be reached.
    """
    writer = identity(run)
    held = ""
    for rank in ranks(store, run.name):
        prefix = layout.rank_prefix(run.name, rank)
        known = lease.epochs(store, prefix)
        if known and known[-1].writer == writer:
            return Holdings(store, prefix, lanes)
        if any(epoch.writer == writer for epoch in known):
            held = f": {known[-1].host} has taken it over"
    raise SyncError(f"{store.url} holds no run of {run.path}{held}; see trackway sync")


def holder(run: RunFolder, store: Store) -> Callable[[Path], bool]:
    """What tells of a file of a run's streams whether a store has all its rows.

    Raises:
        UnreachableError: The store cannot be reached.
    """
    try:
        holdings = holdings_of(run, store)
    except SyncError:
        return lambda path: False
    return lambda path: bool(holdings.standing_for(path.relative_to(run.path).as_posix(), path))


@dataclass
class Freed:
    """What went from here: bytes, files, and a sentence for everything that stays nevertheless."""

    size_bytes: int = 0
    count: int = 0
    said: list[str] = field(default_factory=list)


def free(chosen: Iterable[LocalFile]) -> Freed:
    """Let files go of which the store is found to have all rows; a note takes the place of each.

    Of a stream nothing goes behind a file that stays.

    Args:
        chosen: What a policy says, oldest first.

    Raises:
        UnreachableError: A store cannot be reached; what had gone is in it.
        OSError: The disk refused; no file goes before its note is safe.
    """
    freed = Freed()
    holdings: dict[tuple[Path, str], Holdings | None] = {}
    stopped: set[Path] = set()
    for file in chosen:
        name = file.path.relative_to(file.run.path).as_posix()
        if file.stream.path in stopped or lane_of(name) != _LANE:
            continue
        there = (file.run.path, file.store)
        if there not in holdings:
            try:
                holdings[there] = holdings_of(file.run, open_store(file.store))
            except SyncError as error:
                holdings[there] = None
                freed.said.append(f"{file.run.name} stays: {error}")
        known = holdings[there]
        why = "" if known is None else _free(file, known, name)
        if known is None or why:
            stopped.add(file.stream.path)
            freed.said += [f"{file.path} stays: {why}"] if why else []
        else:
            freed.size_bytes += file.size_bytes
            freed.count += 1
    return freed


def _free(file: LocalFile, holdings: Holdings, name: str) -> str:
    """Let one file go; why it stays, or nothing."""
    held = files.lock(file.stream.attempt.archive_lock)
    if held is None:
        return "it is being compacted"
    try:
        if not file.path.exists():
            return "it became part of another file just now"
        there = holdings.standing_for(name, file.path)
        if not there:
            return f"{file.store} does not have it, or not yet"
        note = StoredRows(
            file.store, file.run.name, tuple(there), file.first_row, file.next_row, file.size_bytes
        )
        files.publish(file.stream.stored(file.number, file.last), note.encode())
        files.remove(file.path)
        return ""
    finally:
        held.release()
