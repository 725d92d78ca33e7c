"""Streams of columns as Polars LazyFrames: a line per row and environment, as in the Parquet parts.

Only the columns that a question needs are read, by a `Reader` that is asked for these fields. It
takes Parquet parts as well: Polars reads them too, but knows nothing of their checksums.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from trackway.format.schema import Field, Schema
from trackway.query.extras import need
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader, Records, describe

_log = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 32 << 20


def step_frame(folder: StreamFolder, begin: int | None = None) -> Any:
    """A stream as a `polars.LazyFrame`, live rows included.

    Args:
        folder: The stream.
        begin: Adds the column `timestep`: that of a row is `begin + (row + 1) * num_envs`.

    Raises:
        StreamError: It cannot be read.
    """
    pl = need("polars", "reading streams as tables", "query")
    need("pyarrow", "reading streams as tables", "query")
    from trackway.storage.archive.layout import Layout

    schema, num_envs, _ = describe(folder)
    names = Layout(schema).names
    nothing = Records(
        np.empty(0, np.int64),
        {f.name: np.empty((0, num_envs, *f.shape), f.dtype) for f in schema},
    )
    everything = ["row", "env", *(name for columns in names.values() for name in columns)]
    kinds = dict(_lines(pl, nothing, schema, names, num_envs, everything).schema)

    def read(
        with_columns: list[str] | None, predicate: Any, n_rows: int | None, batch_size: int | None
    ) -> Iterator[Any]:
        wanted = list(kinds) if with_columns is None else with_columns
        fields = [name for name, columns in names.items() if set(columns) & set(wanted)]
        # Rows must be known even where only their numbers are asked for.
        asked = fields or [min(schema, key=lambda field: field.value_bytes).name]
        reader = Reader(folder, asked)
        each = sum(f.value_bytes for f in schema if f.name in asked) * num_envs
        while len(found := reader.poll(max(1, _CHUNK_BYTES // each))):
            lines = _lines(pl, found, schema, names, num_envs, wanted)
            if predicate is not None:
                lines = lines.filter(predicate)
            if n_rows is not None:
                lines = lines.head(n_rows)
                n_rows -= len(lines)
            yield lines
            if n_rows == 0:
                return
        for fault in reader.faults:
            _log.warning("left out: %s", fault)

    from polars.io.plugins import register_io_source

    frame = register_io_source(read, schema=kinds)
    if begin is not None and "timestep" not in kinds:
        frame = frame.with_columns(timestep=begin + (pl.col("row") + 1) * num_envs)
    return frame


def _lines(
    pl: Any,
    found: Records,
    schema: Schema,
    names: dict[str, list[str]],
    num_envs: int,
    wanted: list[str],
) -> Any:
    """Rows as lines: row by row, environment by environment."""
    made: dict[str, Any] = {
        "row": np.repeat(found.rows, num_envs),
        "env": np.tile(np.arange(num_envs, dtype=np.int32), len(found)),
    }
    for field in schema:
        columns = names[field.name]
        if field.name not in found.columns or not set(columns) & set(wanted):
            continue
        values = _stored(field, found[field.name]).reshape(
            len(found) * num_envs, math.prod(field.shape)
        )
        if len(columns) > 1:
            made |= {name: values[:, i] for i, name in enumerate(columns)}
        elif field.shape:
            made[columns[0]] = pl.Series(values, dtype=pl.Array(_kind(pl, values), values.shape[1]))
        else:
            made[columns[0]] = values[:, 0]
    return pl.DataFrame({name: made[name] for name in wanted})


def _stored(field: Field, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values.astype(np.float32) if field.dtype == "float16" else values


def _kind(pl: Any, values: np.ndarray[Any, Any]) -> Any:
    return pl.Series(values[:0, 0]).dtype
