"""Streams of every kind of field, as sealed segments to be compacted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trackway.clock import Clock
from trackway.format import pieces
from trackway.format.schema import Field, Schema
from trackway.storage.journal import Journal, JournalSpec
from trackway.storage.places import StreamFolder, new_attempt

SCHEMA = Schema(
    Field("qpos", "float64", (3,), "m", "position of the trunk"),
    Field("inertia", "float32", (2, 2), "kg m²", "of the trunk"),
    Field("camera", "uint8", (9, 9), "1", "a picture"),
    Field("noise", "float16", (), "1", "half floats"),
    Field("row", "int64", (), "1", "called as a column of ours is"),
    Field("qpos_1", "int32", (), "1", "called as a part of another field would be"),
    Field("done", "bool", (), "1", "whether the episode ended"),
)
NUM_ENVS = 3


def values(first: int, count: int, num_envs: int = NUM_ENVS) -> dict[str, np.ndarray]:
    """`[count, num_envs, *shape]` by field; some are NaN, infinite, and minus zero."""
    at = np.arange(first, first + count)[:, None] + np.arange(num_envs) / 10
    luck = np.random.default_rng(first)
    qpos = np.stack([at, -at * np.pi, np.sin(at)], axis=-1)
    qpos[0, 0] = [np.nan, np.inf, -0.0]
    return {
        "qpos": qpos,
        "inertia": luck.normal(size=(count, num_envs, 2, 2)).astype(np.float32),
        "camera": luck.integers(0, 255, (count, num_envs, 9, 9)).astype(np.uint8),
        "noise": luck.normal(size=(count, num_envs)).astype(np.float16),
        "row": (at * 1000).astype(np.int64),
        "qpos_1": np.broadcast_to(np.int32(7), at.shape).copy(),
        "done": (at * 10).astype(int) % 7 == 0,
    }


class Recorded:
    """A stream, sealed after every batch that is given."""

    def __init__(
        self, run: Path, clock: Clock, schema: Schema = SCHEMA, num_envs: int = NUM_ENVS
    ) -> None:
        self.run, self.clock, self.schema = run, clock, schema
        self.folder: StreamFolder = new_attempt(run).stream("steps")
        self.spec = JournalSpec("columns", num_envs, schema, 1 << 40)
        self.journal = Journal(self.folder, self.spec, clock)
        self.given: dict[str, list[np.ndarray]] = {field.name: [] for field in schema}
        self.rows: list[int] = []

    def batch(self, count: int) -> None:
        """Some rows, in two frames, and the segment is sealed."""
        for part in (count // 2, count - count // 2):
            if part:
                columns = values(self.journal.next_row, part, self.spec.num_envs)
                self.rows += range(self.journal.next_row, self.journal.next_row + part)
                self.journal.append(list(columns.values()))
                for name, column in columns.items():
                    self.given[name].append(column)
        self.journal.roll()

    def finish(self) -> None:
        self.journal.finish("closed")

    def everything(self) -> dict[str, np.ndarray]:
        return {name: np.concatenate(parts) for name, parts in self.given.items()}


def record_texts(run: Path, clock: Clock, records: list[bytes], per_segment: int) -> StreamFolder:
    """A stream of records; segments are cut after so many pieces, also within a record."""
    folder = new_attempt(run).stream("events")
    spec = JournalSpec(pieces.KIND, 1, pieces.SCHEMA, per_segment)
    journal = Journal(folder, spec, clock)
    for record in records:
        for start in range(0, len(record), pieces.PIECE_BYTES):
            piece = record[start : start + pieces.PIECE_BYTES]
            flags = pieces.FIRST * (start == 0) | pieces.LAST * (start + 240 >= len(record))
            data = np.zeros((1, 1, pieces.PIECE_BYTES), np.uint8)
            data[0, 0, : len(piece)] = np.frombuffer(piece, np.uint8)
            if journal.room <= 0:
                journal.roll()
            journal.append(
                [np.full((1, 1), flags, np.uint8), np.full((1, 1), len(piece), np.uint16), data]
            )
    journal.finish("closed")
    return folder
