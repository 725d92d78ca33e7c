"""What the robots are and do, in the records' words: detail per robot, and a summary of them all.

Detail comes as columns (`trackway.format.columns`): every key once, an array with a row per robot.
Nothing here is computed for the policy's sake, and nothing returned changes later.

    robot_state.velocity.linear     of the trunk, world frame, m/s
    robot_state.velocity.angular    of the trunk, its own frame, rad/s
    robot_state.orientation         quaternion (w, x, y, z); roll, pitch, yaw in rad
    contact_info                    order FR, FL, RR, RL; normal force of the floor in N
    stability_metrics               projected_gravity is gravity's direction in the trunk's frame,
                                    trunk_up_alignment the cosine of the trunk's tilt
    performance_metrics             *_components are the latest action's terms, weights applied;
                                    stability_score is 1 for a level, quiet trunk, 0 for a tilt of 90°:
                                    max(up_z, 0) · exp(-0.1 · (roll rate² + pitch rate²))

Quantities that MuJoCo derives (forces, accelerations) are of the last physics step, as after any
`mj_step`.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from go1.core import Go1Core
from go1.model import TRUNK_NAME, model_hash
from go1.robot import LEG_NAMES
from go1.rotation import euler_from_quat
from go1.spaces import Interface, batched_interface
from go1.upstream import UpstreamCore
from trackway.clock import SYSTEM_CLOCK, Clock

Robots = Go1Core | UpstreamCore
_KNOWN_CONSTANTS: WeakKeyDictionary[Robots, dict[str, NDArray[Any]]] = WeakKeyDictionary()
Ids = NDArray[np.intp]
Columns = dict[str, "NDArray[Any] | list[Any]"]


def detailed_info_columns(
    core: Robots, ids: Ids | None = None, *, clock: Clock = SYSTEM_CLOCK
) -> Columns:
    """Detail of the robots `ids`, or of all, as they are now."""
    rows = np.arange(core.num_envs) if ids is None else ids
    now_s = clock.unix_s()
    stability = _stability(core, rows)
    constant = _constants(core)
    if ids is not None:
        constant = {path: column[ids] for path, column in constant.items()}
    return {
        **constant,
        **_episode(core, rows),
        **_robot_state(core, rows),
        **_rewards(core, rows),
        **_settings(core, rows),
        **_contacts(core, rows),
        **stability,
        **_performance(core, rows, stability, now_s),
        "action_info.last_action": core.action[rows],
        "action_info.last_feet_contact_forces": core.motion.last_foot_force[rows],
        "timestamp": _same(rows, now_s),
        "simulation_time": core.time.reshape(-1)[rows],
    }


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


def _episode(core: Robots, rows: Ids) -> Columns:
    count, successes = core.episode_count[rows], core.success_count[rows]
    steps = core.step_count[rows]
    return {
        "episode_info.episode_count": count,
        "episode_info.success_count": successes,
        "episode_info.success_rate": successes / np.maximum(count, 1),
        "episode_info.current_step": steps,
        "episode_info.time_remaining": (core.max_steps - steps) * core.dt,
    }


def _robot_state(core: Robots, rows: Ids) -> Columns:
    qpos, qvel = core.qpos[rows], core.qvel[rows]
    where = "robot_state.position"
    return {
        f"{where}.x": qpos[:, 0].copy(),
        f"{where}.y": qpos[:, 1].copy(),
        f"{where}.z": qpos[:, 2].copy(),
        f"{where}.distance_from_origin": np.hypot(qpos[:, 0], qpos[:, 1]),
        "robot_state.orientation.quaternion": qpos[:, 3:7].copy(),
        "robot_state.orientation.euler": euler_from_quat(qpos[:, 3:7]),
        "robot_state.velocity.linear": qvel[:, :3].copy(),
        "robot_state.velocity.angular": qvel[:, 3:6].copy(),
        "robot_state.velocity.joint": qvel[:, 6:].copy(),
        "robot_state.joint_positions": qpos[:, 7:].copy(),
        "robot_state.joint_velocities": qvel[:, 6:].copy(),
        "robot_state.joint_accelerations": core.motion.qacc[rows, 6:],
    }


def _constants(core: Robots) -> dict[str, NDArray[Any]]:
    """What never changes, for all robots; made once for each core, as arrays nobody may write to."""
    known = _KNOWN_CONSTANTS.get(core)
    if known is None:
        config, task, terms = core.config, core.task, core.terms
        values: dict[str, Any] = {
            "episode_info.max_episode_time": core.max_steps * core.dt,
            "performance_metrics.max_steps": core.max_steps,
            "env_config.ctrl_type": config.ctrl_type,
            "env_config.biped": config.biped,
            "env_config.frame_skip": core.frame_skip,
            "env_config.dt": core.dt,
            "env_config.healthy_z_range": task.healthy_z_range,
            "env_config.healthy_pitch_range": task.healthy_pitch_range,
            "env_config.healthy_roll_range": task.healthy_roll_range,
        }
        for kind, weights in (("reward", terms.reward_weights), ("cost", terms.cost_weights)):
            values |= {f"reward_info.{kind}_weights.{name}": w for name, w in weights.items()}
        rows = np.arange(core.num_envs)
        known = {path: _same(rows, value) for path, value in values.items()}
        for column in known.values():
            column.flags.writeable = False
        _KNOWN_CONSTANTS[core] = known
    return known


def _rewards(core: Robots, rows: Ids) -> Columns:
    return {
        "reward_info.current_episode_reward": core.episode_return[rows],
        "reward_info.current_episode_length": core.episode_length[rows],
    }


def _settings(core: Robots, rows: Ids) -> Columns:
    return {
        "env_config.rand_power": core.rand_power[rows],
        "env_config.action_noise_scale": core.action_noise[rows],
        "env_config.curriculum_factor": core.curriculum_factor[rows],
        "env_config.desired_velocity": core.command[rows],
    }


def _contacts(core: Robots, rows: Ids) -> Columns:
    motion = core.motion
    force = motion.foot_force[rows]
    return {
        "contact_info.feet_contact_forces": force,
        "contact_info.front_feet_contact_forces": force[:, :2].copy(),
        "contact_info.feet_air_time": motion.feet_air_time[rows],
        "contact_info.last_contacts": motion.last_contacts[rows],
    }


def _stability(core: Robots, rows: Ids) -> Columns:
    up = core.motion.up[rows]
    # Rows hold their newest values last; an episode younger than the window fills only its end.
    window = core.balance_history.shape[1]
    known = np.minimum(core.episode_length[rows], window)
    history: Any = core.balance_history[rows]
    if known.min() < window:
        history = [
            values[window - n :] for values, n in zip(history.tolist(), known.tolist(), strict=True)
        ]
    return {
        "stability_metrics.is_healthy": core.is_healthy[rows],
        "stability_metrics.is_flipped_over": core.is_flipped_over[rows],
        "stability_metrics.time_flipped_over": core.time_flipped_over[rows],
        "stability_metrics.trunk_up_alignment": up[:, 2].copy(),
        "stability_metrics.projected_gravity": -up,
        "stability_metrics.balance_history": history,
        "stability_metrics.stability_score": core.stability_score[rows],
    }


def _performance(core: Robots, rows: Ids, stability: Columns, now_s: float) -> Columns:
    steps, terms = core.step_count[rows], core.terms
    # Transposed copies: their rows are the columns.
    gained, paid = core.step_rewards[rows].T.copy(), core.step_costs[rows].T.copy()
    at = "performance_metrics"
    return {
        f"{at}.episode_progress": steps / core.max_steps,
        f"{at}.current_step": steps,
        **{
            f"{at}.reward_components.{name}": column
            for name, column in zip(terms.reward_weights, gained, strict=True)
        },
        **{
            f"{at}.cost_components.{name}": column
            for name, column in zip(terms.cost_weights, paid, strict=True)
        },
        **{
            f"{at}.{name}": stability[f"stability_metrics.{name}"]
            for name in ("stability_score", "is_healthy", "is_flipped_over")
        },
        f"{at}.curriculum_factor": core.curriculum_factor[rows],
        f"{at}.timestamp": _same(rows, now_s),
    }


def _same(rows: Ids, value: Any) -> NDArray[Any]:
    """One value for every robot."""
    value = np.asarray(value)
    column = np.empty((len(rows), *value.shape), value.dtype)
    column[...] = value
    return column


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
