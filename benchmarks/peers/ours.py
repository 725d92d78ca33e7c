"""Trackway, in each of the ways a row may come to it, and the floor beneath them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from peers.peer import ONE, SCHEMA, Columns, Null
from trackway import Recorder, read
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader


class MemoryCopy(Null):
    """A copy into arrays that are there already: the floor, and lost with the process."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        self.rows = [
            {f.name: np.zeros((num_envs, *f.shape), f.dtype) for f in SCHEMA} for _ in range(150)
        ]
        self.at = 0

    def write(self, columns: Columns) -> None:
        row = self.rows[self.at]
        for name, column in columns.items():
            row[name][...] = column
        self.at = (self.at + 1) % 150


class Trackway(Null):
    """Ours: columns into the ring, one by one."""

    def __init__(self, path: Path, num_envs: int) -> None:
        super().__init__(path, num_envs)
        self.recorder = Recorder(path, compact=False)
        self.stream = self.recorder.stream("steps", SCHEMA, num_envs)

    def write(self, columns: Columns) -> None:
        self.stream.write(columns)

    def close(self) -> None:
        self.recorder.close()

    @staticmethod
    def recovered(path: Path) -> int:
        return Trackway.column(path)

    @staticmethod
    def column(path: Path) -> int:
        return int(read(path, "steps", fields=[ONE])[ONE].size)

    @staticmethod
    def episode(path: Path, num_envs: int, first: int, last: int) -> int:
        reader = Reader(find_stream(path, "steps"), first=first, env=1)
        found = reader.poll(limit=last - first)
        return sum(column[: last - first].size for column in found.columns.values())


class TrackwayRegistered(Trackway):
    """Ours, from arrays that never move: what probes of a batch hand over."""

    gather: Any = None

    def write(self, columns: Columns) -> None:
        if self.gather is None:
            self.gather = self.stream.gather(columns)
        self.gather.write(self.stream.at)
        self.stream.commit()


class TrackwayPacked(Trackway):
    """Ours, from a source that lies in memory as a row does: one copy."""

    def write(self, columns: Columns) -> None:
        self.stream.packed[...] = columns["packed"]
        self.stream.commit()


class TrackwayInPlace(Trackway):
    """Ours, when the environments wrote into the ring themselves: the commit alone."""

    def write(self, columns: Columns) -> None:
        self.stream.commit()
