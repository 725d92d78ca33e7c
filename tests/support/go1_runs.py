"""Runs that a real training has just recorded."""

from __future__ import annotations

from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback
from tests.support.trainings import ppo

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway.sb3 import Checkpointer, RecorderCallback


def short_go1_run(
    folder: Path,
    *,
    num_envs: int = 4,
    rows: int = 192,
    checkpoint_every: int | None = None,
    **config: float,
) -> Path:
    """Go1s that learn for a moment: pushed, randomised, most of them falling."""
    settings = {
        "max_episode_time_sec": 0.8,
        "rand_power": 1.0,
        "friction_range": (0.4, 1.2),
        "mass_offset_kg": 1.0,
        "push_speed": 0.5,
        "push_interval_sec": 0.3,
    }
    envs = Go1VecEnv(num_envs, Go1Config(**(settings | config)), seed=0)
    callbacks: list[BaseCallback] = [RecorderCallback(folder)]
    if checkpoint_every is not None:
        callbacks.append(Checkpointer(folder / "checkpoints", checkpoint_every))
    ppo(envs).learn(rows * num_envs, callback=callbacks)
    return folder
