"""Build segments for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from trackway.format.schema import Field, Schema
from trackway.format.segment import (
    Damage,
    Digests,
    Frame,
    SegmentHeader,
    encode_note,
    encode_rows,
    encode_seal,
    frames,
    open_segment,
)

SCHEMA = Schema(
    Field("qpos", "float64", (3,), unit="m", description="position of the trunk"),
    Field("reward", "float32", unit="1", description="reward of the step"),
    Field("done", "bool", unit="1", description="whether the episode ended"),
)
NUM_ENVS = 2


def header(**changes: Any) -> SegmentHeader:
    told: dict[str, Any] = {
        "attempt": "001-000000",
        "stream": "steps",
        "number": 0,
        "first_row": 0,
        "num_envs": NUM_ENVS,
        "schema": SCHEMA,
        "created_unix": 1735700000.0,
    }
    return SegmentHeader(**(told | changes))


def rows(first: int, count: int) -> list[np.ndarray]:
    """Columns whose values tell the row and the environment."""
    at = np.arange(first, first + count)[:, None] + np.arange(NUM_ENVS) / 10
    qpos = np.stack([at, -at, at * np.pi], axis=-1)
    return [qpos, at.astype(np.float32), (at * 10).astype(int) % 3 == 0]


def a_segment(frame_sizes=(3, 1, 5), *, seal: bool = True) -> bytes:
    head = header()
    data = head.encode()
    salt = open_segment(data).salt
    digests = Digests(SCHEMA, NUM_ENVS, head.previous)
    first = 0
    for count in frame_sizes:
        columns = rows(first, count)
        digests.update(b"".join(column.tobytes() for column in columns), count)
        data += encode_rows(salt, first, count, columns)
        first += count
    data += encode_note(salt, first, {"note": "waited", "times": 2, "seconds": 0.5})
    if seal:
        data += encode_seal(salt, first, first, digests.hex())
    return data


def parts(data: bytes) -> tuple[list[Frame], list[Damage]]:
    opening = open_segment(data)
    found = list(frames(data, opening.size, opening.salt))
    return (
        [part for part in found if isinstance(part, Frame)],
        [part for part in found if isinstance(part, Damage)],
    )
