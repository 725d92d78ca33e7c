"""The records of the JSON files, made on the training thread from numbers that are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from trackway.format.columns import nest
from trackway.format.jsonable import missing
from trackway.frameworks.sb3.detail import Detail
from trackway.frameworks.sb3.episodes import Episodes

# Sections of `detailed_info` that an environment has to tell about itself.
_TOLD = ("robot_state", "env_config", "contact_info", "stability_metrics")


def running_columns(
    episodes: Episodes, environment: Mapping[str, Any], unix_s: float
) -> dict[str, Any]:
    """What is known of every environment's running episode without asking it."""
    lengths, returns = episodes.lengths, episodes.returns
    num_envs = len(lengths)
    columns: dict[str, Any] = {
        "episode_info.current_step": lengths,
        "reward_info.current_episode_reward": returns,
        "reward_info.current_episode_length": lengths,
        "performance_metrics.current_step": lengths,
        "performance_metrics.timestamp": np.full(num_envs, unix_s),
        "timestamp": np.full(num_envs, unix_s),
    }
    max_steps, dt = environment.get("max_episode_steps"), environment.get("dt")
    if max_steps:
        columns["performance_metrics.max_steps"] = np.full(num_envs, max_steps)
        columns["performance_metrics.episode_progress"] = lengths / max_steps
        if isinstance(dt, float):
            columns["episode_info.max_episode_time"] = np.full(num_envs, max_steps * dt)
            columns["episode_info.time_remaining"] = (max_steps - lengths) * dt
    return columns


def untold(detail: Detail) -> list[str]:
    """The sections of `detailed_info` that these environments do not tell."""
    return _untold(tuple(detail.columns), tuple(detail.nested[0]) if detail.nested else ())


@lru_cache(maxsize=8)
def _untold(paths: tuple[str, ...], sections: tuple[str, ...]) -> list[str]:
    # The same environments tell the same at every save.
    told = {path.partition(".")[0] for path in paths} | set(sections)
    return [section for section in _TOLD if section not in told]


def environment_configs(
    detail: Detail, environment: Mapping[str, Any], num_envs: int, rand_power: list[float] | None
) -> list[dict[str, Any]]:
    """One entry per environment, for the hyperparameters."""
    configs = []
    for i in range(num_envs):
        known = nest(detail.columns, i)
        if detail.nested is not None:
            known |= detail.nested[i]
        settings = {**environment, **known.get("env_config", {})}
        time_s = known.get("episode_info", {}).get("max_episode_time")
        config = {
            "env_id": i,
            "ctrl_type": settings.get("ctrl_type"),
            "biped": settings.get("biped"),
            "rand_power": None if rand_power is None else rand_power[i],
            "action_noise": settings.get("action_noise_scale"),
            "frame_skip": settings.get("frame_skip"),
            "max_episode_time_sec": settings.get("max_episode_time_sec", time_s),
        }
        configs.append(config | missing(config))
    return configs
