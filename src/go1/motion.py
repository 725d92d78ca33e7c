"""What the physics state means to a walker: velocities, up and feet, for all robots at once.

Everything a policy sees is computed from qpos and qvel as they are now. What MuJoCo derives
(feet, forces, torques, accelerations) is of the last physics step's beginning, a few milliseconds
earlier, as always after `mj_step`; only rewards and records use it.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from go1.block import Block
from go1.model import sensor_slices
from go1.robot import FOOT_RADIUS, LEG_NAMES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = slice | NDArray[np.intp]
"""The robots a call is about: ids, or all of them."""

ALL: Rows = slice(None)
CONTACT_FORCE = 1.0
"""Newtons from which a foot counts as standing."""


def in_trunk(quat: Floats, velocity: Floats) -> tuple[Floats, Floats]:
    """The world's up and a velocity in the world, both in the frame of trunks with attitude `quat`.

    Args:
        quat: [n, 4].
        velocity: [n, 3].
    """
    w, x, y, z = quat[:, 0], quat[:, 1], quat[:, 2], quat[:, 3]
    a, b, c = velocity[:, 0], velocity[:, 1], velocity[:, 2]
    up = np.empty((len(w), 3))
    up[:, 0] = 2 * (x * z - w * y)
    up[:, 1] = 2 * (y * z + w * x)
    up[:, 2] = 1 - 2 * (x * x + y * y)
    turned = np.empty_like(up)
    turned[:, 0] = (1 - 2 * (y * y + z * z)) * a + 2 * (x * y + w * z) * b + up[:, 0] * c
    turned[:, 1] = 2 * (x * y - w * z) * a + (1 - 2 * (x * x + z * z)) * b + up[:, 1] * c
    turned[:, 2] = 2 * (x * z + w * y) * a + 2 * (y * z - w * x) * b + up[:, 2] * c
    return up, turned


class Motion:
    """Arrays with leading dimension num_envs, refreshed by `update`; they never move in memory.

    Attributes:
        up: World up in the trunk's frame, [N, 3].
        velocity: Of the trunk in its own frame, [N, 3], m/s.
        gyro: Angular velocity in the trunk's frame, [N, 3], rad/s.
        foot_position: In the world, [N, 4, 3], m, order FR, FL, RR, RL.
        foot_velocity: Horizontal, mean over the last action, [N, 4, 2], m/s.
        foot_height: Of the sole above the floor, [N, 4], m.
        foot_force: Normal force of the floor, [N, 4], N; `last_foot_force` is one action earlier.
        foot_contact: Whether a foot stands, [N, 4]; `last_contacts` is one action earlier.
        feet_air_time: Seconds since a foot stood, [N, 4].
        torque: Of the motors, [N, 12], N·m.
        qacc: Joint-space acceleration, [N, 18].
        block: The memory of these.
    """

    def __init__(self, batch: Any, dt: float) -> None:
        n = batch.nsim
        self._dt = dt
        self._sensors: Floats = batch.bind("sensordata")
        self._actuator_force: Floats = batch.bind("actuator_force")
        self._qacc: Floats = batch.bind("qacc")
        self._qpos: Floats = batch.bind("qpos")
        self._qvel: Floats = batch.bind("qvel")
        model: mujoco.MjModel = batch.model
        where = sensor_slices(model)
        feet = [where[f"{leg}_position"] for leg in LEG_NAMES]
        forces = [where[f"{leg}_contact"] for leg in LEG_NAMES]
        # the legs' sensors lie side by side: one block each, [4, 3] and [4, 1 + 3]
        self._feet = slice(feet[0].start, feet[-1].stop)
        self._contacts = slice(forces[0].start, forces[-1].stop)
        self._gear = model.actuator_gear[:, 0].copy()

        self.up = np.zeros((n, 3))
        self.velocity = np.zeros((n, 3))
        self.foot_position = np.zeros((n, 4, 3))
        self.foot_velocity = np.zeros((n, 4, 2))
        self.foot_height = np.zeros((n, 4))
        self.foot_force = np.zeros((n, 4))
        self.last_foot_force = np.zeros((n, 4))
        self.foot_contact = np.zeros((n, 4), bool)
        self.last_contacts = np.zeros((n, 4), bool)
        self.feet_air_time = np.zeros((n, 4))
        self.torque = np.zeros((n, 12))
        self.qacc = np.zeros((n, 18))
        self.block = Block(self, [name for name in vars(self) if name[0] != "_"])

    @property
    def gyro(self) -> Floats:
        return self._qvel[:, 3:6]

    def update(self) -> None:
        """Read all robots after they moved for one action."""
        self._read(ALL)
        self.feet_air_time += self._dt
        self.feet_air_time[self.foot_contact] = 0.0

    def restart(self, ids: NDArray[np.intp]) -> None:
        """Read robots that were put somewhere new: their feet have not moved, nothing was before."""
        self._read(ids)
        self.foot_velocity[ids] = 0.0
        self.feet_air_time[ids] = 0.0
        self.last_contacts[ids] = self.foot_contact[ids]
        self.last_foot_force[ids] = self.foot_force[ids]

    def _read(self, rows: Rows) -> None:
        up, velocity = in_trunk(self._qpos[rows, 3:7], self._qvel[rows, :3])
        self.up[rows], self.velocity[rows] = up, velocity

        sensors = self._sensors[rows]
        feet = sensors[:, self._feet].reshape(-1, 4, 3)
        contact = sensors[:, self._contacts].reshape(-1, 4, 4)
        self.foot_velocity[rows] = (feet[:, :, :2] - self.foot_position[rows, :, :2]) / self._dt
        self.foot_position[rows] = feet
        self.foot_height[rows] = feet[:, :, 2] - FOOT_RADIUS
        self.last_contacts[rows] = self.foot_contact[rows]
        self.last_foot_force[rows] = self.foot_force[rows]
        # number of contacts, then the force from the floor (x, y, z in the world)
        self.foot_force[rows] = contact[:, :, 3]
        self.foot_contact[rows] = self.foot_force[rows] > CONTACT_FORCE
        self.torque[rows] = self._actuator_force[rows] * self._gear
        self.qacc[rows] = self._qacc[rows]
