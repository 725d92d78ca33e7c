"""TensorBoard event files as records of updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trackway.errors import QueryError
from trackway.query.extras import need


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Records `{timestep, unix_s, <tag>: value, …}`, in the order of steps; one for all tags of a step.

    Every scalar is taken, none is left out by sampling. Files that break off are read up to there.

    Raises:
        QueryError: The folder holds no event files, or no scalars.
        MissingExtraError: tensorboard is not installed.
    """
    accumulators = need(
        "tensorboard.backend.event_processing.event_accumulator",
        "import from TensorBoard",
        "tensorboard",
    )
    found = sorted({path.parent for path in folder.rglob("events.out.tfevents.*")})
    if not found:
        raise QueryError(f"{folder} holds no event files of TensorBoard (events.out.tfevents.*)")
    records: dict[int, dict[str, Any]] = {}
    for part in found:
        accumulator = accumulators.EventAccumulator(
            str(part), size_guidance={"scalars": 0, "tensors": 0}
        )
        accumulator.Reload()
        prefix = "" if part == folder or len(found) == 1 else f"{part.relative_to(folder)}/"
        for tag in accumulator.Tags()["scalars"]:
            for event in accumulator.Scalars(tag):
                _put(records, event, prefix + tag, event.value)
        for tag in accumulator.Tags()["tensors"]:  # as TensorFlow 2 writes scalars
            for event in accumulator.Tensors(tag):
                value = event.tensor_proto
                if not value.tensor_shape.dim and len(value.float_val) == 1:
                    _put(records, event, prefix + tag, value.float_val[0])
    if not records:
        raise QueryError(f"the event files of {folder} hold no scalars")
    return iter(records[step] for step in sorted(records))


def _put(records: dict[int, dict[str, Any]], event: Any, tag: str, value: float) -> None:
    record = records.setdefault(event.step, {"timestep": event.step, "unix_s": event.wall_time})
    record["unix_s"] = max(record["unix_s"], event.wall_time)
    record[tag] = float(value)
