"""What a probe is: something that writes the state of environments into a row.

    class PoleProbe:
        schema = Schema(Field("angle", "float64", unit="rad", description="of the pole"))

        def __init__(self, env):
            self.env = env.unwrapped

        def read(self, row):
            row["angle"][0] = self.env.state[2]

One shape serves a single environment and a batch: arrays `[num_envs, *shape]` by field, with
`num_envs` 1 for a single environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from trackway.format.schema import Field, Schema

Array = npt.NDArray[Any]
Row = Mapping[str, Array]


class Probe(Protocol):
    """Reads one environment, or a batch of them.

    Attributes:
        schema: The fields it writes; each with a unit and a description.
    """

    @property
    def schema(self) -> Schema: ...

    def read(self, row: Row) -> None:
        """Write the state as it is now; change nothing.

        Runs in every step: it should allocate nothing.

        Args:
            row: By field, `[num_envs, *shape]`, to be written in place. It lies in shared memory
                and is another one in every step; don't keep it.
        """
        ...


@runtime_checkable
class TellsStarts(Protocol):
    """A probe that also tells how an episode begins, so that it can be simulated again."""

    def start(self, env: int) -> dict[str, Any]:
        """What environment `env` begins its episode with: state, randomised physics; for JSON."""
        ...


@runtime_checkable
class HasSources(Protocol):
    """A probe of arrays that never move in memory: a recorder copies them without calling `read`.

    Attributes:
        sources: By field, `[num_envs, *shape]`, of any type that converts: live, never replaced.
    """

    @property
    def sources(self) -> Mapping[str, Array]: ...


def starter(probe: Any) -> Callable[[int], dict[str, Any]]:
    """Gives what the probe tells of an episode's start; nothing where it does not tell."""
    return probe.start if isinstance(probe, TellsStarts) else lambda env: {}


def empty_row(schema: Schema | tuple[Field, ...], num_envs: int) -> dict[str, Array]:
    """A row in private memory, all zero."""
    return {f.name: np.zeros((num_envs, *f.shape), f.dtype) for f in schema}


def blank(row: Row) -> None:
    """Write what stands for "not known": NaN, or zero where there is no NaN."""
    for column in row.values():
        column[...] = np.nan if column.dtype.kind == "f" else 0
