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
from trackway.checkpoint.retention import Policy
from trackway.checkpoint.shelf import Shelf
from trackway.clock import file_stamp
from trackway.format.message import Message
from trackway.recorder.inbox import Done, WrittenFile, serve


class CheckpointSink:
    """Publishes one checkpoint after the other, each whole before an older one goes."""

    def __init__(self) -> None:
        self._folder, self._shelf = Path(), Shelf(Path(), Policy())

    def handle(self, seq: int, message: Message, columns: dict[str, Any]) -> Done:
        match message["kind"]:
            case "open":
                self._folder = Path(message["folder"])
                self._shelf = Shelf(self._folder, Policy(**message["policy"]))
                return Done()
            case "replay":
                path = self._folder / REPLAY_FOLDER / message["name"]
                if not path.exists():
                    files.publish_new(path, pack_arrays(columns))
                return Done([seq])
            case "checkpoint":
                written = self._publish(message, columns)
                self._shelf.remove(self._shelf.doomed())
                return Done([seq], [written])
        return Done([seq])

    def finish(self) -> Done:
        return Done()

    def _publish(self, message: Message, arrays: dict[str, Any]) -> WrittenFile:
        data = checkpoint_zip(message, arrays, message["unix_s"])
        stem = f"checkpoint_{file_stamp(message['unix_s'])}"
        for number in itertools.count(1):
            path = self._folder / f"{stem if number == 1 else f'{stem}_{number}'}.zip"
            if self._shelf.is_gone(path):
                continue
            if not path.exists():
                files.publish_new(path, data)
            elif path.read_bytes() != data:  # the same: this message came twice
                continue
            self._shelf.added(path)
            return WrittenFile("checkpoints", path, 1)
        raise AssertionError("names do not end")


if __name__ == "__main__":
    serve(CheckpointSink())
