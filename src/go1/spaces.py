"""What goes into an environment and comes out: spaces, scales and ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from go1 import observation
from go1.config import Go1Config
from go1.core import MAX_ACTION
from go1.robot import NUM_JOINTS
from go1.task import VELOCITY_SIGMA

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Interface:
    """An environment's two spaces, and the numbers a reader of its records wants beside them."""

    observation_space: gym.spaces.Box
    action_space: gym.spaces.Box
    obs_scale: Mapping[str, float]
    clip_obs_threshold: float
    tracking_velocity_sigma: float
    """Squared error of velocity, m²/s², at which tracking it earns 1/e."""
    command_low: Triple
    """Least command: ahead, sideways (m/s), turning (rad/s) …"""
    command_high: Triple
    """… and greatest."""
    reset_noise_scale: float


def batched_interface(config: Go1Config) -> Interface:
    """Of the batched robots, physics "full" and "fast"."""
    ahead, sideways, turning = config.command_forward, config.command_sideways, config.command_yaw
    return Interface(
        observation_space=gym.spaces.Box(**observation.space_bounds()),
        action_space=gym.spaces.Box(-MAX_ACTION, MAX_ACTION, (NUM_JOINTS,), np.float32),
        obs_scale=observation.OBS_SCALE,
        clip_obs_threshold=observation.LIMIT,
        tracking_velocity_sigma=VELOCITY_SIGMA,
        command_low=(ahead[0], sideways[0], turning[0]),
        command_high=(ahead[1], sideways[1], turning[1]),
        reset_noise_scale=config.reset_noise_scale,
    )
