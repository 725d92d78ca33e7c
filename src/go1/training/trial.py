"""Trying a policy: at which commands, without chance, and on film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from stable_baselines3.common.base_class import BaseAlgorithm

from go1.config import Go1Config
from go1.evaluation import EvaluationTable, Policy
from go1.model import render_model
from go1.training.settings import Settings
from trackway.errors import RenderError
from trackway.replay.render import render_video

WALKING_COMMANDS = (0.5, 0.75, 1.0)
FPS = 50
_PATIENCE_S = 300.0


def commands(config: Go1Config) -> tuple[float, ...]:
    """The speeds at which a policy is tried, m/s: those that the robot was trained for."""
    if not config.biped:
        return WALKING_COMMANDS
    slowest, fastest = config.command_forward
    return (slowest, fastest) if fastest > slowest else (slowest,)


def deterministic(model: BaseAlgorithm) -> Policy:
    """The policy without its exploration."""

    def policy(obs: NDArray[np.float32]) -> NDArray[Any]:
        actions, _ = model.predict(obs, deterministic=True)
        return np.asarray(actions)

    return policy


def film(table: EvaluationTable, settings: Settings, path: Path, console: Console) -> Path | str:
    """Draw the robot that followed the middle command; see `film_states`."""
    row = table.rows[len(table.rows) // 2]
    caption = f"command {row.command[0]:.2f} m/s"
    if not math.isnan(row.mean_speed):  # it did not fall before there was something to measure
        caption += f", speed {row.mean_speed:z.2f} m/s"
    return film_states(row.qpos, settings, path, caption, console)


def film_states(
    qpos: NDArray[np.float64], settings: Settings, path: Path, caption: str, console: Console
) -> Path | str:
    """Draw states, [steps, nq], into an mp4 at true speed, as long as `video_duration` at most.

    Returns:
        The mp4, or why there is none: a machine without a graphics library trains all the same.
    """
    env = settings.env
    states = qpos[: max(1, round(settings.train.video_duration / env.dt))]
    captions = [caption] if caption else []
    try:
        model = render_model(env.ctrl_type, env.physics)
        job = render_video(model, states, path, step_s=env.dt, fps=FPS, captions=captions)
        with console.status("drawing the video"):
            if not job.wait(_PATIENCE_S):
                return f"{path} (still being drawn)"
    except RenderError as error:
        return f"no video: {error}"
    return path
