"""The episodes of one attempt, from its streams `episodes`, `starts` and `events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.format import pieces
from trackway.storage.places import AttemptFolder, StreamFolder
from trackway.storage.reader import Reader, describe, end_row

_BATCH: Final = 1 << 17
_COLUMNS: Final = {
    "timestep": np.int64,
    "return": np.float64,
    "length": np.int64,
    "env": np.int64,
    "reason": np.str_,
}


@dataclass(frozen=True)
class Episode:
    """Where an episode lies.

    Attributes:
        attempt: The name of its attempt.
        env, episode: Which environment, and which of its episodes in that attempt.
        first_row, last_row: Its rows in `steps`.
        number: How many episodes of the run ended before it.
        record: What `episodes` tells of it; None while it has not ended.
    """

    attempt: str
    env: int
    episode: int
    first_row: int
    last_row: int
    number: int
    record: dict[str, Any] | None

    @property
    def key(self) -> str:
        return f"{self.attempt}:{self.env}:{self.episode}"


class _Follower:
    """Reads a stream of records as it grows; each comes with the row of its first piece."""

    def __init__(self, folder: StreamFolder) -> None:
        self._folder, self._joiner = folder, pieces.Joiner()
        self._reader: Reader | None = None

    def poll(self) -> list[tuple[int, dict[str, Any]]]:
        if self._reader is None:
            if not self._folder.path.is_dir():
                return []
            self._reader = Reader(self._folder)
        found = []
        while len(batch := self._reader.poll(limit=_BATCH)):
            found += self._joiner.join_numbered(batch.rows, batch.columns)
        return found

    def read(self, row: int) -> dict[str, Any]:
        """The record whose first piece is that row."""
        reader, joiner = Reader(self._folder, first=row), pieces.Joiner()
        while len(batch := reader.poll(limit=1)):
            for first, record in joiner.join_numbered(batch.rows, batch.columns):
                if first == row:
                    return record
        return {}


class AttemptEpisodes:
    """What is known of an attempt's episodes; `refresh` reads on.

    Attributes:
        begin_timestep: Timesteps that were made before its first row.
        num_envs: Environments in a row of `steps`.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        self.folder = folder
        self.begin_timestep, self.num_envs = 0, 0
        self._scenes: list[dict[str, Any]] = []
        self._streams = {
            name: _Follower(folder.stream(name)) for name in ("events", "starts", "episodes")
        }
        self._pieces: list[int] = []
        self._rows: list[int] = []
        self._facts: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._by_env: dict[tuple[int, int], int] = {}
        self._starts: dict[tuple[int, int], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def refresh(self) -> None:
        """Take in what was recorded since."""
        if self.num_envs == 0 and self.steps.path.is_dir():
            self.num_envs = describe(self.steps)[1]
        for _, event in self._streams["events"].poll():
            if event.get("event") == "begin":
                self.begin_timestep = int(event["timestep"])
            elif event.get("event") == "scene":
                self._scenes.append(event)
        for piece, start in self._streams["starts"].poll():
            self._starts[start["env"], start["episode"]] = (start["row"], piece)
        new = self._streams["episodes"].poll()
        for piece, record in new:
            self._by_env[record["env"], record["episode"]] = len(self._rows)
            self._pieces.append(piece)
            self._rows.append(record["row"])
            # A loop of one's own counts no timesteps.
            told = {
                "timestep": self.begin_timestep + (record["row"] + 1) * self.num_envs,
                "reason": record["termination_reason"],
            } | record
            for name, values in self._facts.items():
                value = told[name]
                values.append(np.nan if value is None else value)  # JSON has no NaN
        if new:
            self._arrays.clear()

    def column(self, name: str) -> NDArray[Any]:
        """One fact of every ended episode, in the order of their ends."""
        if name not in self._arrays:
            self._arrays[name] = np.array(self._facts[name], dtype=_COLUMNS[name])
        return self._arrays[name]

    def ended(self, position: int, number: int) -> Episode:
        """The episode that ended at this position."""
        record = self._streams["episodes"].read(self._pieces[position])
        last = self._rows[position]
        first = last - int(self._facts["length"][position]) + 1
        return Episode(
            self.folder.name, record["env"], record["episode"], first, last, number, record
        )

    def numbered(self, env: int, episode: int, before: int) -> Episode | None:
        """Episode `episode` of environment `env`, ended or under way; `before` were in others."""
        position = self._by_env.get((env, episode))
        if position is not None:
            return self.ended(position, before + position)
        begun = self._starts.get((env, episode))
        last = end_row(self.steps) - 1
        if begun is None or last < begun[0] or (env, episode + 1) in self._starts:
            return None
        name = self.folder.name
        return Episode(name, env, episode, begun[0], last, before + len(self), None)

    def at_row(self, row: int, env: int, before: int) -> Episode | None:
        """The episode of an environment that holds a row of `steps`."""
        position = int(np.searchsorted(self._row_array, row))
        envs = self.column("env")[position:]
        later = np.flatnonzero(envs == env)
        if len(later):
            found = self.ended(position + int(later[0]), before + position + int(later[0]))
            return found if found.first_row <= row else None
        running = max((e for v, e in self._starts if v == env), default=None)
        found_or_none = None if running is None else self.numbered(env, running, before)
        if found_or_none is None or not found_or_none.first_row <= row <= found_or_none.last_row:
            return None
        return found_or_none

    def row_of(self, timestep: int) -> int:
        """The row of `steps` in which training reached a timestep."""
        return max(0, -(-(timestep - self.begin_timestep) // max(1, self.num_envs)) - 1)

    def start(self, episode: Episode) -> dict[str, Any] | None:
        """What an episode began with, as recorded; None where nobody was told."""
        begun = self._starts.get((episode.env, episode.episode))
        if begun is None or begun[0] != episode.first_row:
            return None
        told = self._streams["starts"].read(begun[1]).get("start")
        return dict(told) if told else None

    def scene_of(self, env: int) -> dict[str, Any]:
        """What the event `scene` tells of an environment's models; {} where none was recorded."""
        return next((s for s in self._scenes if env in s.get("envs", [env])), {})

    @property
    def steps(self) -> StreamFolder:
        return self.folder.stream("steps")

    @property
    def _row_array(self) -> NDArray[np.int64]:
        if "row" not in self._arrays:
            self._arrays["row"] = np.array(self._rows, np.int64)
        return self._arrays["row"]
