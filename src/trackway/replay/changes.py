"""What should be different in a simulation that is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import mujoco
import numpy as np


@dataclass(frozen=True)
class Changes:
    """What should be different, from some step on.

    Attributes:
        friction: Times the sliding friction of every shape.
        mass_kg: Added to the first body that moves, spread like its own mass.
        gravity: Times gravity.
        push: Added to the linear velocity in x and y, m/s …
        push_s: … before the step that begins so long after the first that is different.
    """

    friction: float = 1.0
    mass_kg: float = 0.0
    gravity: float = 1.0
    push: tuple[float, float] = (0.0, 0.0)
    push_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Changes:
        return cls(**(dict(told) | {"push": tuple(told["push"])}))

    def apply(self, model: mujoco.MjModel) -> None:
        """Change a model; simulations of it go on from the state they are in."""
        if self.friction != 1.0:
            model.geom_friction[:, 0] *= self.friction
        if self.gravity != 1.0:
            model.opt.gravity[:] *= self.gravity
        if self.mass_kg:
            body = int(model.jnt_bodyid[0]) if model.njnt else 0
            mass = max(model.body_mass[body] + self.mass_kg, 1e-3)
            model.body_inertia[body] *= mass / model.body_mass[body]
            model.body_mass[body] = mass
            mujoco.mj_setConst(model, mujoco.MjData(model))

    def push_now(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
        moving = int(model.jnt_dofadr[free[0]]) if len(free) else 0
        # A robot on a rail has fewer than two.
        pushed = data.qvel[moving : moving + 2]
        pushed += self.push[: len(pushed)]
