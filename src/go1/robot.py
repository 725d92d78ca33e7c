"""The Unitree Go1 in numbers: masses, inertias, lengths, limits. SI units, radians.

The numbers are the public Go1 description (unitree_ros, BSD-3-Clause), as also found in MuJoCo
Menagerie; see NOTICE. Legs are ordered FR, FL, RR, RL and each leg hip (abduction), thigh, calf.
The body frame has x forward, y to the left, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

Vec3 = tuple[float, float, float]
Quat = tuple[float, float, float, float]


@dataclass(frozen=True)
class Inertial:
    """Mass in kg, centre of mass, and the principal inertia with its frame (w, x, y, z)."""

    mass: float
    pos: Vec3
    quat: Quat
    inertia: Vec3


@dataclass(frozen=True)
class Joint:
    """A motor and its hinge: torque limit in N·m, rotor seen through `gear_ratio`."""

    name: str
    axis: Vec3
    range: tuple[float, float]
    torque_limit: float
    gear_ratio: float

    @property
    def rotor_armature(self) -> float:
        """Inertia of the rotor as the joint feels it, kg·m²."""
        return ROTOR_INERTIA * self.gear_ratio**2


@dataclass(frozen=True)
class Leg:
    """Where a leg sits: `front` is +1 or -1 along x, `left` is +1 or -1 along y."""

    name: str
    front: int
    left: int


LEGS = (Leg("FR", 1, -1), Leg("FL", 1, 1), Leg("RR", -1, -1), Leg("RL", -1, 1))
LEG_NAMES = tuple(leg.name for leg in LEGS)

ROTOR_INERTIA = 0.000111842
JOINTS = (
    Joint("hip", (1, 0, 0), (-0.863, 0.863), torque_limit=23.7, gear_ratio=6),
    Joint("thigh", (0, 1, 0), (-0.686, 4.501), torque_limit=23.7, gear_ratio=6),
    Joint("calf", (0, 1, 0), (-2.818, -0.888), torque_limit=35.55, gear_ratio=9),
)
JOINT_NAMES = tuple(f"{leg.name}_{joint.name}_joint" for leg in LEGS for joint in JOINTS)
NUM_JOINTS = len(JOINT_NAMES)

HIP_OFFSET = (0.1881, 0.04675)
"""From the trunk's origin to a hip, forward and sideways."""
THIGH_OFFSET = 0.08
"""From a hip sideways to the thigh's joint."""
LINK_LENGTH = 0.213
"""Of the thigh, and of the calf down to the foot's centre."""
FOOT_RADIUS = 0.023

TRUNK = Inertial(
    mass=5.204,
    pos=(0.0223, 0.002, -0.0005),
    quat=(-0.00342088, 0.705204, 0.000106698, 0.708996),
    inertia=(0.0716565, 0.0630105, 0.0168101),
)
_CALF = Inertial(
    mass=0.195862,
    pos=(0.00429862, 0.000976676, -0.146197),
    quat=(0.691246, 0.00357467, 0.00511118, 0.722592),
    inertia=(0.00149767, 0.00148468, 3.58427e-05),
)
_HIP_QUAT: dict[str, Quat] = {
    "FR": (0.507341, 0.514169, 0.495027, 0.482891),
    "FL": (0.482891, 0.495027, 0.514169, 0.507341),
    "RR": (0.495027, 0.482891, 0.507341, 0.514169),
    "RL": (0.514169, 0.507341, 0.482891, 0.495027),
}
_THIGH_QUAT: dict[int, Quat] = {
    -1: (0.65243, -0.0272313, 0.0775126, 0.753383),
    1: (0.753383, 0.0775126, -0.0272313, 0.65243),
}


def hip_inertial(leg: Leg) -> Inertial:
    return Inertial(
        mass=0.68,
        pos=(-0.0049166 * leg.front, -0.00762615 * leg.left, -8.865e-05),
        quat=_HIP_QUAT[leg.name],
        inertia=(0.000734064, 0.000468438, 0.000398719),
    )


def thigh_inertial(leg: Leg) -> Inertial:
    return Inertial(
        mass=1.009,
        pos=(-0.00304722, -0.019315 * leg.left, -0.0305004),
        quat=_THIGH_QUAT[leg.left],
        inertia=(0.00478717, 0.00460903, 0.000709268),
    )


def calf_inertial(_leg: Leg) -> Inertial:
    return _CALF
