"""An episode as a video, a GIF or a picture, drawn by MuJoCo in a niced process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from trackway.errors import RenderError, SceneError
from trackway.replay.job import RenderJob
from trackway.replay.library import Library
from trackway.replay.web_episode import shaping, step_s
from trackway.storage.places import scenes_folder

FORMATS: Final = ("mp4", "gif", "png")


def film_episode(
    library: Library,
    wanted: str,
    path: Path,
    *,
    at_s: float | None = None,
    fps: float = 50,
    width: int = 640,
    height: int = 480,
    camera: str | int | None = None,
) -> RenderJob:
    """Draw an episode as it was randomised, at true speed; the format is that of the path's name.

    Args:
        library: Of the run.
        wanted: Which episode, as `EpisodeIndex.find` understands it.
        path: Where it goes: `.mp4`, `.gif` or `.png`.
        at_s: For a picture: the instant, seconds after the start; by default the end.
        fps: Frames a second at most.
        width: Of the picture, pixels.
        height: Of the picture, pixels.
        camera: A camera of the model, by name or number; None follows the robot.

    Raises:
        EpisodeError: There is no such episode.
        SceneError: Its model is missing, or of another MuJoCo.
        RenderError: The format is none that is known.
    """
    from trackway.replay.render import render_video

    if path.suffix.lstrip(".") not in FORMATS:
        raise RenderError(f"{path.name} should end in one of .{', .'.join(FORMATS)}")
    model, qpos, dt = posed(library, wanted)
    first = 0
    if path.suffix == ".png":
        wished = len(qpos) - 1 if at_s is None else round(at_s / dt)
        first = min(max(0, wished), len(qpos) - 1)
        qpos = qpos[first : first + 1]
    return render_video(
        model,
        qpos,
        path,
        step_s=dt,
        begin_s=first * dt,
        fps=fps,
        width=width,
        height=height,
        camera=camera,
    )


def posed(library: Library, wanted: str) -> tuple[Any, np.ndarray, float]:
    """The model of an episode as it was randomised, its states `[n, nq]`, and seconds between them.

    Raises:
        EpisodeError: There is no such episode.
        SceneError: Its model is missing, or of another MuJoCo.
    """
    import mujoco

    trajectory = library.trajectory(library.index.find(wanted))
    models = library.models(trajectory)
    qpos = trajectory.qpos
    if models.drawn is None or qpos is None:
        raise SceneError(models.problem or "no positions were recorded")
    binary = scenes_folder(library.run) / f"{models.drawn.digest}.mjb"
    try:
        model = mujoco.MjModel.from_binary_path(str(binary))
    except (ValueError, mujoco.FatalError) as error:
        version = models.drawn.get("mujoco_version")
        raise SceneError(
            f"{binary.name} cannot be read: it was written by MuJoCo {version}, this is "
            f"{mujoco.__version__}"
        ) from error
    overrides = (trajectory.start or {}).get("overrides") or {}
    for field, changes in shaping(overrides, models).items():
        array = getattr(model, field).reshape(getattr(model, field).shape[0], -1)
        for element, component, value in changes:
            array[int(element), int(component)] = value
    return model, qpos, step_s(trajectory, models.physics) or model.opt.timestep
