"""What a dead attempt recorded after the checkpoint from which the run goes on, put aside.

The next attempt records those steps again; left where they are, they would stand there twice. They
are moved, not deleted: into `set_aside/<number>/` beside the folders of records.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

from trackway import files
from trackway.format.jsonable import json_bytes, strict_json
from trackway.legacy.json_layout import CHECKPOINTS, EPISODES, METRICS, STATES
from trackway.storage.packs import unpack

# A clock that was set back mixes the order of a few files' names, not of more.
_PATIENCE: Final = 20


def set_aside_records(folder: Path, history: Path, after: int, into: Path) -> int:
    """Move every record beyond timestep `after`.

    A power cut in the middle is mended by doing it again.

    Args:
        folder: The folder of the folders of records, `realtime_data`.
        history: The history of evaluations, which is cut.
        after: The last timestep to stay; -1 for none.
        into: Where they go; a folder that may not exist yet.

    Returns:
        How many records were moved.
    """
    moved = 0
    for kind in (EPISODES, STATES, METRICS):
        unpack(folder / kind)
        # By name, and by when they came here: of two machines' clocks one may be behind the other.
        for order in (_named, _came):
            untouched = 0
            for path in sorted((folder / kind).glob("*.json"), key=order, reverse=True):
                count = _split(path, after, into / kind / path.name)
                moved += count
                untouched = 0 if count else untouched + 1
                if untouched == _PATIENCE:
                    break
    for path in (folder / CHECKPOINTS).glob("*.json"):
        if orjson.loads(path.read_bytes()).get("timestep", 0) > after:
            move(path, into / CHECKPOINTS / path.name)
            moved += 1
    _cut_history(history, after, into / history.name)
    return moved


def move(path: Path, to: Path) -> None:
    """Move a file durably, with the folder it needs."""
    files.make_folder(to.parent)
    files.rename(path, to)
    files.sync_folder(path.parent)


def _named(path: Path) -> str:
    return path.name


def _came(path: Path) -> int:
    return path.stat().st_ctime_ns


def _split(path: Path, after: int, to: Path) -> int:
    records = orjson.loads(path.read_bytes())
    kept = [record for record in records if record["timestep"] <= after]
    moved = [record for record in records if record["timestep"] > after]
    if moved:
        files.publish(to, json_bytes(moved))
        if kept:
            files.publish(path, json_bytes(kept))
        else:
            files.remove(path)
    return len(moved)


def _cut_history(path: Path, after: int, to: Path) -> None:
    """Cut the parallel lists of the history where its timesteps go beyond."""
    try:
        data = path.read_bytes()
        told: dict[str, Any] = orjson.loads(data)
        keep = sum(timestep <= after for timestep in told["timesteps_history"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return
    if keep == len(told["timesteps_history"]):
        return
    files.publish(to, data)
    cut = {key: value[:keep] if isinstance(value, list) else value for key, value in told.items()}
    returns = [value for value in cut["rewards_history"] if value is not None]
    cut["best_mean_reward"] = max(returns, default=None)
    files.publish(path, strict_json(cut))
