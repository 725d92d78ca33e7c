"""The episodes of one attempt, from its streams `episodes`, `starts` and `events`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.format import pieces
from trackway.format.schema import Field
from trackway.replay import kept
from trackway.replay.kept import Table
from trackway.storage.cache import cache_file, identity_of
from trackway.storage.places import AttemptFolder, StreamFolder
from trackway.storage.reader import Reader, describe, end_row

# Rows at once: no more records are alive than the garbage collector looks through in passing.
_BATCH: Final = 1 << 13
# More than most records have.
_PIECES: Final = 32
_WORTH_KEEPING: Final = 500
# `piece` is the row of the stream in which a record begins, `row` the row of `steps` that it tells of.
_WHERE: Final = {"piece": np.int64, "row": np.int64, "env": np.int64, "episode": np.int64}
# What a robot was asked for as it began; NaN where nobody says.
COMMANDS: Final = ("command.0", "command.1", "command.2")
_BEGUN: Final = _WHERE | dict.fromkeys(COMMANDS, np.float64)
_ENDED: Final = _WHERE | {
    "timestep": np.int64,
    "return": np.float64,
    "length": np.int64,
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


class Follower:
    """Reads a stream of records as it grows; each comes with the row of its first piece.

    Args:
        folder: The stream.
        passed: The first piece of the last record that is known already; -1: none is.
    """

    def __init__(self, folder: StreamFolder, passed: int = -1) -> None:
        self._folder, self._passed, self._joiner = folder, passed, pieces.Joiner()
        self._reader: Reader | None = None

    def poll(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if self._reader is None:
            if not self._folder.path.is_dir():
                return
            self._reader = Reader(self._folder, first=max(0, self._passed))
        while len(batch := self._reader.poll(limit=_BATCH)):
            for piece, record in self._joiner.join_numbered(batch.rows, batch.columns):
                if piece > self._passed:
                    yield piece, record


def _record(folder: StreamFolder, piece: int) -> dict[str, Any]:
    """The record whose first piece is that row; {} where it is not there."""
    if not folder.path.is_dir():
        return {}
    reader, joiner = Reader(folder, first=piece), pieces.Joiner()
    while len(batch := reader.poll(limit=_PIECES)):
        for first, record in joiner.join_numbered(batch.rows, batch.columns):
            if first == piece:
                return record
    return {}


def new_tables() -> dict[str, Table]:
    """What is taken in of each stream; nothing yet."""
    return {"episodes": Table(_ENDED), "starts": Table(_BEGUN)}


class AttemptEpisodes:
    """What is known of an attempt's episodes; `refresh` reads on.

    Attributes:
        begin_timestep: Timesteps that were made before its first row.
        num_envs: Environments in a row of `steps`.
        fields: Of a row of `steps`.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        self.folder = folder
        self.begin_timestep, self.num_envs = 0, 0
        self.fields: tuple[Field, ...] = ()
        self._scenes: list[dict[str, Any]] = []
        self._tables = new_tables()
        self._identity = identity_of(folder)
        self._file = cache_file("episodes", folder.run.resolve(), folder.name)
        kept.load(self._file, self._tables, self._identity)
        if not all(self._continues(name) for name in self._tables):
            self._tables = new_tables()
        self._saved, self._worth = len(self), _WORTH_KEEPING
        self._events = Follower(folder.stream("events"))
        self._followers = {
            name: Follower(folder.stream(name), int(table["piece"][-1]) if len(table) else -1)
            for name, table in self._tables.items()
        }

    def __len__(self) -> int:
        return len(self._ended)

    def refresh(self) -> None:
        """Take in what was recorded since."""
        if self.num_envs == 0 and self.steps.path.is_dir():
            schema, self.num_envs, _ = describe(self.steps)
            self.fields = schema.fields
        for _, event in self._events.poll():
            if event.get("event") == "begin":
                self.begin_timestep = int(event["timestep"])
            elif event.get("event") == "scene":
                self._scenes.append(event)
        self._begun.extend(
            (piece, *_where(start), *_asked(start))
            for piece, start in self._followers["starts"].poll()
        )
        self._ended.extend(
            (piece, *_where(record), *self._told(record))
            for piece, record in self._followers["episodes"].poll()
        )
        if len(self) - self._saved >= self._worth:
            kept.save(self._file, self._tables, self._identity)
            self._saved = len(self)
        # A run that is watched is not written down anew for each episode.
        self._worth = max(_WORTH_KEEPING, self._saved // 4)

    def _told(self, record: Mapping[str, Any]) -> tuple[Any, ...]:
        # A loop of one's own counts no timesteps. JSON has no NaN.
        counted = self.begin_timestep + (record["row"] + 1) * self.num_envs
        value = record["return"]
        return (
            record.get("timestep", counted),
            np.nan if value is None else value,
            record["length"],
            record["termination_reason"],
        )

    def _continues(self, name: str) -> bool:
        """Whether the last record that was kept is still where it was: rows are lost from the end."""
        table = self._tables[name]
        if not len(table):
            return True
        found = _record(self.folder.stream(name), int(table["piece"][-1]))
        wanted = tuple(int(table[column][-1]) for column in ("row", "env", "episode"))
        return bool(found) and _where(found) == wanted

    def column(self, name: str) -> NDArray[Any]:
        """One fact of every ended episode, in the order of their ends; of `COMMANDS`, as it began."""
        return self._as_begun(name) if name in COMMANDS else self._ended[name]

    def _as_begun(self, name: str) -> NDArray[np.float64]:
        # Environment and episode as one number; of two that are named alike, the later counts.
        begun, ended = ((t["env"] << 40) + t["episode"] for t in (self._begun, self._ended))
        order = np.argsort(begun, kind="stable")
        at = np.searchsorted(begun[order], ended, side="right") - 1
        found = order[at.clip(0)] if len(order) else np.empty(0, np.int64)
        if not len(found):
            return np.full(len(ended), np.nan)
        return np.where(begun[found] == ended, self._begun[name][found], np.nan)

    def ended(self, position: int, number: int) -> Episode:
        """The episode that ended at this position."""
        piece, last = int(self._ended["piece"][position]), int(self._ended["row"][position])
        record = _record(self.folder.stream("episodes"), piece)
        first = last - int(self._ended["length"][position]) + 1
        env, episode = (int(self._ended[name][position]) for name in ("env", "episode"))
        return Episode(self.folder.name, env, episode, first, last, number, record)

    def numbered(self, env: int, episode: int, before: int) -> Episode | None:
        """Episode `episode` of environment `env`, ended or under way; `before` were in others."""
        position = _find(self._ended, env, episode)
        if position is not None:
            return self.ended(position, before + position)
        begun = _find(self._begun, env, episode)
        if begun is None or _find(self._begun, env, episode + 1) is not None:
            return None
        first, last = int(self._begun["row"][begun]), end_row(self.steps) - 1
        if last < first:
            return None
        return Episode(self.folder.name, env, episode, first, last, before + len(self), None)

    def at_row(self, row: int, env: int, before: int) -> Episode | None:
        """The episode of an environment that holds a row of `steps`."""
        position = int(np.searchsorted(self._ended["row"], row))
        envs = self._ended["env"][position:]
        later = np.flatnonzero(envs == env)
        if len(later):
            found = self.ended(position + int(later[0]), before + position + int(later[0]))
            return found if found.first_row <= row else None
        begun = self._begun["episode"][self._begun["env"] == env]
        found_or_none = self.numbered(env, int(begun.max()), before) if len(begun) else None
        if found_or_none is None or not found_or_none.first_row <= row <= found_or_none.last_row:
            return None
        return found_or_none

    def row_of(self, timestep: int) -> int:
        """The row of `steps` in which training reached a timestep."""
        return max(0, -(-(timestep - self.begin_timestep) // max(1, self.num_envs)) - 1)

    def start(self, episode: Episode) -> dict[str, Any] | None:
        """What an episode began with, as recorded; None where nobody was told."""
        begun = _find(self._begun, episode.env, episode.episode)
        if begun is None or self._begun["row"][begun] != episode.first_row:
            return None
        piece = int(self._begun["piece"][begun])
        told = _record(self.folder.stream("starts"), piece).get("start")
        return dict(told) if told else None

    def scene_of(self, env: int) -> dict[str, Any]:
        """What the event `scene` tells of an environment's models; {} where none was recorded."""
        return next((s for s in self._scenes if env in s.get("envs", [env])), {})

    @property
    def steps(self) -> StreamFolder:
        return self.folder.stream("steps")

    @property
    def _ended(self) -> Table:
        return self._tables["episodes"]

    @property
    def _begun(self) -> Table:
        return self._tables["starts"]


def _where(record: Mapping[str, Any]) -> tuple[int, int, int]:
    return record["row"], record["env"], record["episode"]


def _asked(start: Mapping[str, Any]) -> list[float]:
    told = (start.get("start") or {}).get("command")
    numbers = told[: len(COMMANDS)] if isinstance(told, list) else []
    known = [float(v) if isinstance(v, int | float) else np.nan for v in numbers]
    return known + [np.nan] * (len(COMMANDS) - len(known))


def _find(table: Table, env: int, episode: int) -> int | None:
    """Where a table tells of an episode; of two that are named alike, the later."""
    found = np.flatnonzero((table["env"] == env) & (table["episode"] == episode))
    return int(found[-1]) if len(found) else None
