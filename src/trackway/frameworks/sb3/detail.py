"""What the environments tell about their robots, as columns or as nested records.

Three kinds of environments, by what they offer:
`detailed_info_columns` of a VecEnv that simulates all robots at once (with `raw_detail` beside it,
what they are computed from is read and the rest left to the writer); `get_detailed_episode_info` of
each environment; and any other environment, of which only the simulation's state may be readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trackway.format.columns import RawColumns
from trackway.format.jsonable import jsonable
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.learner import text_of
from trackway.probes.mujoco_state import robot_state

_LARGEST_OBSERVATION = 256  # numbers; beyond it (images) an observation is no detail any more


@dataclass(frozen=True)
class Detail:
    """One moment of all environments: columns, and nested records to lay over them."""

    columns: dict[str, Any] = field(default_factory=dict)
    nested: list[dict[str, Any]] | None = None


def read_detail(envs: Environments) -> Detail:
    """Ask the environments; whatever they raise is the caller's to count."""
    columns = getattr(envs.inner, "detailed_info_columns", None)
    if columns is not None:
        return Detail(dict(columns()))
    nested = envs.call("get_detailed_episode_info")
    if nested is not None:
        performance = None
        if not all("performance_metrics" in record for record in nested):
            performance = envs.call("get_performance_metrics")
        if performance is not None:
            nested = [
                {"performance_metrics": metrics, **record}
                for record, metrics in zip(nested, performance, strict=True)
            ]
        return Detail(nested=jsonable(nested))
    return Detail(nested=_simulation_states(envs))


def read_raw(envs: Environments) -> RawColumns | None:
    """What the columns are computed from, where the VecEnv tells that apart; to be copied at once."""
    raw_detail = getattr(envs.inner, "raw_detail", None)
    raw = None if raw_detail is None else raw_detail()
    # What the training script itself defines, no other process can import.
    return raw if isinstance(raw, RawColumns) and not raw.derive.startswith("__main__") else None


def _simulation_states(envs: Environments) -> list[dict[str, Any]] | None:
    robots = envs.local
    if robots is None or not all(hasattr(env, "model") and hasattr(env, "data") for env in robots):
        return None
    states = []
    for env in robots:
        model, data = env.model, env.data  # type: ignore[attr-defined]
        if not hasattr(model, "jnt_type") or not hasattr(data, "qpos"):
            return None
        states.append(
            {"robot_state": robot_state(model, data), "simulation_time": float(data.time)}
        )
    return states


def tells_of_success(detail: Detail) -> bool:
    """Whether the environments count successes, so that none so far is a fact."""
    if detail.nested:
        return "success_count" in detail.nested[0].get("episode_info", {})
    return "episode_info.success_count" in detail.columns


def seen_columns(observation: Any, actions: Any, num_envs: int) -> dict[str, Any]:
    """What the learner sees of any environment: its last observation and action."""
    columns: dict[str, Any] = {}
    parts = (
        {f"observation.{key}": part for key, part in observation.items()}
        if isinstance(observation, dict)
        else {"observation": observation}
    )
    parts["action_info.last_action"] = actions
    for key, part in parts.items():
        if not isinstance(part, np.ndarray) or len(part) != num_envs:
            continue
        if part.size <= _LARGEST_OBSERVATION * num_envs:
            columns[key] = part
    return columns


def read_environment(envs: Environments) -> dict[str, Any]:
    """The settings of the environment, the same for all: `environment_summary` of a record."""
    known: dict[str, Any] = {
        "environment_class": envs.class_name(),
        "observation_space": text_of(envs.inner.observation_space),
        "action_space": text_of(envs.inner.action_space),
    }
    for name in ("frame_skip", "dt", "metadata", "ctrl_type", "biped"):
        values = envs.get(name)
        if values is not None:
            known[name] = jsonable(values[0])
    spec = envs.get("spec")
    if spec is not None and spec[0] is not None:
        known["environment_id"] = spec[0].id
        if spec[0].max_episode_steps is not None:
            known["max_episode_steps"] = spec[0].max_episode_steps
            if isinstance(known.get("dt"), float):
                known["max_episode_time_sec"] = spec[0].max_episode_steps * known["dt"]
    told = envs.call("get_environment_summary", only=0)
    if told is not None:
        known.update(jsonable(told[0]))
    return {key: value for key, value in known.items() if value is not None}
