"""From the robots' arrays to the columns of their detail; numpy alone, for any process to run.

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

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from go1.rotation import euler_from_quat

Arrays = Mapping[str, NDArray[Any]]
Columns = dict[str, "NDArray[Any] | list[Any]"]
Floats = NDArray[np.float64]

WEIGHTS = ("reward_info.reward_weights.", "reward_info.cost_weights.")
"""Where constants hold the terms' weights, in the order of `step_rewards` and `step_costs`."""


def derive(
    arrays: Arrays, constants: Mapping[str, Any], settings: Mapping[str, Any], unix_s: Floats
) -> Columns:
    """Everything about the robots that changes, as columns with a row for each.

    Args:
        arrays: As `go1.detail.raw_detail` names them; those with a path for a name are columns.
        constants: What never changes, by path.
        settings: The task's frame: `axes` and `signs`; `min_up`, unless `is_healthy` is given;
            `max_steps` of an episode that is not begun in its middle.
        unix_s: When each row was taken, [rows].
    """
    stability = _stability(arrays, constants, settings)
    return {
        **_episode(arrays, constants, settings),
        **_robot_state(arrays),
        **_given(arrays, "reward_info"),
        **_settings(arrays),
        **_contacts(arrays),
        **stability,
        **_performance(arrays, constants, settings, stability, unix_s),
        **_given(arrays, "action_info"),
        "timestamp": unix_s,
        "simulation_time": arrays["simulation_time"].reshape(-1),
    }


def _given(arrays: Arrays, section: str) -> Columns:
    return {path: array for path, array in arrays.items() if path.startswith(f"{section}.")}


def _longest(arrays: Arrays, settings: Mapping[str, Any]) -> NDArray[Any]:
    """Steps that each episode may take: a first one, if starts are staggered, fewer than the others."""
    skipped = arrays["step_count"] - arrays["reward_info.current_episode_length"]
    return np.asarray(settings["max_steps"] - skipped)


def _episode(arrays: Arrays, constants: Mapping[str, Any], settings: Mapping[str, Any]) -> Columns:
    count, successes = arrays["episode_info.episode_count"], arrays["episode_info.success_count"]
    steps, dt = arrays["reward_info.current_episode_length"], constants["env_config.dt"]
    longest = _longest(arrays, settings)
    return {
        "episode_info.episode_count": count,
        "episode_info.success_count": successes,
        "episode_info.success_rate": successes / np.maximum(count, 1),
        "episode_info.current_step": steps,
        "episode_info.max_episode_time": longest * dt,
        "episode_info.time_remaining": (longest - steps) * dt,
    }


def _robot_state(arrays: Arrays) -> Columns:
    qpos, qvel = arrays["qpos"], arrays["qvel"]
    where = "robot_state.position"
    return {
        f"{where}.x": qpos[:, 0],
        f"{where}.y": qpos[:, 1],
        f"{where}.z": qpos[:, 2],
        f"{where}.distance_from_origin": np.hypot(qpos[:, 0], qpos[:, 1]),
        "robot_state.orientation.quaternion": qpos[:, 3:7],
        "robot_state.orientation.euler": euler_from_quat(qpos[:, 3:7]),
        "robot_state.velocity.linear": qvel[:, :3],
        "robot_state.velocity.angular": qvel[:, 3:6],
        "robot_state.velocity.joint": qvel[:, 6:],
        "robot_state.joint_positions": qpos[:, 7:],
        "robot_state.joint_velocities": qvel[:, 6:],
        "robot_state.joint_accelerations": arrays["qacc"][:, 6:],
    }


def _settings(arrays: Arrays) -> Columns:
    power = arrays["env_config.rand_power"]
    return {
        "env_config.rand_power": power,
        "env_config.action_noise_scale": arrays["env_config.action_noise_scale"],
        "env_config.curriculum_factor": 1.0 - power,
        "env_config.desired_velocity": arrays["env_config.desired_velocity"],
    }


def _contacts(arrays: Arrays) -> Columns:
    force = arrays["contact_info.feet_contact_forces"]
    return {
        "contact_info.feet_contact_forces": force,
        "contact_info.front_feet_contact_forces": force[:, :2],
        "contact_info.feet_air_time": arrays["contact_info.feet_air_time"],
        "contact_info.last_contacts": arrays["contact_info.last_contacts"],
    }


def _stability(
    arrays: Arrays, constants: Mapping[str, Any], settings: Mapping[str, Any]
) -> Columns:
    up, history = arrays["up"], arrays["balance_history"]
    x, y, z = settings["axes"]
    up_z = up[:, z] * settings["signs"][2]
    healthy = arrays.get("is_healthy")
    if healthy is None:
        (low, high), height = constants["env_config.healthy_z_range"], arrays["qpos"][:, 2]
        healthy = (up_z >= settings["min_up"]) & (height >= low) & (height <= high)
    return {
        "stability_metrics.is_healthy": healthy,
        "stability_metrics.is_flipped_over": up[:, 2] < 0,
        "stability_metrics.time_flipped_over": arrays["time_flipped_over"],
        "stability_metrics.trunk_up_alignment": up[:, 2],
        "stability_metrics.projected_gravity": -up,
        "stability_metrics.balance_history": _known(
            history, arrays["reward_info.current_episode_length"]
        ),
        "stability_metrics.stability_score": stability(up_z, arrays["qvel"][:, [3 + x, 3 + y]]),
    }


def _known(history: NDArray[Any], lengths: NDArray[Any]) -> Any:
    """Rows hold their newest values last; an episode younger than the window fills only its end."""
    window = history.shape[1]
    known = np.minimum(lengths, window)
    if known.min(initial=window) == window:
        return history
    return [
        values[window - n :] for values, n in zip(history.tolist(), known.tolist(), strict=True)
    ]


def _performance(
    arrays: Arrays,
    constants: Mapping[str, Any],
    settings: Mapping[str, Any],
    stability: Columns,
    unix_s: Floats,
) -> Columns:
    steps, at = arrays["reward_info.current_episode_length"], "performance_metrics"
    longest = _longest(arrays, settings)
    names = [
        path.replace(weights, f"{at}.{kind}_components.")
        for kind, weights in zip(("reward", "cost"), WEIGHTS, strict=True)
        for path in constants
        if path.startswith(weights)
    ]
    terms = (*arrays["step_rewards"].T, *arrays["step_costs"].T)
    return {
        f"{at}.episode_progress": steps / longest,
        f"{at}.current_step": steps,
        f"{at}.max_steps": longest,
        **dict(zip(names, terms, strict=True)),
        **{
            f"{at}.{name}": stability[f"stability_metrics.{name}"]
            for name in ("stability_score", "is_healthy", "is_flipped_over")
        },
        f"{at}.curriculum_factor": 1.0 - arrays["env_config.rand_power"],
        f"{at}.timestamp": unix_s,
    }


def stability(up_z: Floats, tilt_rate: Floats) -> Floats:
    """1 for a level, quietly carried trunk, falling to 0 with tilt and roll or pitch rate, [N].

    max(up_z, 0) exp(-0.1 |tilt_rate|²), with `up_z` the cosine of the tilt, [N], and `tilt_rate`
    the roll and pitch rates in rad/s, [N, 2].
    """
    wobble = np.square(tilt_rate).sum(axis=1)
    return np.asarray(np.clip(up_z, 0.0, 1.0) * np.exp(-0.1 * wobble))
