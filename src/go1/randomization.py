"""Chances that an episode takes: start, command, friction, mass, pushes.

Every draw is made for every robot that starts, whatever its power, so that the sequence of random
numbers does not depend on settings that change while training runs.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from go1.config import Go1Config
from go1.model import TRUNK_NAME
from go1.robot import LEG_NAMES

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]

RANDOMISED = (
    "geom_friction", "body_mass", "body_inertia", "body_subtreemass", "body_invweight0",
    "dof_M0", "dof_invweight0", "actuator_acc0",
)  # fmt: skip
"""Fields of the model that differ from robot to robot, with those that MuJoCo derives from them."""
_DRAWN = RANDOMISED[:3]


class DomainRandomization:
    """Friction and mass of each robot, and pushes, in proportion to its `rand_power`.

    Attributes:
        pushed: What the latest `push` added to each robot's horizontal velocity, [N, 2], m/s.
    """

    def __init__(self, batch: Any, config: Go1Config) -> None:
        self._batch = batch
        self._config = config
        model: mujoco.MjModel = batch.model
        self._feet = np.array([model.geom(leg).id for leg in LEG_NAMES])
        self._trunk = int(model.body(TRUNK_NAME).id)
        self._friction = float(model.geom_friction[self._feet[0], 0])
        self._mass = float(model.body_mass[self._trunk])
        self._inertia = model.body_inertia[self._trunk].copy()
        self._expanded = False
        self._own: dict[str, tuple[Floats, list[int]]] = {}
        self.pushed = np.zeros((batch.nsim, 2))

    def restart(self, ids: Ids, power: Floats, rng: np.random.Generator) -> None:
        """Give robots `ids` the physics of their next episode; `power` is theirs, [len(ids)]."""
        config = self._config
        draws = rng.random((len(ids), 2))
        if not self._expanded:
            if not power.any() or not (config.friction_range or config.mass_offset_kg):
                return
            self._expand()
        if config.friction_range:
            low, high = config.friction_range
            drawn = low + (high - low) * draws[:, 0]
            friction = self._friction + power * (drawn - self._friction)
            self._friction_of[ids[:, None], self._feet, 0] = friction[:, None]
        mass = self._mass + power * config.mass_offset_kg * (2 * draws[:, 1] - 1)
        self._mass_of[ids, self._trunk] = mass
        # the load is spread like the trunk's own mass
        self._inertia_of[ids, self._trunk] = self._inertia * (mass / self._mass)[:, None]
        self._batch.set_const(ids.astype(np.int32))
        if not self._own:
            self._find_own()

    def physics_of(self, robot: int) -> dict[str, dict[str, list[Any]]]:
        """Where the robot's own model may differ from the common one; nothing while all are alike.

        By field of `RANDOMISED`: `index`, positions in the flattened field, and `value`.
        """
        return {
            name: {"index": where, "value": own[robot][where].tolist()}
            for name, (own, where) in self._own.items()
        }

    def _find_own(self) -> None:
        """What belongs to each robot: what is drawn, at known places, and what MuJoCo derives."""
        drawn = {
            "geom_friction": 3 * self._feet,
            "body_mass": np.array([self._trunk]),
            "body_inertia": 3 * self._trunk + np.arange(3),
        }
        for name in RANDOMISED:
            field = self._batch.expanded(name)
            if field is not None:
                own = field.reshape(self._batch.nsim, -1)
                self._own[name] = own, drawn.get(name, np.arange(own.shape[1])).tolist()

    def _expand(self) -> None:
        # per-robot model fields cost time in every step, so only once they are wanted
        self._expanded = True
        self._friction_of = self._batch.expand("geom_friction")
        self._mass_of = self._batch.expand("body_mass")
        self._inertia_of = self._batch.expand("body_inertia")

    def state_dict(self) -> dict[str, Any]:
        """The robots' own values of the fields that are drawn, live; empty while all are alike."""
        if not self._expanded:
            return {}
        own = (self._friction_of, self._mass_of, self._inertia_of)
        return dict(zip(_DRAWN, own, strict=True))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give the robots such values; what MuJoCo derives from them follows."""
        if not state and not self._expanded:
            return
        if not self._expanded:
            self._expand()
        for name, field in self.state_dict().items():
            field[...] = state.get(name, getattr(self._batch.model, name))
        self._batch.set_const(np.arange(self._batch.nsim, dtype=np.int32))

    def push(self, qvel: Floats, power: Floats, dt: float, rng: np.random.Generator) -> None:
        """Knock some robots: a sudden change of horizontal velocity (legged_gym `push_robots`)."""
        config = self._config
        if not config.push_speed or not power.any():
            self.pushed.fill(0.0)
            return
        draws = rng.random((len(qvel), 3))
        strength = power * config.push_speed * (draws[:, 0] < dt / config.push_interval_sec)
        np.multiply(strength[:, None], 2 * draws[:, 1:] - 1, out=self.pushed)
        qvel[:, :2] += self.pushed


def draw_commands(config: Go1Config, count: int, rng: np.random.Generator) -> Floats:
    """Commands for episodes, [count, 3]: ahead, sideways (m/s), turning (rad/s)."""
    ranges = np.array([config.command_forward, config.command_sideways, config.command_yaw])
    low, high = ranges[:, 0], ranges[:, 1]
    commands: Floats = low + (high - low) * rng.random((count, 3))
    return commands
