"""Which columns of a Parquet file a stream's fields become.

    qpos (19,) float64  ->  qpos_0 … qpos_18, a column each: compresses best, reads alone
    camera (84, 84)     ->  one column of lists, flattened: thousands of columns are nobody's wish

In memory a column is an array `[num_envs, rows]`, one of lists `[num_envs, rows, numbers]`: the
order of a part, environment by environment.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from trackway.format.schema import Field, Schema

Array = npt.NDArray[Any]
Columns = dict[str, Array]

MOST_COLUMNS: Final = 64
_LINE: Final = 64  # bytes of a cache line: where a column begins
_ROW: Final = pa.field("row", pa.int64(), False, {"unit": "1", "description": "number of the step"})
_ENV: Final = pa.field("env", pa.int32(), False, {"unit": "1", "description": "environment"})


class Layout:
    """Names and types of a stream's columns.

    Attributes:
        arrow: The Arrow schema, `row` and `env` first; unit and description with every column.
        names: By field, its columns.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.names: dict[str, list[str]] = {}
        self._fields = {field.name: field for field in schema}
        self._taken = {"row", "env", *(field.name for field in schema if _one_column(field))}
        columns = [_ROW, _ENV]
        for field in schema:
            added = list(self._columns_of(field))
            self.names[field.name] = [column.name for column in added]
            columns += added
        self.arrow = pa.schema(columns)

    def empty(self, num_envs: int, rows: int) -> Columns:
        """Columns with room for so many rows."""
        kinds = {
            name: ((num_envs, rows, *_list_shape(field)), np.dtype(stored_dtype(field)))
            for field in self.schema
            for name in self.names[field.name]
        }
        sizes = [
            -(-math.prod(shape) * dtype.itemsize // _LINE) * _LINE
            for shape, dtype in kinds.values()
        ]
        # In one piece: NumPy asks for huge pages, of which a fiftieth of the faults come.
        room = np.empty(sum(sizes), np.uint8)
        starts = itertools.accumulate(sizes, initial=0)
        return {
            name: np.ndarray(shape, dtype, room.data, start)
            for (name, (shape, dtype)), start in zip(kinds.items(), starts, strict=False)
        }

    def put(self, field: str, values: Array, columns: Columns, at: int) -> None:
        """Write values `[n, num_envs, *shape]` into columns, from row `at` on."""
        by_env = values.reshape(*values.shape[:2], -1).swapaxes(0, 1)
        end = at + len(values)
        names = self.names[field]
        if _list_shape(self._fields[field]):
            columns[names[0]][:, at:end] = by_env
            return
        for i, name in enumerate(names):
            columns[name][:, at:end] = by_env[:, :, i]

    def values(self, field: str, columns: Mapping[str, Array]) -> Array:
        """The values `[n, num_envs, *shape]` of a field."""
        told = self._fields[field]
        found = [columns[name].swapaxes(0, 1) for name in self.names[field]]
        num_rows, num_envs = found[0].shape[:2]
        if len(found) == 1:
            values = found[0].reshape(num_rows, num_envs, *told.shape)
        else:
            flat = np.empty((num_rows, num_envs, len(found)), found[0].dtype)
            for i, column in enumerate(found):
                flat[:, :, i] = column
            values = flat.reshape(num_rows, num_envs, *told.shape)
        return values.astype(told.dtype, copy=False)

    def lines(
        self,
        rows: npt.NDArray[np.int64],
        columns: Mapping[str, Array],
        chosen: slice,
        missing: Mapping[str, Array] = MappingProxyType({}),
    ) -> pa.Table:
        """Some of the lines of a part: columns as a table, sorted by environment and row.

        Args:
            rows: Numbers of the rows.
            columns: `[num_envs, rows, …]`.
            chosen: Which lines.
            missing: By column, `[num_envs, rows]`, where a value is left out.
        """
        lines = np.arange(chosen.start, chosen.stop)
        envs, places = np.divmod(lines, len(rows))
        arrays = [pa.array(rows[places]), pa.array(envs.astype(np.int32))]
        for column in self.arrow.names[2:]:
            values = np.ascontiguousarray(columns[column])
            gone = missing[column].reshape(-1)[chosen] if column in missing else None
            flat = pa.array(values.reshape(-1, *values.shape[2:])[chosen].ravel(), mask=gone)
            kind = self.arrow.field(column).type
            if pa.types.is_fixed_size_list(kind):
                flat = pa.FixedSizeListArray.from_arrays(flat, type=kind)
            arrays.append(flat)
        return pa.Table.from_arrays(arrays, schema=self.with_gaps(missing))

    def with_gaps(self, missing: Collection[str]) -> pa.Schema:
        """The Arrow schema, these columns nullable."""
        return pa.schema([c.with_nullable(True) if c.name in missing else c for c in self.arrow])

    def _columns_of(self, field: Field) -> list[pa.Field]:
        kind = pa.from_numpy_dtype(stored_dtype(field))
        if _one_column(field):
            if field.shape:
                kind = pa.list_(pa.field("element", kind, False), math.prod(field.shape))
            # A field of a stream may be called as a column of ours is.
            name = self._free(field.name) if field.name in {"row", "env"} else field.name
            return [pa.field(name, kind, False, _told(field, ()))]
        indices = itertools.product(*map(range, field.shape))
        return [
            pa.field(self._free(_numbered(field.name, index)), kind, False, _told(field, index))
            for index in indices
        ]

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def to_table(schema: Schema, rows: npt.NDArray[np.int64], columns: Mapping[str, Array]) -> pa.Table:
    """Rows that a `Reader` gave, `[n, num_envs, *shape]` by field, as the lines of a part."""
    layout = Layout(schema)
    num_envs = next(iter(columns.values())).shape[1]
    room = layout.empty(num_envs, len(rows))
    for field, values in columns.items():
        layout.put(field, values, room, 0)
    return layout.lines(rows, room, slice(0, num_envs * len(rows)))


def plain(column: pa.ChunkedArray) -> Array:
    """A column as one array; `[n, numbers]` for lists."""
    kind = column.type
    width = kind.list_size if pa.types.is_fixed_size_list(kind) else 0
    arrays = [
        (chunk.flatten() if width else chunk).to_numpy(zero_copy_only=False)
        for chunk in column.iterchunks()
    ]
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return joined.reshape(-1, width) if width else joined


def stored_dtype(field: Field) -> str:
    """Half floats are widened, which loses nothing: not every engine knows them."""
    return "float32" if field.dtype == "float16" else field.dtype


def _one_column(field: Field) -> bool:
    return not field.shape or math.prod(field.shape) > MOST_COLUMNS


def _list_shape(field: Field) -> tuple[int, ...]:
    """Shape of a column's value: `()`, but for a column of lists."""
    return (math.prod(field.shape),) if field.shape and _one_column(field) else ()


def _numbered(name: str, index: tuple[int, ...]) -> str:
    return "_".join([name, *map(str, index)])


def _told(field: Field, index: tuple[int, ...]) -> dict[str, str | bytes]:
    return {
        "unit": field.unit,
        "description": field.description,
        "field": field.name,
        "index": orjson.dumps(index),
    }
