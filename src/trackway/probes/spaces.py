"""Fields for what any Gymnasium environment takes and gives, by its spaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


LARGEST_OBS = 1024
"""Numbers in an observation that is recorded without being asked for; images are larger."""


class Transition:
    """What an environment takes and gives in a step, by its spaces.

    Args:
        observation_space: Of one environment.
        action_space: Of one environment.
        obs: Whether to record observations; None: where they are the only thing known of the
            state, and small.
        has_state: Whether a probe reads the state.

    Attributes:
        fields: `action…`, `obs…`, `reward`, `terminated`, `truncated`.
        left_out: Parts of the spaces that cannot be recorded.
    """

    def __init__(
        self,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        obs: bool | None,
        has_state: bool,
    ) -> None:
        seen = SpaceColumns("obs", observation_space, "what the step returned")
        self._action = SpaceColumns("action", action_space, "what the step was given")
        if obs is None:
            obs = not has_state and seen.size <= LARGEST_OBS
        self._obs = seen if obs else None
        self.fields = (*self._action.fields, *(seen.fields if obs else ()), *STEP_FIELDS)
        self.left_out = self._action.left_out + (seen.left_out if obs else [])

    def leaves(self) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
        """The columns of actions and observations: name, `actions` or `obs`, and the keys that lead to it there."""
        for what, space in (("actions", self._action), ("obs", self._obs)):
            if space is not None:
                yield from ((name, what, path) for name, path in space.leaves())

    def write_one(
        self,
        row: Row,
        action: Any,
        obs: Any,
        reward: float,
        terminated: bool,
        truncated: bool,
        env: int = 0,
    ) -> None:
        """Write the step of one environment."""
        self._action.write_one(row, env, action)
        if self._obs is not None:
            self._obs.write_one(row, env, obs)
        row["reward"][env] = reward
        row["terminated"][env] = terminated
        row["truncated"][env] = truncated

    def write_last_obs(self, row: Row, env: int, obs: Any) -> None:
        """Correct the observation of an environment that was reset within the step."""
        if self._obs is not None and obs is not None:
            self._obs.write_one(row, env, obs)


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

    def leaves(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Each column's name, and the keys that lead to its part of a value."""
        return ((field.name, path) for field, path in self._leaves)

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


def numbers_in(info: Mapping[str, Any]) -> list[str]:
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
