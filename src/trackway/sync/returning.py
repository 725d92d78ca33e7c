"""Files of this machine's own run that lie only in its store, brought back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trackway import files
from trackway.run import RunFolder
from trackway.storage.places import StoredFile, attempts
from trackway.storage.stored import read_note
from trackway.sync.acknowledged import acknowledged_file, read_acknowledged
from trackway.sync.freeing import holdings_of
from trackway.sync.holdings import Holdings
from trackway.sync.layout import LANES
from trackway.sync.left import Left, read_left, write_left
from trackway.sync.store import Store


def bring_back(run: RunFolder, store: Store) -> int:
    """Fetch everything of a run that lies only in its store; how many files that were.

    Raises:
        SyncError: The store does not have them any more, or not as they were.
        UnreachableError: It cannot be reached; what was fetched stays.
        OSError: The disk refused, as when there is no room; what was fetched stays.
    """
    count = bring_left(run, store, everything=True)
    if not (notes := list(_notes(run))):
        return count
    returning = _Returning(run, store)
    for note in notes:
        count += returning.fetch(read_note(note).files)
        files.remove(note.path)
    return count


def bring_left(run: RunFolder, store: Store, *, everything: bool = False) -> int:
    """Fetch what a takeover left in the store; how many files that were.

    Args:
        run: The run's folder.
        store: Where they are.
        everything: Older checkpoints and videos as well.

    Raises:
        SyncError, UnreachableError, OSError: As `bring_back`.
    """
    left = read_left(run)
    wanted = list(left.files) if everything else left.coming
    if not wanted or left.store != store.url:
        return 0
    count = _Returning(run, store, LANES).fetch(wanted)
    write_left(run, Left(left.store, [path for path in left.files if path not in set(wanted)]))
    return count


class _Returning:
    def __init__(self, run: RunFolder, store: Store, lanes: Iterable[str] = LANES[-1:]) -> None:
        self._run = run
        self._held: Holdings = holdings_of(run, store, tuple(lanes))
        # Their times as they were, so that nothing is shipped again.
        _, shipped = read_acknowledged(acknowledged_file(run, store.url))
        self._known = shipped.files

    def fetch(self, paths: Iterable[str]) -> int:
        """Fetch those that are not here; how many those were."""
        wanted = [path for path in paths if not (self._run.path / path).exists()]
        for path, data in self._held.fetch(wanted):
            _, mtime_ns = self._known.get(path, (0, 0))
            files.publish(self._run.path / path, data, mtime_ns=mtime_ns or None)
        return len(wanted)


def _notes(run: RunFolder) -> Iterator[StoredFile]:
    for attempt in attempts(run.path):
        for stream in attempt.streams():
            yield from stream.contents().stored
