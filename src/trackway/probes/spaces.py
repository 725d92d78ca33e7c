"""Fields for what any Gymnasium environment takes and gives, by its spaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np

from trackway.format.schema import Field
from trackway.probes.probe import Row

STEP_FIELDS = (
    Field(
        "reward", "float64", unit="1", description="reward of the step, as the environment gave it"
    ),
    Field("terminated", "bool", unit="1", description="the episode ended with this step"),
    Field("truncated", "bool", unit="1", description="the episode was cut after this step"),
)


class SpaceColumns:
    """The columns of one space: a Dict or Tuple has several, named `obs.camera`, `obs.0`.

    Attributes:
        fields: One per Box, Discrete, MultiDiscrete or MultiBinary in the space.
        left_out: Spaces of which no array of fixed size can be made (Text, Graph, Sequence).
        size: Numbers in one value.
    """

    def __init__(self, name: str, space: gymnasium.Space[Any], description: str) -> None:
        self._leaves: list[tuple[Field, tuple[Any, ...]]] = []
        self.left_out: list[str] = []
        for path, leaf in _leaves(space):
            label = ".".join([name, *map(str, path)])
            if leaf.shape is None or leaf.dtype is None or 0 in leaf.shape:
                self.left_out.append(label)
                continue
            self._leaves.append((Field(label, leaf.dtype, leaf.shape, "1", description), path))  # type: ignore[arg-type]
        self.fields = tuple(field for field, _ in self._leaves)
        self.size = sum(int(np.prod(field.shape)) for field in self.fields)

    def write(self, row: Row, value: Any) -> None:
        """Write a batch of values, `[num_envs, ...]` at every leaf."""
        for field, path in self._leaves:
            part = value
            for key in path:
                part = part[key]
            column = row[field.name]
            column[...] = part if np.ndim(part) == column.ndim else np.reshape(part, column.shape)

    def write_one(self, row: Row, env: int, value: Any) -> None:
        """Write the value of one environment."""
        for field, path in self._leaves:
            part = value
            for key in path:
                part = part[key]
            row[field.name][env] = part


def _leaves(space: gymnasium.Space[Any]) -> Iterator[tuple[tuple[Any, ...], gymnasium.Space[Any]]]:
    if isinstance(space, gymnasium.spaces.Dict):
        parts = list(space.spaces.items())
    elif isinstance(space, gymnasium.spaces.Tuple):
        parts = list(enumerate(space.spaces))  # type: ignore[arg-type]
    else:
        yield (), space
        return
    for key, part in parts:
        for path, leaf in _leaves(part):
            yield (key, *path), leaf


def numbers_in(info: dict[str, Any]) -> list[str]:
    """Keys of an info whose values are plain numbers, in order."""
    return [
        key
        for key, value in info.items()
        if isinstance(value, bool | int | float | np.number | np.bool_)
        and key != "TimeLimit.truncated"
    ]


def info_field(key: str) -> Field:
    """The field of a number in the infos."""
    return Field(f"info.{key}", "float64", unit="1", description=f"info[{key!r}]; NaN where absent")
