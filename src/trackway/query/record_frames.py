"""Streams of records as Polars frames: a line per record, a column per number or text in it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from trackway.errors import StreamError
from trackway.query.extras import need
from trackway.query.records import RecordFollower, flat
from trackway.storage.cache import cache_file, keep
from trackway.storage.places import StreamFolder

_log = logging.getLogger(__name__)

# What is there to be asked for, also of runs that never told it.
COLUMNS: Final[dict[str, dict[str, str]]] = {
    "episodes": {
        "env": "Int64",
        "episode": "Int64",
        "row": "Int64",
        "timestep": "Int64",
        "unix_s": "Float64",
        "return": "Float64",
        "length": "Int64",
        "terminated": "Boolean",
        "truncated": "Boolean",
        "termination_reason": "String",
        "is_success": "Boolean",
    },
    "updates": {"row": "Int64", "timestep": "Int64", "unix_s": "Float64", "n_updates": "Int64"},
    "events": {"event": "String", "row": "Int64", "timestep": "Int64", "unix_s": "Float64"},
    "starts": {
        "env": "Int64",
        "episode": "Int64",
        "row": "Int64",
        "timestep": "Int64",
        "unix_s": "Float64",
    },
}


def record_frame(folder: StreamFolder) -> Any:
    """A stream's records as a `polars.DataFrame`; of one that has ended, an index is kept.

    Raises:
        StreamError: It cannot be read.
    """
    pl = need("polars", "reading streams as tables", "query")
    growing = folder.ring_pointer.exists()
    found = [(path.name, path.stat()) for path in folder.path.iterdir()]
    files = sorted((name, told.st_size, told.st_mtime_ns) for name, told in found)
    kept = cache_file("records", folder.path.resolve(), repr(files))
    if not growing:
        try:
            return pl.read_parquet(io.BytesIO(kept.read_bytes()))
        except (OSError, pl.exceptions.PolarsError):
            pass  # none yet, or damaged: it is made again
    follower = RecordFollower(folder)
    frame = frame_of(follower.poll())
    for fault in follower.faults:
        _log.warning("left out: %s", fault)
    if not growing and not follower.faults:
        data = io.BytesIO()
        frame.write_parquet(data)
        keep(kept, data.getbuffer())
    return frame


def frame_of(records: Iterable[Mapping[str, Any]]) -> Any:
    """Records as a `polars.DataFrame`: dotted names, whole numbers and truths as such, lists as JSON."""
    pl = need("polars", "reading streams as tables", "query")
    columns: dict[str, list[Any]] = {}
    size = 0
    for record in records:
        for name, value in flat(record):
            column = columns.setdefault(name, [])
            column.extend([None] * (size - len(column)))
            # Twice in one record, by a key with a dot: the first counts.
            if len(column) == size:
                column.append(value)
        size += 1
    return pl.DataFrame(
        {
            name: _series(pl, name, column + [None] * (size - len(column)))
            for name, column in columns.items()
        }
    )


def _series(pl: Any, name: str, values: list[Any]) -> Any:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds <= {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pl.Series(name, values, pl.Int64)
    if kinds <= {int, float, bool}:
        numbers = [None if value is None else float(value) for value in values]
        return pl.Series(name, numbers, pl.Float64)
    texts = [v if v is None or isinstance(v, str) else orjson.dumps(v).decode() for v in values]
    return pl.Series(name, texts, pl.String)


def promised(stream: str) -> Any:
    """A frame without a line that has the columns every stream of that name has."""
    pl = need("polars", "reading streams as tables", "query")
    told = COLUMNS.get(stream, {"row": "Int64", "timestep": "Int64"})
    return pl.DataFrame(schema={name: getattr(pl, kind) for name, kind in told.items()})


def records_of(folder: StreamFolder | None, stream: str) -> Any:
    """The frame of a stream; one without a line where the stream is not there or cannot be read."""
    if folder is None:
        return promised(stream)
    try:
        return record_frame(folder)
    except StreamError:
        return promised(stream)
