"""The task of standing and walking on the hind legs, front feet in the air.

An episode starts reared: trunk upright, hind feet below the centre of mass. Success is a whole
episode without a front foot touching the floor.
"""

from __future__ import annotations

import math

from go1.gait import ALTERNATING
from go1.task import Task

_REAR = (0.0, 2.16, -1.2)  # with these the centre of mass stands above the hind feet (±1 mm)
_FRONT = (0.0, 0.9, -1.8)

_REWARDS = {
    "upright": 1.0,
    "progress": 0.5,
    "velocity_tracking": 1.0,
    "yaw_tracking": 1.0,
    "gait": 1.5,  # with .5 it stands and shuffles
    "pose": 0.5,
}
_COSTS = {
    "vertical_velocity": 0.2,
    "roll_pitch_rate": 0.05,
    "orientation": 1.0,
    "torque": 2e-4,
    "action_rate": 0.01,
    "joint_limits": 1.0,
    "front_contact": 2.0,
}

BIPED = Task(
    joints=_FRONT * 2 + _REAR * 2,
    height=0.565,
    quat=(math.sqrt(0.5), 0.0, -math.sqrt(0.5), 0.0),
    axes=(2, 1, 0),  # ahead is where the belly looks, up is where the nose points
    signs=(-1.0, 1.0, 1.0),
    feet=(2, 3),
    gait_offsets=tuple(ALTERNATING),
    pose_stiffness=(1.0, 0.3, 0.1) * 4,
    action_scale={"position": 0.3, "torque": 0.2},
    rewards={"position": _REWARDS, "torque": _REWARDS},
    costs={"position": _COSTS, "torque": _COSTS},
    min_up=0.5,
    healthy_z_range=(0.3, 0.8),
    healthy_pitch_range=(-2.618, -0.524),
    healthy_roll_range=(-1.047, 1.047),
)
