"""The child process of a re-simulation: `python -m trackway.replay.what_if FOLDER`.

Last in line for the processor, one at a time, and bounded: a question to the dashboard never takes the
machine from a training.
"""

from __future__ import annotations

import dataclasses
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway.errors import RenderError, RepeatError
from trackway.format.schema import Field
from trackway.replay import child
from trackway.replay.changes import Changes
from trackway.replay.job import RenderJob, new_folder
from trackway.replay.library import Library
from trackway.replay.resimulate import resimulate
from trackway.replay.simulation import INPUTS
from trackway.replay.trajectory import Trajectory
from trackway.replay.web_episode import step_s
from trackway.storage.places import scenes_folder

MOST_STEPS: Final = 5000
_CPU_S: Final = 60
_MEMORY_BYTES: Final = 4 << 30
_WAIT_S: Final = 90
_INPUTS, _BEFORE, _START = "inputs.npz", "before.npz", "start.json"


@dataclass(frozen=True)
class Policy:
    """A policy that acts instead of what was recorded.

    Attributes:
        drive: `package.module:function`, a `trackway.replay.resimulate.Drive`.
        checkpoint: Whose policy.
        config: The run's settings.
    """

    drive: str
    checkpoint: Path
    config: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        told = {"drive": self.drive, "checkpoint": str(self.checkpoint.absolute())}
        return told | {"config": self.config, "cwd": str(Path.cwd())}


@dataclass(frozen=True)
class WhatIf:
    """An episode as it would have been.

    Attributes:
        trajectory: The recorded one, with other positions, and no other column, from step `first` on.
        first: The first step that is different.
        exact: Whether the simulation came to the recorded state by itself, to the bit; else that was
            put in.
    """

    trajectory: Trajectory
    first: int
    exact: bool


def what_if(
    library: Library,
    wanted: str,
    changes: Changes,
    policy: Policy | None = None,
    from_s: float = 0.0,
) -> WhatIf:
    """An episode under other circumstances, or driven by a policy, simulated by a child process.

    Args:
        library: Of the run.
        wanted: Names the episode.
        changes: What should be different.
        policy: Acts instead of what was recorded.
        from_s: All that holds from the step on that begins so long after the start; in an episode
            that is shorter, from its last.

    Raises:
        EpisodeError: There is no such episode.
        RepeatError: It was recorded without what is needed, or the simulation failed or took too long.
    """
    trajectory = library.trajectory(library.index.find(wanted))
    models = library.models(trajectory)
    episode, scene = trajectory.episode, trajectory.scene
    if models.physics is None:
        raise RepeatError("model", models.problem or "the simulated model was not recorded")
    if trajectory.start is None or trajectory.rows[0] != episode.first_row:
        raise RepeatError("start", "how this episode began was not recorded")
    length_s = step_s(trajectory, models.physics)
    if len(trajectory) != episode.last_row - episode.first_row + 1 or not length_s:
        raise RepeatError("rows", "rows of this episode, or how long a step is, are missing")
    first = min(round(from_s / length_s), len(trajectory) - 1)
    columns = trajectory.columns
    inputs = {n: columns[n][: first + MOST_STEPS] for n in INPUTS if n in columns}
    before = {name: column[first - 1] for name, column in columns.items()} if first else {}
    folder = new_folder()
    answer = Path(tempfile.mkdtemp(prefix="trackway-what-if-")) / "states.npz"
    try:
        np.savez(folder / _INPUTS, **inputs)  # type: ignore[arg-type]
        np.savez(folder / _BEFORE, **before)
        (folder / _START).write_bytes(orjson.dumps(trajectory.start))
        job = {
            "path": str(answer),
            "in_turn": True,
            "model": str(scenes_folder(library.run).absolute() / f"{models.physics.digest}.mjb"),
            "substeps": scene["substeps"],
            "first": first,
            "changes": changes.to_json(),
            "policy": policy and policy.to_json(),
        }
        (folder / child.JOB).write_bytes(orjson.dumps(job))
        simulation = RenderJob(answer, folder, "trackway.replay.what_if")
        if not simulation.wait(_WAIT_S):
            raise RepeatError(
                "busy", "the simulation still waits for its turn; ask again in a while"
            )
        with np.load(answer, allow_pickle=False) as states:
            return _what_if(trajectory, dict(states), first, driven=policy is not None)
    except RenderError as error:
        reason = str(error).removeprefix(f"{answer} was not drawn: ")
        raise RepeatError("failed", reason) from error
    finally:
        shutil.rmtree(answer.parent, ignore_errors=True)


def _what_if(recorded: Trajectory, states: dict[str, Any], first: int, driven: bool) -> WhatIf:
    """What was recorded, and from step `first` on what was simulated."""
    exact, ended = bool(states.pop("exact")[0]), states.pop("ended", None)
    columns = {
        name: np.concatenate([recorded.columns[name][:first], after]) if first else after
        for name, after in states.items()
        if name in recorded.columns
    }
    steps, episode = len(columns["qpos"]), recorded.episode
    fields = tuple(
        Field(name, "float64", column.shape[1:], unit="", description="simulated again")
        for name, column in columns.items()
    )
    if driven:  # its end is its own, and what it would have earned is not known
        record = None if ended is None else {"termination_reason": str(ended[0]), "length": steps}
        last = episode.first_row + steps - 1
        episode = dataclasses.replace(episode, last_row=last, record=record)
    rows = np.arange(episode.first_row, episode.first_row + steps)
    trajectory = dataclasses.replace(
        recorded, episode=episode, rows=rows, columns=columns, fields=fields
    )
    return WhatIf(trajectory, first, exact)


def _simulate(folder: Path) -> bytes:
    """The states of a job, as npz."""
    import mujoco

    _bound()
    job = orjson.loads((folder / child.JOB).read_bytes())
    start = orjson.loads((folder / _START).read_bytes())
    with np.load(folder / _INPUTS, allow_pickle=False) as kept:
        inputs = dict(kept)
    with np.load(folder / _BEFORE, allow_pickle=False) as kept:
        before = dict(kept)
    changes = Changes.from_json(job["changes"])
    try:
        drive = _drive(job["policy"]) if job["policy"] else None
        model = mujoco.MjModel.from_binary_path(job["model"])
        found = resimulate(
            model,
            start,
            inputs,
            job["substeps"],
            changes,
            drive,
            MOST_STEPS,
            job["first"],
            before,
        )
    except RenderError:
        raise
    except Exception as error:  # who drives is anybody's code
        raise RenderError(f"it cannot be simulated again: {error}") from error
    buffer = io.BytesIO()
    np.savez(buffer, **found)  # type: ignore[arg-type]
    return buffer.getvalue()


def _bound() -> None:
    """Let nobody wait for this process for ever, nor the machine swap for it."""

    def stop(*_: object) -> None:
        raise RenderError(f"it took longer than {_CPU_S} s")

    signal.signal(signal.SIGXCPU, stop)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(_WAIT_S)  # who sleeps takes no time of the processor
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))


def _drive(policy: Mapping[str, Any]) -> Callable[..., Any]:
    """What acts; looked for where the server was started."""
    from trackway.probes.load import load

    os.chdir(policy["cwd"])
    checkpoint, config = Path(policy["checkpoint"]), policy["config"]
    return partial(load(policy["drive"]), checkpoint=checkpoint, config=config)


if __name__ == "__main__":
    # Who asks is waiting: not for videos, too.
    sys.exit(child.run(_simulate, "what-if"))
