"""How the values are made again that a part of the tier `resim` does not hold.

    action_3 ── scaled ──▶ ctrl_3 ─┐
    key frame, every 256 rows ─────┴─ MuJoCo ─▶ qpos_0 … qvel_17, torque_0 …

A value that is missing in the part's columns is one of these two kinds, proven bit for bit before
the part took the place of an exact one; a value that did not come out equal is in its column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Columns of the key frames: a value where one begins, null in all other lines.
STATE: Final = "trackway.state"
ROWS: Final = "trackway.rows"
CHECK: Final = "trackway.check"
MODEL: Final = "trackway.model"


@dataclass(frozen=True)
class Scaled:
    """A column that is another one in float64, times a scale, plus an offset."""

    column: str
    scale: float
    offset: float

    def of(self, values: Array, dtype: npt.DTypeLike) -> Array:
        """The column, from the values of the other one."""
        return (values.astype(np.float64) * self.scale + self.offset).astype(dtype)


@dataclass(frozen=True)
class Simulated:
    """A column that is one number of MuJoCo's data, cast to the column's type.

    Attributes:
        source: The array of `MjData`.
        index: Where in it, flattened.
    """

    source: str
    index: int


@dataclass(frozen=True)
class Resim:
    """What a part has to say for its values to be made again.

    Attributes:
        mujoco: The version of MuJoCo that made them.
        scenes: As the events `scene` tell: `physics`, the digest of a model; `substeps`, physics
            steps in a row; `envs`, whose they are, where not everybody's.
        inputs: Fields that move a robot from outside.
        lines: In how many lines something is simulated.
        scaled: By column, what it is computed from.
        simulated: By column, what it is; the order is that of the checksums.
    """

    mujoco: str
    scenes: Sequence[Mapping[str, Any]]
    inputs: Sequence[str]
    lines: int
    scaled: Mapping[str, Scaled]
    simulated: Mapping[str, Simulated]

    def scene_of(self, env: int) -> Mapping[str, Any]:
        """The scene of an environment; {} where it has none."""
        return next((s for s in self.scenes if env in s.get("envs", [env])), {})

    def to_json(self) -> dict[str, Any]:
        return {
            "mujoco": self.mujoco,
            "scenes": [dict(scene) for scene in self.scenes],
            "inputs": list(self.inputs),
            "lines": self.lines,
            "scaled": {name: list(vars(told).values()) for name, told in self.scaled.items()},
            "simulated": {name: list(vars(t).values()) for name, t in self.simulated.items()},
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Resim:
        return cls(
            mujoco=told["mujoco"],
            scenes=told["scenes"],
            inputs=told["inputs"],
            lines=told["lines"],
            scaled={name: Scaled(*given) for name, given in told["scaled"].items()},
            simulated={name: Simulated(*given) for name, given in told["simulated"].items()},
        )
