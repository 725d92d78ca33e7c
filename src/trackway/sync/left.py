"""Files of a run that a takeover left in the store: older checkpoints, videos, records still to come.

Steps are not among them: a note stands in the place of each of their files (`format/stored.py`).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from trackway import files
from trackway.errors import SyncError
from trackway.run import RunFolder
from trackway.sync.changes import lane_of


@dataclass(frozen=True)
class Left:
    """What was left where.

    Attributes:
        store: Its address; empty where nothing was left.
        files: Paths below the run's folder.
    """

    store: str = ""
    files: Sequence[str] = ()

    @property
    def coming(self) -> list[str]:
        """Those that come by themselves beside the training: records, and what streams need."""
        return [path for path in self.files if not is_large(path)]


def is_large(path: str) -> bool:
    """Whether a file comes only when somebody asks for it: a checkpoint, or a video."""
    return lane_of(path) == "models" and not path.startswith("realtime_data/")


def read_left(run: RunFolder) -> Left:
    """What of a run lies in a store and never came here.

    Raises:
        SyncError: A later Trackway wrote it.
    """
    path = run.sync / "left.json"
    try:
        told = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return Left()
    if told["version"] > 1:
        raise SyncError(f"{path} was written by a later Trackway: update this one")
    return Left(told["store"], tuple(told["files"]))


def sentence(run: RunFolder) -> str | None:
    """For people: what is missing here, and how it comes; None where nothing is."""
    left = read_left(run)
    if not left.files:
        return None
    command = f"trackway pull {shlex.quote(left.store)} {shlex.quote(run.name)}"
    checkpoints = sum(path.startswith("checkpoints/checkpoint_") for path in left.files)
    return (
        f"{checkpoints} older checkpoints and {len(left.files) - checkpoints} other files lie in "
        f"{left.store}: {command} brings them back"
    )


def write_left(run: RunFolder, left: Left) -> None:
    told = {"format": "trackway-left", "version": 1, "store": left.store, "files": left.files}
    files.publish(run.sync / "left.json", orjson.dumps(told))
