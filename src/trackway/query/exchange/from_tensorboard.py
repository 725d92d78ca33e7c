"""TensorBoard event files as records of updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trackway.errors import QueryError
from trackway.query.extras import need

# How the names of its files begin.
EVENTS: Final = "events.out.tfevents."


def read(source: Path) -> Iterator[dict[str, Any]]:
    """Records `{timestep, unix_s, <tag>: value, …}`, in the order of steps; one for all tags of a step.

    Every scalar is taken, none is left out by sampling. Files that break off are read up to there.

    Args:
        source: An event file, or a folder of them.

    Raises:
        QueryError: There are no event files, or they hold no scalars.
        MissingExtraError: tensorboard is not installed.
    """
    accumulators = need(
        "tensorboard.backend.event_processing.event_accumulator",
        "import from TensorBoard",
        "tensorboard",
    )
    files = [source] if source.is_file() else source.rglob(f"{EVENTS}*")
    found = sorted({path if path == source else path.parent for path in files})
    if not found:
        raise QueryError(f"{source} holds no event files of TensorBoard ({EVENTS}*)")
    records: dict[int, dict[str, Any]] = {}
    for part in found:
        accumulator = accumulators.EventAccumulator(
            str(part), size_guidance={"scalars": 0, "tensors": 0}
        )
        accumulator.Reload()
        prefix = "" if part == source or len(found) == 1 else f"{part.relative_to(source)}/"
        for tag in accumulator.Tags()["scalars"]:
            for event in accumulator.Scalars(tag):
                _put(records, event, prefix + tag, event.value)
        for tag in accumulator.Tags()["tensors"]:  # as TensorFlow 2 writes scalars
            for event in accumulator.Tensors(tag):
                value = event.tensor_proto
                if not value.tensor_shape.dim and len(value.float_val) == 1:
                    _put(records, event, prefix + tag, value.float_val[0])
    if not records:
        raise QueryError(f"the event files of {source} hold no scalars")
    return iter(records[step] for step in sorted(records))


def _put(records: dict[int, dict[str, Any]], event: Any, tag: str, value: float) -> None:
    record = records.setdefault(event.step, {"timestep": event.step, "unix_s": event.wall_time})
    record["unix_s"] = max(record["unix_s"], event.wall_time)
    record[tag] = float(value)
