"""What a recorder sees of Go1s: their state, forces, and every term of the reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from go1.core import Go1Core
from go1.model import TRUNK_NAME
from go1.randomization import RANDOMISED
from go1.robot import JOINT_NAMES, LEG_NAMES
from go1.upstream import UpstreamCore
from trackway.format.schema import Field, Schema

Row = Mapping[str, NDArray[Any]]
_JOINTS, _LEGS = ", ".join(JOINT_NAMES), ", ".join(LEG_NAMES)

# Wide values first: fields follow each other without padding, and aligned arrays copy faster.
_STATE = (
    Field("qpos", "float64", (19,), "m, rad",
          f"trunk (x y z, quaternion w x y z), then {_JOINTS}"),
    Field("qvel", "float64", (18,), "m/s, rad/s",
          f"trunk (linear in the world, angular in the body), then {_JOINTS}"),
    Field("ctrl", "float64", (12,), "rad or 1",
          f"what the motors were told, noise included (joint targets, or fractions of the torque "
          f"limit): {_JOINTS}"),
    Field("push", "float64", (2,), "m/s",
          "added to the trunk's linear velocity in x and y before the physics of this step"),
    Field("torque", "float32", (12,), "N m", f"torque of the motors: {_JOINTS}"),
    Field("foot_force", "float32", (4,), "N", f"normal force of the floor on {_LEGS}"),
    Field("command", "float32", (3,), "m/s, m/s, rad/s", "asked for: ahead, sideways, turning"),
    Field("gait_phase", "float32", (), "turn", "of the gait's clock, 0 to 1"),
)  # fmt: skip
_CONTACT = Field("foot_contact", "bool", (4,), "1", f"whether a foot stands: {_LEGS}")


class Go1Probe:
    """Reads all robots of a core at once: copies of arrays that never move in memory.

    Torques and forces are those of the last physics step's beginning, see `go1.motion`.

    Attributes:
        sources: The arrays, by field.
        scene: Fields of the model by name, against which `start` tells overrides.
        limits: What an episode ends at, see `docs/how-to/add-a-probe.md`.
    """

    def __init__(self, core: Go1Core | UpstreamCore) -> None:
        self._core = core
        terms, sources = core.terms, _sources(core)
        added: list[Field] = []
        for kind, verb, names in (
            ("reward", "added to", terms.reward_weights),
            ("cost", "subtracted from", terms.cost_weights),
        ):
            for name in names:
                what = f"{verb} the reward by this term, weight applied"
                added.append(Field(f"{kind}_component.{name}", "float32", (), "1", what))
        state = [field for field in _STATE if field.name in sources]
        self.schema = Schema(*state, *added, _CONTACT)
        self.sources = {field.name: sources[field.name] for field in self.schema}
        self.scene = {name: np.array(getattr(core.model, name)) for name in RANDOMISED}
        self.limits = _limits(core)

    def read(self, row: Row) -> None:
        """Write what the latest action led to, before any new start."""
        if not isinstance(self._core, Go1Core):
            # A resumed training has put other arrays in the place of those that were there.
            sources = _sources(self._core)
            self.sources = {name: sources[name] for name in self.sources}
        for name, source in self.sources.items():
            row[name][...] = source

    def start(self, env: int) -> dict[str, Any]:
        """What the robot begins its episode with: state, command, the gait's clock, randomised physics."""
        core = self._core
        clock = {"gait_phase": float(core.gait_phase[env])} if isinstance(core, Go1Core) else {}
        return {
            "qpos": core.qpos[env].tolist(),
            "qvel": core.qvel[env].tolist(),
            "command": core.command[env].tolist(),
            "rand_power": float(core.rand_power[env]),
            "overrides": core.randomization.physics_of(env),
            **clock,
        }


def _limits(core: Go1Core | UpstreamCore) -> list[dict[str, Any]]:
    low, high = core.task.healthy_z_range
    height = {"name": "height", "unit": "m", "qpos": 2, "low": low}
    if isinstance(core, Go1Core):
        task, up = core.task, np.zeros(3)
        up[task.axes[2]] = task.signs[2]
        tilt = {"name": "upright", "unit": "cos", "body": TRUNK_NAME, "axis": up.tolist()}
        return [height, tilt | {"low": task.min_up}]
    # The public environment takes the quaternion's x and y for roll and pitch.
    ranges = (core.task.healthy_roll_range, core.task.healthy_pitch_range)
    return [
        height | {"high": high},
        *(
            {"name": name, "unit": "1", "qpos": 4 + i, "low": float(least), "high": float(most)}
            for i, (name, (least, most)) in enumerate(
                zip(("quaternion x", "quaternion y"), ranges, strict=True)
            )
        ),
    ]


def _sources(core: Go1Core | UpstreamCore) -> dict[str, NDArray[Any]]:
    """The arrays that the columns are copied from, by field."""
    motion, terms = core.motion, core.terms
    sources: dict[str, NDArray[Any]] = {
        "qpos": core.qpos,
        "qvel": core.qvel,
        "ctrl": core.ctrl if isinstance(core, Go1Core) else core.data.ctrl[None],
        "push": core.randomization.pushed,
        "torque": motion.torque,
        "foot_force": motion.foot_force,
        "command": core.command,
        "foot_contact": motion.foot_contact,
    }
    if isinstance(core, Go1Core):
        sources["gait_phase"] = core.gait_phase
    for kind, names, values in (
        ("reward", terms.reward_weights, core.step_rewards),
        ("cost", terms.cost_weights, core.step_costs),
    ):
        sources |= {f"{kind}_component.{name}": values[:, i] for i, name in enumerate(names)}
    return sources
