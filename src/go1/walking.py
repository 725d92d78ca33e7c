"""The task of walking on four legs: a trot at the commanded velocity."""

from __future__ import annotations

from go1.gait import TROT
from go1.presets import STANCE
from go1.task import Task

_COSTS = {
    "vertical_velocity": 0.5,
    "roll_pitch_rate": 0.05,
    "orientation": 2.0,
    "torque": 2e-4,
    "action_rate": 0.01,
    "joint_limits": 1.0,
}

WALKING = Task(
    joints=STANCE,
    height=0.27,
    quat=(1.0, 0.0, 0.0, 0.0),
    axes=(0, 1, 2),
    signs=(1.0, 1.0, 1.0),
    feet=(0, 1, 2, 3),
    gait_offsets=tuple(TROT),
    pose_stiffness=(1.0, 0.3, 0.1) * 4,
    action_scale={"position": 0.3, "torque": 0.2},
    rewards={
        # more progress against gait walks sooner, but shuffles: feet lift by 3 cm instead of 5
        "position": {
            "progress": 0.5,
            "velocity_tracking": 2.5,
            "yaw_tracking": 0.5,
            "gait": 3.0,
            "pose": 0.5,
        },
        # with less progress against gait, torque control learns to trot on the spot
        "torque": {
            "progress": 3.0,
            "velocity_tracking": 1.0,
            "yaw_tracking": 0.5,
            "gait": 1.0,
            "pose": 0.5,
        },
    },
    costs={"position": _COSTS, "torque": _COSTS},
    min_up=0.5,
    healthy_z_range=(0.14, 0.65),
    healthy_pitch_range=(-1.047, 1.047),
    healthy_roll_range=(-1.047, 1.047),
)
