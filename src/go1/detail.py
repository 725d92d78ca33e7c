"""What the robots are and do, read for the records: arrays of now, detail in columns, a summary.

Arrays are what a recorder copies while training waits; the columns that records promise are
computed from them, here or in another process (`go1.detail_columns`).
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from go1.core import Go1Core
from go1.detail_columns import WEIGHTS, Columns, derive
from go1.model import TRUNK_NAME, model_hash
from go1.robot import LEG_NAMES
from go1.spaces import Interface, batched_interface
from go1.upstream import UpstreamCore
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.columns import RawColumns

Robots = Go1Core | UpstreamCore
_KNOWN_CONSTANTS: WeakKeyDictionary[Robots, dict[str, Any]] = WeakKeyDictionary()
Ids = NDArray[np.intp]


def raw_detail(core: Robots) -> RawColumns:
    """What the detail of all robots is computed from, live: [num_envs, …], not copied."""
    motion = core.motion
    arrays: dict[str, NDArray[Any]] = {
        "episode_info.episode_count": core.episode_count,
        "episode_info.success_count": core.success_count,
        "step_count": core.step_count,
        "qpos": core.qpos,
        "qvel": core.qvel,
        "qacc": motion.qacc,
        "reward_info.current_episode_reward": core.episode_return,
        "reward_info.current_episode_length": core.episode_length,
        "env_config.rand_power": core.rand_power,
        "env_config.action_noise_scale": core.action_noise,
        "env_config.desired_velocity": core.command,
        "contact_info.feet_contact_forces": motion.foot_force,
        "contact_info.feet_air_time": motion.feet_air_time,
        "contact_info.last_contacts": motion.last_contacts,
        "up": motion.up,
        "time_flipped_over": core.time_flipped_over,
        "balance_history": core.balance_history,
        "step_rewards": core.step_rewards,
        "step_costs": core.step_costs,
        "action_info.last_action": core.action,
        "action_info.last_feet_contact_forces": motion.last_foot_force,
        "simulation_time": core.time,
    }
    if isinstance(core, UpstreamCore):
        arrays["is_healthy"] = core.is_healthy  # judged by a rule of its own
    return RawColumns(arrays, "go1.detail_columns:derive", _constants(core), _settings(core))


def detailed_info_columns(
    core: Robots, ids: Ids | None = None, *, clock: Clock = SYSTEM_CLOCK
) -> Columns:
    """Detail of the robots `ids`, or of all, as they are now; copies."""
    raw, rows = raw_detail(core), np.arange(core.num_envs) if ids is None else ids
    arrays = {path: array[rows] for path, array in raw.arrays.items()}
    constants: Columns = {path: [value] * len(rows) for path, value in raw.constants.items()}
    times = np.full(len(rows), clock.unix_s())
    return constants | derive(arrays, raw.constants, raw.settings, times)


def environment_summary(core: Robots, *, clock: Clock = SYSTEM_CLOCK) -> dict[str, Any]:
    """What all robots have in common: settings, spaces, the model. Plain values."""
    model = core.model
    interface = interface_of(core)
    return {
        "environment_class": "Go1MujocoEnv",
        "ctrl_type": core.config.ctrl_type,
        "biped": core.config.biped,
        "physics": core.config.physics,
        "frame_skip": core.frame_skip,
        "dt": core.dt,
        "timestep": float(model.opt.timestep),
        "model_hash": model_hash(model),
        "observation_space": _describe_box(interface.observation_space),
        "action_space": _describe_box(interface.action_space),
        "metadata": {"render_modes": ["rgb_array"], "render_fps": round(1 / core.dt)},
        "max_episode_time_sec": core.max_steps * core.dt,
        "max_steps": core.max_steps,
        "reset_noise_scale": interface.reset_noise_scale,
        "clip_obs_threshold": interface.clip_obs_threshold,
        "tracking_velocity_sigma": interface.tracking_velocity_sigma,
        "desired_velocity_min": list(interface.command_low),
        "desired_velocity_max": list(interface.command_high),
        "obs_scale": dict(interface.obs_scale),
        "gravity_vector": model.opt.gravity.tolist(),
        "default_joint_position": list(core.task.joints),
        "feet_site_names": list(LEG_NAMES),
        "main_body_id": int(model.body(TRUNK_NAME).id),
        "total_mass_kg": float(model.body_mass.sum()),
        "timestamp": clock.unix_s(),
    }


def interface_of(core: Robots) -> Interface:
    """What goes into the environment and comes out of it."""
    return core.interface if isinstance(core, UpstreamCore) else batched_interface(core.config)


def _constants(core: Robots) -> dict[str, Any]:
    """What never changes and is the same for all robots, by path; made once for each core."""
    known = _KNOWN_CONSTANTS.get(core)
    if known is None:
        config, task, terms = core.config, core.task, core.terms
        known = {
            "env_config.ctrl_type": config.ctrl_type,
            "env_config.biped": config.biped,
            "env_config.frame_skip": core.frame_skip,
            "env_config.dt": core.dt,
            "env_config.healthy_z_range": _listed(task.healthy_z_range),
            "env_config.healthy_pitch_range": _listed(task.healthy_pitch_range),
            "env_config.healthy_roll_range": _listed(task.healthy_roll_range),
        }
        for at, weights in zip(WEIGHTS, (terms.reward_weights, terms.cost_weights), strict=True):
            known |= {f"{at}{name}": float(weight) for name, weight in weights.items()}
        _KNOWN_CONSTANTS[core] = known
    return known


def _settings(core: Robots) -> dict[str, Any]:
    """The task's frame in the trunk's, how upright counts as healthy there, the longest episode."""
    if isinstance(core, UpstreamCore):
        return {"axes": [0, 1, 2], "signs": [1.0, 1.0, 1.0], "max_steps": core.max_steps}
    task = core.task
    return {
        "axes": list(task.axes),
        "signs": list(task.signs),
        "min_up": task.min_up,
        "max_steps": core.max_steps,
    }


def _listed(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]


def _describe_box(space: Any) -> dict[str, Any]:
    """A Box in JSON; bounds as one number where they are all alike, infinite ones as None."""

    def bound(values: NDArray[Any]) -> Any:
        plain = [float(v) if np.isfinite(v) else None for v in np.unique(values)]
        return plain[0] if len(plain) == 1 else np.asarray(values, float).tolist()

    return {
        "type": "Box",
        "shape": list(space.shape),
        "dtype": str(space.dtype),
        "low": bound(space.low),
        "high": bound(space.high),
    }
