"""Runs of one or more attempts with rows of known values, as a training and its resumes record them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trackway import Field, Recorder, Schema

NUM_ENVS = 2
SCHEMA = Schema(
    Field("action", "float32", (2,), unit="1", description="what the step was given"),
    Field("qpos", "float64", (3,), unit="m", description="the state that it led to"),
    Field("reward", "float32", unit="1", description="reward of the step"),
)
Change = Callable[[int, dict[str, np.ndarray]], None]


def row(number: int) -> dict[str, np.ndarray]:
    """Values that tell the row, the environment and the place."""
    at = np.arange(NUM_ENVS)[:, None] / 10 + number
    return {
        "action": (at + np.arange(2) / 100).astype(np.float32),
        "qpos": at * np.pi + np.arange(3),
        "reward": at[:, 0].astype(np.float32),
    }


def record(
    run: Path,
    rows: range,
    change: Change | None = None,
    *,
    segment_rows: int = 30,
    schema: Schema = SCHEMA,
    updates: Mapping[int, Mapping[str, Any]] | None = None,
) -> Path:
    """Add an attempt that makes these rows, counted from the beginning of the training.

    Args:
        run: The run's folder.
        rows: Their numbers; the first is where the attempt went on.
        change: Is given each row's number and values before they are written.
        segment_rows: Rows in a segment.
        schema: Which of the fields.
        updates: Records of the stream `updates`, by the row before which they were written.
    """
    with Recorder(run, segment_bytes=schema.row_bytes(NUM_ENVS) * segment_rows) as recorder:
        recorder.records("events").append(
            {"event": "begin", "timestep": rows.start * NUM_ENVS, "num_envs": NUM_ENVS}
        )
        steps = recorder.stream("steps", schema, NUM_ENVS)
        for number in rows:
            if updates and number in updates:
                told = {"timestep": number * NUM_ENVS, "row": number - rows.start, "unix_s": 0.0}
                recorder.records("updates").append(told | dict(updates[number]))
            values = row(number)
            if change is not None:
                change(number, values)
            steps.write({field.name: values[field.name] for field in schema})
    return run
