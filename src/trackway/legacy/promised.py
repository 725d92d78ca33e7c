"""What every record of a Go1 promises: its keys, and what stands under them.

A promise is a dict of promises by key; a type; a list `[type, n]`, of n of them (`[type]`: of any
number); or `SOME`: anything but null, an empty object or an empty word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Promise = Any
SOME = object()

_PROGRAMS = ("python", "trackway", "stable-baselines3", "torch", "mujoco", "gymnasium", "numpy")

_PERFORMANCE: Promise = {
    "episode_progress": float,
    "current_step": int,
    "max_steps": int,
    "reward_components": SOME,
    "cost_components": SOME,
    "stability_score": float,
    "is_healthy": bool,
    "is_flipped_over": bool,
    "curriculum_factor": float,
    "timestamp": float,
}
DETAIL: Promise = {
    "episode_info": {
        "episode_count": int,
        "success_count": int,
        "success_rate": float,
        "current_step": int,
        "max_episode_time": float,
        "time_remaining": float,
    },
    "robot_state": {
        "position": {"x": float, "y": float, "z": float, "distance_from_origin": float},
        "orientation": {"quaternion": [float, 4], "euler": [float, 3]},
        "velocity": {"linear": [float, 3], "angular": [float, 3], "joint": [float, 12]},
        "joint_positions": [float, 12],
        "joint_velocities": [float, 12],
        "joint_accelerations": [float, 12],
    },
    "reward_info": {
        "current_episode_reward": float,
        "current_episode_length": int,
        "reward_weights": SOME,
        "cost_weights": SOME,
    },
    "env_config": {
        "ctrl_type": str,
        "biped": bool,
        "rand_power": float,
        "action_noise_scale": float,
        "frame_skip": int,
        "dt": float,
        "curriculum_factor": float,
        "desired_velocity": [float, 3],
        "healthy_z_range": [float, 2],
        "healthy_pitch_range": [float, 2],
        "healthy_roll_range": [float, 2],
    },
    "contact_info": {
        "feet_contact_forces": [float, 4],
        "front_feet_contact_forces": [float, 2],
        "feet_air_time": [float, 4],
        "last_contacts": [bool, 4],
    },
    "stability_metrics": {
        "is_healthy": bool,
        "is_flipped_over": bool,
        "time_flipped_over": float,
        "trunk_up_alignment": float,
        "projected_gravity": [float, 3],
        "balance_history": [float],
    },
    "action_info": {"last_action": [float, 12], "last_feet_contact_forces": [float, 4]},
    "performance_metrics": _PERFORMANCE,
    "timestamp": float,
    "simulation_time": float,
}
SNAPSHOT: Promise = {
    "record": str,
    "timestep": int,
    "env_id": int,
    "episode_count": int,
    "success_count": int,
    "success_rate": float,
    "timestamp": float,
    "detailed_info": DETAIL,
    "performance_metrics": _PERFORMANCE,
}
EPISODE: Promise = SNAPSHOT | {
    "episode_return": float,
    "episode_length": int,
    "termination_reason": str,
    "reward_components": SOME,
    "cost_components": SOME,
}
ENVIRONMENT_SUMMARY: Promise = {
    "environment_class": str,
    "ctrl_type": str,
    "biped": bool,
    "frame_skip": int,
    "dt": float,
    "model_hash": str,
    "observation_space": SOME,
    "action_space": SOME,
    "metadata": SOME,
    "max_episode_time_sec": float,
    "reset_noise_scale": float,
    "clip_obs_threshold": float,
    "tracking_velocity_sigma": float,
    "desired_velocity_min": [float, 3],
    "desired_velocity_max": [float, 3],
    "obs_scale": SOME,
    "gravity_vector": [float, 3],
    "default_joint_position": [float, 12],
    "feet_site_names": [str, 4],
    "main_body_id": int,
    "timestamp": float,
}
ENVIRONMENT_STATE: Promise = {
    "timestep": int,
    "timestamp": float,
    "num_envs": int,
    "frame_skip": int,
    "rand_power": [float],
    "environment_summary": ENVIRONMENT_SUMMARY,
}
LEARNING_METRICS: Promise = {
    # of any moment; what needs an update, an episode or a curriculum is null before the first one
    "timestep": int,
    "timestamp": float,
    "total_timesteps": int,
    "planned_total_timesteps": int,
    "training_progress": float,
    "learning_starts": int,
    "train_freq": SOME,
    "policy_type": str,
    "policy_device": str,
    "policy_learning_rate": float,
    "optimizer_type": str,
    "optimizer_lr": float,
    "recent_episodes_count": int,
    "curriculum_rand_power_avg": float,
    "memory_usage_mb": float,
    "cpu_percent": float,
    "steps_per_second": float,
}
LAST_LEARNING_METRICS: Promise = LEARNING_METRICS | {
    "recent_success_rate_avg": float,
    "recent_success_rate_std": float,
    "recent_episode_return_mean": float,
    "recent_episode_length_mean": float,
    "curriculum_progress": float,
    "reward_components": SOME,
    "cost_components": SOME,
    "loss": float,
    "policy_gradient_loss": float,
    "value_loss": float,
    "entropy_loss": float,
    "approx_kl": float,
    "clip_fraction": float,
    "explained_variance": float,
    "std": float,
    "gradient_norm": float,
    "n_updates": int,
}
CHECKPOINT: Promise = {
    "timestep": int,
    "timestamp": float,
    "model_info": {
        "model_type": str,
        "policy_type": str,
        "learning_rate": SOME,
        "policy_architecture": SOME,
    },
    "training_info": {"total_timesteps": int, "learning_starts": int, "train_freq": SOME},
    "environment_info": {"num_envs": int, "observation_space": SOME, "action_space": SOME},
    "recovery_info": {
        "checkpoint_time": float,
        "can_resume": bool,
        "resume_instructions": str,
        "model_path": str,
        "exact": SOME,
    },
    "compatibility": {
        "versions": dict.fromkeys(_PROGRAMS, str),
        "platform": str,
        "model_file_format": str,
        "sha256": str,
    },
}


def broken(record: Any, promise: Promise, at: str = "") -> Iterator[str]:
    """What of a promise a record does not hold, a few words each; nothing where it holds all."""
    if promise is SOME:
        if record is None or record in ({}, [], ""):
            yield f"{at} is {record!r}"
    elif isinstance(promise, Mapping):
        if not isinstance(record, Mapping):
            yield f"{at or 'the record'} is no object"
            return
        for key, under in promise.items():
            path = f"{at}.{key}" if at else key
            if key in record:
                yield from broken(record[key], under, path)
            else:
                yield f"{path} is missing"
    elif isinstance(promise, list):
        kind, *number = promise
        if not isinstance(record, list) or number not in ([], [len(record)]):
            yield f"{at} is no list" + (f" of {number[0]}" if number else "")
        else:
            for value in record:
                yield from broken(value, kind, at)
    elif record == "" or not (type(record) is promise or (promise, type(record)) == (float, int)):
        yield f"{at} is {record!r}"
