"""What a robot is asked to do: a posture, weighted terms, and when it has failed.

A task is data. Its frame is the trunk's, turned so that z points up and x ahead when the robot
stands as it should: on the hind legs the trunk's x points up, and the belly looks ahead. All terms
and observations speak of that frame, so both tasks share them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from go1 import rewards
from go1.robot import JOINTS, LEGS

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REWARD_SCALE = 0.05
"""Applied to every weight: keeps discounted returns, which the critic must learn, of order one."""
VELOCITY_SIGMA = 0.15
"""Squared error of velocity, m²/s², at which tracking it earns 1/e."""
_SOFT_LIMIT = 0.9
_RANGE = np.array([joint.range for joint in JOINTS] * len(LEGS))
_SOFT_LOWER = _RANGE.mean(axis=1) - _SOFT_LIMIT * np.ptp(_RANGE, axis=1) / 2
_SOFT_UPPER = _RANGE.mean(axis=1) + _SOFT_LIMIT * np.ptp(_RANGE, axis=1) / 2


@dataclass(frozen=True)
class Task:
    """A posture to stand in and what is rewarded about moving in it."""

    joints: tuple[float, ...]
    """Stance, [12] rad: what actions are relative to."""
    height: float
    """Of the trunk at an episode's start, m."""
    quat: tuple[float, float, float, float]
    """Of the trunk at an episode's start."""
    axes: tuple[int, int, int]
    """Which axis of the trunk is the task's x, y, z …"""
    signs: tuple[float, float, float]
    """… and whether it is turned round."""
    feet: tuple[int, ...]
    """Those that walk; indices into FR, FL, RR, RL."""
    gait_offsets: tuple[float, ...]
    """Their phases, in turns."""
    pose_stiffness: tuple[float, ...]
    action_scale: Mapping[str, float]
    """By ctrl_type: rad about the stance, or a fraction of the torque limit."""
    rewards: Mapping[str, Mapping[str, float]]
    """By ctrl_type, weights of the terms that are added …"""
    costs: Mapping[str, Mapping[str, float]]
    """… and of those that are subtracted."""
    min_up: float
    """Cosine of the tilt, below which the robot has fallen."""
    healthy_z_range: tuple[float, float]
    healthy_pitch_range: tuple[float, float]
    healthy_roll_range: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Step:
    """One action's outcome in the task's frame, arrays [N, …]; what the terms look at."""

    velocity: Floats
    gyro: Floats
    up: Floats
    command: Floats
    joints: Floats
    action: Floats
    last_action: Floats
    torque: Floats
    foot_height: Floats
    foot_target: Floats
    foot_speed: Floats
    foot_swings: Bools
    front_contact: Bools
    stance: Floats
    pose_stiffness: Floats


Term = Callable[[Step], Floats]

TERMS: dict[str, Term] = {
    "progress": lambda s: rewards.progress(s.velocity, s.command),
    "velocity_tracking": lambda s: rewards.velocity_tracking(s.velocity, s.command, VELOCITY_SIGMA),
    "yaw_tracking": lambda s: rewards.yaw_tracking(s.gyro[:, 2], s.command, sigma=0.25),
    "gait": lambda s: rewards.gait(s.foot_height, s.foot_target, s.foot_speed, s.foot_swings),
    "pose": lambda s: rewards.pose(s.joints, s.stance, s.pose_stiffness),
    "upright": lambda s: rewards.upright(s.up),
    "orientation": lambda s: rewards.orientation(s.up),
    "vertical_velocity": lambda s: rewards.vertical_velocity(s.velocity),
    "roll_pitch_rate": lambda s: rewards.roll_pitch_rate(s.gyro),
    "torque": lambda s: rewards.torque(s.torque),
    "action_rate": lambda s: rewards.action_rate(s.action, s.last_action),
    "joint_limits": lambda s: rewards.joint_limits(s.joints, _SOFT_LOWER, _SOFT_UPPER),
    "front_contact": lambda s: rewards.front_contact(s.front_contact),
}


class WeightedTerms:
    """The terms of a task with their weights, evaluated together.

    Attributes:
        reward_weights, cost_weights: As applied, scale included, by name.
    """

    def __init__(self, task: Task, ctrl_type: str, overrides: Mapping[str, float]) -> None:
        gains, costs = dict(task.rewards[ctrl_type]), dict(task.costs[ctrl_type])
        for name, weight in overrides.items():
            if name in gains:
                gains[name] = weight
            elif name in costs:
                costs[name] = weight
            else:
                raise ValueError(
                    f"{name!r} is no reward of this task; known: {', '.join([*gains, *costs])}"
                )
        self.reward_weights = {name: weight * REWARD_SCALE for name, weight in gains.items()}
        self.cost_weights = {name: weight * REWARD_SCALE for name, weight in costs.items()}

    def evaluate(self, step: Step, rewards: Floats, costs: Floats) -> None:
        """Fill `rewards` [N, terms] and `costs` [N, terms] with weighted terms of one action."""
        for weights, out in ((self.reward_weights, rewards), (self.cost_weights, costs)):
            for i, (name, weight) in enumerate(weights.items()):
                if weight:
                    np.multiply(TERMS[name](step), weight, out=out[:, i])
