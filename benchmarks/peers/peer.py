"""What all peers write, and the methods that each of them has."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from trackway import Field, Schema

SCHEMA = Schema(
    Field("qpos", "float64", (19,), "m, rad", "generalised positions"),
    Field("qvel", "float64", (18,), "m/s, rad/s", "generalised velocities"),
    Field("torque", "float32", (12,), "N m", "torques of the joints"),
    Field("contact_force", "float32", (4, 3), "N", "forces on the feet"),
    Field("reward", "float32", (), "1", "reward of the step"),
    Field("speed", "float32", (), "m/s", "forward speed"),
    Field("height", "float32", (), "m", "height of the trunk"),
    Field("energy", "float64", (), "J", "work of the motors"),
    Field("time", "float64", (), "s", "when the row was committed, by the machine's clock"),
    Field("done", "bool", (), "1", "whether the episode ended"),
)
# The same numbers, each a field of its own: what a call for every column costs.
APART = Schema(
    *(
        Field(f"{field.name}.{i}", field.dtype, (), field.unit, field.description)
        for field in SCHEMA
        for i in range(int(np.prod(field.shape)))
    )
)
if "COLUMNS_APART" in os.environ:
    SCHEMA = APART
ONE = next(field.name for field in SCHEMA if field.name.startswith("reward"))
Columns = dict[str, np.ndarray]


class Null:
    """Nothing: what the measuring itself costs."""

    def __init__(self, path: Path, num_envs: int) -> None:
        self.path, self.num_envs = path, num_envs

    def write(self, columns: Columns) -> None:
        pass

    def close(self) -> None:
        pass

    @staticmethod
    def recovered(path: Path) -> int:
        return 0

    @staticmethod
    def column(path: Path) -> int:
        return -1

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        return -1


def of_episode(num_envs: int, first: int, last: int) -> slice:
    """Where the steps of environment 1 lie among those of all."""
    return slice(first * num_envs + 1, last * num_envs + 1, num_envs)
