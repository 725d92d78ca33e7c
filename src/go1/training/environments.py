"""The robots of a training: all in one batch, or a process each."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from go1.config import Go1Config
from go1.env import Go1MujocoEnv
from go1.training.settings import Settings, SettingsError
from go1.vec_env import Go1VecEnv
from trackway.gymnasium import RecordEnv


def training_envs(settings: Settings) -> VecEnv:
    """The robots that learn.

    Raises:
        SettingsError: The physics and the kind of VecEnv do not go together.
    """
    train = settings.train
    if train.vec_env == "batch":
        if settings.env.physics == "upstream":
            raise SettingsError(
                "physics upstream steps robots one by one: add --vec_env subproc (or dummy)"
            )
        return Go1VecEnv(train.num_parallel_envs, settings.env, seed=train.seed)
    makers: list[Callable[[], Monitor[Any, Any]]] = [
        partial(_single, settings.env, in_worker=train.vec_env == "subproc")
        for _ in range(train.num_parallel_envs)
    ]
    envs = SubprocVecEnv(makers) if train.vec_env == "subproc" else DummyVecEnv(makers)  # type: ignore[arg-type]
    envs.seed(train.seed)
    return envs


def evaluation_envs(settings: Settings, num_envs: int) -> VecEnv:
    """Robots of the same kind for evaluation; their seed differs from the training's."""
    seed = settings.train.seed + 10_000
    if settings.env.physics != "upstream":
        # An evaluation plays first episodes, and those a staggered start would shorten.
        config = replace(settings.env, staggered_starts=False)
        # A handful of robots: to hand them to threads and wait takes longer than it saves.
        return Go1VecEnv(num_envs, config, seed=seed, num_threads=1)
    envs = DummyVecEnv([partial(_single, settings.env, in_worker=False)] * num_envs)
    envs.seed(seed)
    return envs


def _single(config: Go1Config, in_worker: bool) -> Monitor[Any, Any]:
    if in_worker:
        # A terminal's Ctrl-C reaches every process; the trainer decides when workers end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In a worker it writes every step straight into the recorder's memory; elsewhere it does nothing.
    return Monitor(RecordEnv(Go1MujocoEnv.from_config(config)))
