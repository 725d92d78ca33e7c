"""Physics presets: the same robot simulated for parity, for faithfulness or for speed.

    upstream   as the public environment nimazareian/quadruped-rl-locomotion simulates it
    full       every link against the floor, a fast solver, motors as on the real robot
    fast       full, with nothing but the feet colliding

`full` and `fast` differ in nothing but what collides, so a policy moves between them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

import mujoco

from go1.checks import check_choice
from go1.robot import JOINTS, LEGS, Vec3

STANCE = (0.0, 0.9, -1.8) * len(LEGS)
"""Standing joint angles, feet below the hips."""


class Collisions(Enum):
    """Which pairs of geoms may touch."""

    ALL = "every link against the floor and against other links"
    FLOOR = "every link against the floor"
    FEET = "the feet against the floor"


@dataclass(frozen=True)
class Preset:
    """One way to simulate one kind of control. Triples are per joint: hip, thigh, calf."""

    timestep: float
    frame_skip: int
    integrator: mujoco.mjtIntegrator
    solver: mujoco.mjtSolver
    iterations: int
    cone: mujoco.mjtCone
    impratio: float

    collisions: Collisions
    foot_friction: Vec3
    foot_condim: int
    foot_solimp: Vec3
    link_friction: float
    link_condim: int
    contact_margin: float

    armature: Vec3
    damping: Vec3
    frictionloss: float
    kp: float | None
    """Proportional gain of position control, N·m/rad; None where actions are torques."""
    kd: float | None
    torque_limit: Vec3
    """Largest torque of position control; torque per unit of control in torque control."""
    targets_limited: bool
    """Whether targets of position control are clipped to the joints' ranges."""

    home_height: float
    home_joints: tuple[float, ...]
    home_ctrl: tuple[float, ...]


_TORQUE_LIMIT: Vec3 = (JOINTS[0].torque_limit, JOINTS[1].torque_limit, JOINTS[2].torque_limit)
_ARMATURE: Vec3 = (JOINTS[0].rotor_armature, JOINTS[1].rotor_armature, JOINTS[2].rotor_armature)
_UPSTREAM_STANCE = (0.0, 0.8, -1.5) * 2 + (0.0, 1.0, -1.5) * 2
_NO_CTRL = (0.0,) * len(STANCE)

_UPSTREAM = Preset(
    timestep=0.002,
    frame_skip=10,
    integrator=mujoco.mjtIntegrator.mjINT_EULER,
    solver=mujoco.mjtSolver.mjSOL_NEWTON,
    iterations=100,
    cone=mujoco.mjtCone.mjCONE_ELLIPTIC,
    impratio=100.0,
    collisions=Collisions.ALL,
    foot_friction=(0.6, 0.02, 0.01),
    foot_condim=6,
    foot_solimp=(0.015, 1.0, 0.031),
    link_friction=1.0,
    link_condim=3,
    contact_margin=0.0,
    armature=(0.01, 0.01, 0.01),
    damping=(1.0, 1.0, 1.0),
    frictionloss=0.1,
    kp=20.0,
    kd=1.0,
    torque_limit=_TORQUE_LIMIT,
    targets_limited=True,
    home_height=0.35,
    home_joints=_UPSTREAM_STANCE,
    home_ctrl=_UPSTREAM_STANCE,
)

_FULL = Preset(
    timestep=0.005,
    frame_skip=4,
    integrator=mujoco.mjtIntegrator.mjINT_IMPLICITFAST,
    solver=mujoco.mjtSolver.mjSOL_PGS,
    iterations=5,
    cone=mujoco.mjtCone.mjCONE_PYRAMIDAL,
    impratio=1.0,
    collisions=Collisions.FLOOR,
    foot_friction=(0.6, 0.02, 0.01),
    foot_condim=3,
    foot_solimp=(0.9, 0.95, 0.001),
    link_friction=0.6,
    link_condim=1,  # sliding links slow nobody down: one constraint per contact instead of four
    contact_margin=0.0,
    armature=_ARMATURE,
    damping=(0.05, 0.05, 0.05),
    frictionloss=0.0,
    kp=35.0,
    kd=0.5,
    torque_limit=_TORQUE_LIMIT,
    targets_limited=False,
    home_height=0.29,
    home_joints=STANCE,
    home_ctrl=STANCE,
)

_FULL_TORQUE = replace(_FULL, damping=(1.0, 1.0, 1.0), kp=None, kd=None, home_ctrl=_NO_CTRL)

PRESETS: dict[tuple[str, str], Preset] = {
    ("upstream", "position"): _UPSTREAM,
    ("upstream", "torque"): replace(
        _UPSTREAM,
        foot_friction=(2.0, 0.02, 0.01),
        link_friction=0.6,
        link_condim=1,
        contact_margin=0.001,
        damping=(1.0, 2.0, 2.0),
        frictionloss=0.2,
        kp=None,
        kd=None,
        torque_limit=(23.0, 23.0, 35.0),
        home_height=0.30,
        home_joints=STANCE,
        home_ctrl=_NO_CTRL,
    ),
    ("full", "position"): _FULL,
    ("full", "torque"): _FULL_TORQUE,
    ("fast", "position"): replace(_FULL, collisions=Collisions.FEET),
    ("fast", "torque"): replace(_FULL_TORQUE, collisions=Collisions.FEET),
}
PHYSICS = ("upstream", "full", "fast")
CTRL_TYPES = ("position", "torque")


def preset(ctrl_type: str, physics: str = "full") -> Preset:
    """The preset of that name.

    Raises:
        ValueError: One of the names is unknown; the message lists the known ones.
    """
    check_choice("ctrl_type", ctrl_type, CTRL_TYPES)
    check_choice("physics", physics, PHYSICS)
    return PRESETS[physics, ctrl_type]
