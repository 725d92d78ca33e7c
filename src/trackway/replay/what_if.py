"""The child process of a re-simulation: `python -m trackway.replay.what_if FOLDER`.

Last in line for the processor, one at a time, and bounded: a question to the dashboard never takes the
machine from a training.
"""

from __future__ import annotations

import dataclasses
import io
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway.errors import RenderError, SceneError
from trackway.format.schema import Field
from trackway.replay import child
from trackway.replay.job import RenderJob, new_folder
from trackway.replay.library import Library
from trackway.replay.resimulate import INPUTS, Changes, resimulate
from trackway.replay.trajectory import Trajectory
from trackway.storage.places import scenes_folder

MOST_STEPS: Final = 5000
_CPU_S: Final = 60
_MEMORY_BYTES: Final = 4 << 30
_WAIT_S: Final = 90.0
_INPUTS, _START = "inputs.npz", "start.json"


def what_if(library: Library, wanted: str, changes: Changes) -> Trajectory:
    """An episode with its recorded inputs under other circumstances, simulated by a child process.

    Returns:
        The episode's trajectory with the positions it would have had, and no other column.

    Raises:
        EpisodeError: There is no such episode.
        SceneError: It was recorded without what is needed to repeat it.
        RenderError: The simulation took too long, or could not be started.
    """
    trajectory = library.trajectory(library.index.find(wanted))
    models = library.models(trajectory)
    episode, scene = trajectory.episode, trajectory.scene
    if models.physics is None:
        raise SceneError(models.problem or "the simulated model was not recorded")
    if trajectory.start is None or trajectory.rows[0] != episode.first_row:
        raise SceneError("how this episode began was not recorded: it cannot be repeated")
    if len(trajectory) != episode.last_row - episode.first_row + 1 or not scene.get("substeps"):
        raise SceneError("rows of this episode, or how long a step is, are missing")
    inputs = {n: trajectory.columns[n][:MOST_STEPS] for n in INPUTS if n in trajectory.columns}
    folder = new_folder()
    answer = Path(tempfile.mkdtemp(prefix="trackway-what-if-")) / "states.npz"
    try:
        np.savez(folder / _INPUTS, **inputs)  # type: ignore[arg-type]
        (folder / _START).write_bytes(orjson.dumps(trajectory.start))
        job = {
            "path": str(answer),
            "in_turn": True,
            "model": str(scenes_folder(library.run).absolute() / f"{models.physics.digest}.mjb"),
            "substeps": scene["substeps"],
            "changes": changes.to_json(),
        }
        (folder / child.JOB).write_bytes(orjson.dumps(job))
        if not RenderJob(answer, folder, "trackway.replay.what_if").wait(_WAIT_S):
            raise RenderError("the simulation is still waiting for its turn; ask again in a while")
        with np.load(answer, allow_pickle=False) as states:
            return _trajectory(trajectory, dict(states))
    finally:
        shutil.rmtree(answer.parent, ignore_errors=True)


def _trajectory(recorded: Trajectory, columns: dict[str, Any]) -> Trajectory:
    rows = recorded.rows[: len(columns["qpos"])]
    fields = tuple(
        Field(name, "float64", column.shape[1:], unit="", description="simulated again")
        for name, column in columns.items()
    )
    return dataclasses.replace(recorded, rows=rows, columns=columns, fields=fields)


def _simulate(folder: Path) -> bytes:
    """The states of a job, as npz."""
    import mujoco

    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    job = orjson.loads((folder / child.JOB).read_bytes())
    start = orjson.loads((folder / _START).read_bytes())
    with np.load(folder / _INPUTS, allow_pickle=False) as kept:
        inputs = dict(kept)
    try:
        model = mujoco.MjModel.from_binary_path(job["model"])
        found = resimulate(model, start, inputs, job["substeps"], Changes.from_json(job["changes"]))
    except (SceneError, ValueError, mujoco.FatalError) as error:
        raise RenderError(f"it cannot be simulated again: {error}") from error
    buffer = io.BytesIO()
    np.savez(buffer, **found)  # type: ignore[arg-type]
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(child.run(_simulate))
