"""The child process of a progress figure: `python -m trackway.replay.figure FOLDER`."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway.errors import RenderError
from trackway.replay import child
from trackway.replay.job import RenderJob, new_folder

# Columns of a training history and what their axes say; all parallel to `timesteps_history`.
_CURVES = {
    "rewards_history": "mean episode return",
    "success_rates": "success rate",
    "lengths_history": "mean episode length (steps)",
}


def draw_progress(history: dict[str, Any], path: Path) -> RenderJob:
    """Draw a training history as a PNG, in a niced child process.

    Args:
        history: As in `training_history.json`.
        path: The figure; appears whole, replacing an older one.
    """
    folder = new_folder()
    try:
        job = {"path": str(path.absolute()), "in_turn": True, "history": history}
        (folder / child.JOB).write_bytes(orjson.dumps(job))
        return RenderJob(path, folder, "trackway.replay.figure")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def draw(folder: Path) -> bytes:
    """The PNG of a job."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise RenderError("matplotlib is missing; pip install 'trackway[plot]'") from error
    history = orjson.loads((folder / child.JOB).read_bytes())["history"]
    timesteps = np.array(history["timesteps_history"], dtype=float)
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
    for axis, (key, label) in zip(axes.flat, _CURVES.items(), strict=False):
        axis.plot(timesteps, np.array(history[key], dtype=float), marker=".")
        axis.set(xlabel="timesteps", ylabel=label)
        axis.grid(alpha=0.3)
    axis = axes[1, 1]
    components = history["reward_components_history"]
    for name in sorted({name for row in components for name in row}):
        axis.plot(timesteps, [row.get(name, np.nan) for row in components], label=name)
    if axis.lines:
        axis.legend(fontsize="x-small", ncols=2)
    axis.set(xlabel="timesteps", ylabel="reward per episode, by component")
    axis.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    plt.close(figure)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(child.run(draw))
