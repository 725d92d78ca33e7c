"""The writer process of a `Checkpointer`: makes zips, publishes them, removes those that may go.

It imports neither torch nor Stable-Baselines3.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from trackway import files
from trackway.checkpoint.archive import pack_arrays
from trackway.checkpoint.assemble import REPLAY_FOLDER, checkpoint_zip
from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.checkpoint.retention import Kept, Policy, doomed
from trackway.errors import CheckpointError
from trackway.format.message import Message
from trackway.recorder.inbox import Done, WrittenFile, serve

PIN = ".pin"


class CheckpointSink:
    """Publishes one checkpoint after the other, each whole before an older one goes."""

    def __init__(self) -> None:
        self._folder, self._policy = Path(), Policy()
        self._known: dict[Path, Message] = {}

    def handle(self, seq: int, message: Message, columns: dict[str, Any]) -> Done:
        match message["kind"]:
            case "open":
                self._folder, self._policy = Path(message["folder"]), Policy(**message["policy"])
                self._known = {p: _manifest(p) for p in list_checkpoints(self._folder)}
                return Done()
            case "replay":
                path = self._folder / REPLAY_FOLDER / message["name"]
                if not path.exists():
                    files.publish_new(path, pack_arrays(columns))
                return Done([seq])
            case "checkpoint":
                written = self._publish(message, columns)
                self._prune()
                return Done([seq], [written])
        return Done([seq])

    def finish(self) -> Done:
        return Done()

    def _publish(self, message: Message, arrays: dict[str, Any]) -> WrittenFile:
        data = checkpoint_zip(message, arrays, message["unix_s"])
        stem = message["stem"]
        for number in itertools.count(1):
            path = self._folder / f"{stem if number == 1 else f'{stem}_{number}'}.zip"
            if not path.exists():
                files.publish_new(path, data)
            elif path.read_bytes() != data:  # the same: this message came twice
                continue
            self._known[path] = _manifest(path)  # read back, every checksum
            return WrittenFile("checkpoints", path, 1)
        raise AssertionError("names do not end")

    def _prune(self) -> None:
        whole = {path: facts for path, facts in self._known.items() if facts}
        kept = [
            Kept(path.name, facts.get("number", 0), facts.get("metric"), _pinned(path))
            for path, facts in whole.items()
        ]
        gone = [self._folder / name for name in doomed(kept, self._policy)]
        for path in gone:
            del self._known[path]
        named = {n for f in self._known.values() for n in f.get("replay", ())}
        # Damaged ones tell nobody what they need; what nobody names any more was named by these.
        rows = {n for path in gone for n in whole[path].get("replay", ())} - named
        if gone:
            files.remove_all(self._folder, gone)
        if rows:
            folder = self._folder / REPLAY_FOLDER
            files.remove_all(folder, [folder / name for name in sorted(rows)])


def _manifest(path: Path) -> Message:
    """What a whole checkpoint says of itself; empty if it is not whole."""
    try:
        return read_checkpoint(path).manifest
    except CheckpointError:
        return {}


def _pinned(path: Path) -> bool:
    return path.with_name(path.name + PIN).exists()


if __name__ == "__main__":
    serve(CheckpointSink())
