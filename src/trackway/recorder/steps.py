"""The streams that every training has: `steps`, `episodes` and `starts`.

Row n of `steps` is the n-th step of all environments: the actions given, and what they led to, before
any environment starts again. What an episode began with is in `starts`, how it went in `episodes`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.format.schema import Field, Schema
from trackway.probes.probe import blank, empty_row
from trackway.recorder.recorder import Recorder
from trackway.recorder.stream import Stream

Array = npt.NDArray[Any]
_SUMMED = ("reward_", "cost_")


class Steps:
    """The rows of `steps`.

    Until `begin` the current row lies in private memory: only the first step tells what infos hold.

    Attributes:
        columns: Rows by field, `[…, num_envs, *shape]`.
        stream: None until `begin`.
    """

    def __init__(
        self,
        recorder: Recorder,
        num_envs: int,
        fields: Sequence[Field],
        *,
        max_bytes: int | None = None,
    ) -> None:
        self._recorder, self.num_envs, self._max_bytes = recorder, num_envs, max_bytes
        self.fields = tuple(fields)
        first = empty_row(self.fields, num_envs)
        self.columns: Mapping[str, Array] = {name: column[None] for name, column in first.items()}
        self.stream: Stream | None = None

    @property
    def at(self) -> int:
        """Which of the columns' rows is the current one."""
        return 0 if self.stream is None else self.stream.at

    @property
    def committed(self) -> int:
        """Rows that count."""
        return 0 if self.stream is None else self.stream.committed

    @property
    def row(self) -> dict[str, Array]:
        """The current row, by field `[num_envs, *shape]`."""
        return {name: column[self.at] for name, column in self.columns.items()}

    def begin(self, further: Sequence[Field] = ()) -> Stream:
        """Begin the stream with these fields as well; the current row comes along."""
        first = self.row
        # Wide values first: fields follow each other without padding, and stay aligned so.
        fields = sorted([*self.fields, *further], key=lambda f: -np.dtype(f.dtype).itemsize)
        stream = self._recorder.stream(
            "steps", Schema(*fields), self.num_envs, max_bytes=self._max_bytes
        )
        blank(stream.row)
        for name, column in first.items():
            stream.row[name][...] = column
        self.stream, self.columns = stream, stream.columns
        return stream

    def commit(self) -> None:
        """Let the current row count, and go on to the next."""
        (self.stream or self.begin()).commit()


class EpisodeLog:
    """Counts running episodes, and tells of those that end and begin.

    Attributes:
        returns: Of the running episodes, rewards as the environments gave them, `[num_envs]`.
    """

    def __init__(self, recorder: Recorder, num_envs: int) -> None:
        self._ends, self._starts = recorder.records("episodes"), recorder.records("starts")
        self.returns = np.zeros(num_envs)
        # Steps taken in, and how many of them came before each running episode.
        self._taken, self._before = 0, [0] * num_envs
        self._counts = [0] * num_envs
        self._sums: dict[str, Array] = {}

    def started(self, env: int, row: int, start: Mapping[str, Any], **facts: Any) -> None:
        """An environment was reset; `row` of `steps` will be its episode's first."""
        self._forget(env)
        told = {"row": row, "env": env, "episode": self._counts[env]}
        self._starts.append(told | facts | {"start": start})

    def add(self, rewards: Array, infos: Mapping[str, Array], reset: Sequence[int] = ()) -> None:
        """Take in a step of all environments but those that were reset instead of stepped.

        Args:
            rewards: `[num_envs]`.
            infos: The numbers of their infos, `[num_envs]` each.
            reset: Which of them were only reset.
        """
        self.returns += rewards
        self._taken += 1
        for key, column in infos.items():
            if key.startswith(_SUMMED):
                sums = self._sums.setdefault(key, np.zeros(len(self.returns)))
                sums += column
        for env in reset:
            self._forget(env)

    def _forget(self, env: int) -> None:
        self.returns[env] = 0.0
        self._before[env] = self._taken
        for sums in self._sums.values():
            sums[env] = 0.0

    def end(
        self,
        env: int,
        row: int,
        *,
        terminated: bool,
        truncated: bool,
        info: Mapping[str, Any],
        **facts: Any,
    ) -> dict[str, Any]:
        """The record of an episode that ended with `row`; it has been kept."""
        record: dict[str, Any] = {
            "row": row,
            "env": env,
            "episode": self._counts[env],
            **facts,
            "return": float(self.returns[env]),
            "length": self._taken - self._before[env],
            "terminated": terminated,
            "truncated": truncated,
            "termination_reason": str(
                info.get("termination_reason") or ("terminated" if terminated else "truncated")
            ),
        }
        if "is_success" in info:
            record["is_success"] = bool(info["is_success"])
        for kind in ("reward_components", "cost_components"):
            told = info.get(kind)
            if told is None:
                prefix = kind.partition("_")[0] + "_"
                told = {
                    k[len(prefix) :]: v[env] for k, v in self._sums.items() if k.startswith(prefix)
                }
            if told:
                record[kind] = told
        self._ends.append(record)
        self._counts[env] += 1
        self._forget(env)
        return record

    def interrupt(self, env: int) -> dict[str, Any] | None:
        """What has run of an episode that a reset cuts short; None where none ran."""
        length = self._taken - self._before[env]
        if length == 0:
            return None
        cut = {"env": env, "episode": self._counts[env], "return": float(self.returns[env])}
        self._counts[env] += 1
        return {**cut, "length": length}

    def state_dict(self) -> dict[str, Any]:
        """What has run so far of the running episodes, and how many went before."""
        return {
            "returns": self.returns.copy(),
            "lengths": [self._taken - before for before in self._before],
            "counts": list(self._counts),
            "sums": {key: sums.copy() for key, sums in self._sums.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with episodes that began before this recording."""
        self.returns[...] = state["returns"]
        self._before = [self._taken - int(length) for length in state["lengths"]]
        self._counts = [int(count) for count in state["counts"]]
        self._sums = {key: np.array(sums) for key, sums in state["sums"].items()}

    def broken(self) -> list[int]:
        """Environments whose running return is not finite."""
        if math.isfinite(self.returns.sum()):
            return []
        return [int(env) for env in np.flatnonzero(~np.isfinite(self.returns))]
