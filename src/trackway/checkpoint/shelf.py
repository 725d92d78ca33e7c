"""The checkpoints of a folder, of which those that a policy lets go are taken away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackway import files
from trackway.checkpoint.assemble import REPLAY_FOLDER
from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.checkpoint.retention import Kept, Policy, doomed
from trackway.errors import CheckpointError

PIN = ".pin"


class Shelf:
    """Knows which of the checkpoints are whole: those alone count, and so the newest of them stays.

    Args:
        folder: Of the zips. A file `checkpoint_….zip.pin` beside one keeps it.
        policy: What stays.
    """

    def __init__(self, folder: Path, policy: Policy) -> None:
        self._folder, self._policy = folder, policy
        # Oldest first. What comes is newer than what lies here, of whatever training that was.
        known = [(path, _manifest(path)) for path in list_checkpoints(folder)]
        self._known = dict(sorted(known, key=lambda each: _moment(each[1])))
        self._gone: set[Path] = set()

    def added(self, path: Path) -> None:
        """A zip was published; it is read back, every checksum."""
        self._known[path] = _manifest(path)

    def is_gone(self, path: Path) -> bool:
        """Whether a zip of that name was taken away: a newer one under it would pass for older."""
        return path in self._gone

    def doomed(self) -> list[Path]:
        """Zips that may go."""
        kept = [
            Kept(path.name, number, facts.get("metric"), _pinned(path), learn)
            for path, facts in self._known.items()
            if facts
            for learn, number in [_moment(facts)]
        ]
        return [self._folder / name for name in doomed(kept, self._policy)]

    def remove(self, gone: list[Path]) -> None:
        """Take zips away, durably, and the rows of replay buffers that no other one names."""
        named_by = {path: self._known.pop(path).get("replay", ()) for path in gone}
        still = {name for facts in self._known.values() for name in facts.get("replay", ())}
        # Damaged ones tell nobody what they need; what nobody names any more was named by these.
        rows = {name for names in named_by.values() for name in names} - still
        if gone:
            files.remove_all(self._folder, gone)
            self._gone |= set(gone)
        if rows:
            folder = self._folder / REPLAY_FOLDER
            files.remove_all(folder, [folder / name for name in sorted(rows)])


def _manifest(path: Path) -> dict[str, Any]:
    """What a whole checkpoint says of itself; empty if it is not whole."""
    try:
        return read_checkpoint(path).manifest
    except CheckpointError:
        return {}


def _moment(facts: dict[str, Any]) -> tuple[int, int]:
    """In which call of `learn` it was taken, and after how many others."""
    return facts.get("learn", 1), facts.get("number", 0)


def _pinned(path: Path) -> bool:
    return path.with_name(path.name + PIN).exists()
