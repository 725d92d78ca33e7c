"""One stream of one attempt, to be drawn while it grows: pyramids of the fields asked for."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.errors import QueryError
from trackway.format.schema import Field
from trackway.query import pyramid_file
from trackway.query.aside import Aside
from trackway.query.axis import Axis
from trackway.query.downsample import Buckets, Ints, as_floats, downsample_at
from trackway.query.pyramid import BASE_ROWS, Pyramid
from trackway.recorder.child import start_child
from trackway.storage.cache import cache_file, identity_of
from trackway.storage.parts import part_header
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader, Records, describe

Array = npt.NDArray[Any]

# More is no faster, and a server that reads many runs has to stay small.
_CHUNK_BYTES: Final = 4 << 20
# Of all columns together: a run that is watched has dozens of them.
_TAIL_BYTES: Final = 8 << 20
# So much of the stream is read again for rows that no pyramid tells apart, at most.
_RAW_BYTES: Final = 64 << 20
_AXIS_POINTS: Final = 4096
_WORTH_KEEPING_ROWS: Final = 4096
# Of one environment, where rows may have to be simulated again, 0.1 ms each.
_SIMULATED_ROWS: Final = 10_000
# A child takes half a second to start.
_WORTH_A_CHILD_VALUES: Final = 10_000_000
_CHILD: Final = "trackway.query.upkeep"


class StreamView:
    """Answers from pyramids, and from the rows themselves where few are asked for.

    Attributes:
        fields: By name.
        num_envs: Environments in a row.
        kind: `columns` or `json`.
    """

    def __init__(self, folder: StreamFolder, aside: Aside | None = None) -> None:
        """Look at a stream; what need not be held in memory is laid `aside`.

        Raises:
            StreamError: It cannot be read.
        """
        schema, self.num_envs, self.kind = describe(folder)
        self.fields: dict[str, Field] = {field.name: field for field in schema}
        self.folder = folder
        self._aside = aside
        self._row_bytes = schema.row_bytes(self.num_envs)
        self._columns: dict[str, _Column] = {}
        self._readers: list[tuple[list[str], Reader]] = []

    def follow(self, *fields: str) -> bool:
        """From now on these fields are kept up to date by `refresh`.

        Returns:
            Whether one of them was not followed before.

        Raises:
            QueryError: The stream has no such field.
        """
        new = [name for name in dict.fromkeys(fields) if name not in self._columns]
        begins: dict[int, list[str]] = {}
        for name in new:
            column = _Column(self.folder, self._field(name), self.num_envs, self._aside)
            self._columns[name] = column
            begins.setdefault(column.pyramid.next_row, []).append(name)
        for first, names in begins.items():
            self._readers.append((names, Reader(self.folder, names, first)))
        return bool(new)

    def read_apart(self, *fields: str) -> None:
        """Let a child make the pyramids of these fields, where much lies in parts and none are kept.

        Decoding Parquet takes 60 MB that a server would not get rid of: the library, and what its
        memory looks like afterwards. Where the child fails, `refresh` reads what it would have.
        """
        new = [n for n in fields if n not in self._columns and not _place(self.folder, n).exists()]
        parts = self.folder.parts()
        header = part_header(parts[-1].path) if new and parts else None
        if header is None or header.next_row * self.num_envs * len(new) < _WORTH_A_CHILD_VALUES:
            return
        with contextlib.suppress(OSError):
            start_child(_CHILD, str(self.folder.path.resolve()), *new).wait()

    def refresh(self) -> bool:
        """Take in what was committed since; whether there was something."""
        grown = False
        for names, reader in self._readers:
            each = sum(self._columns[name].row_bytes for name in names)
            limit = max(BASE_ROWS, _CHUNK_BYTES // each)
            while len(found := reader.poll(limit)):
                grown = True
                for name in names:
                    self._columns[name].take(found, _TAIL_BYTES // len(self._columns))
                if len(found) < limit:
                    break  # what came meanwhile is for the next time
        # Readers that have come to the same row read on as one.
        nexts = {self._columns[names[0]].pyramid.next_row for names, _ in self._readers}
        if len(self._readers) > 1 and len(nexts) == 1:
            everything = [name for names, _ in self._readers for name in names]
            self._readers = [(everything, Reader(self.folder, everything, nexts.pop()))]
        return grown

    @property
    def taken(self) -> int | None:
        """The number after the last row that was taken in; None where no field is followed."""
        return min((c.pyramid.next_row for c in self._columns.values()), default=None)

    def save(self, ended: bool) -> None:
        """Keep pyramids that have grown much, or all of them once the stream has ended."""
        for column in self._columns.values():
            column.save(ended)

    def next_row(self, field: str) -> int:
        """The number after the last row that was taken in."""
        self.follow(field)
        return self._columns[field].pyramid.next_row

    def buckets(
        self, field: str, first: int, end: int, buckets: int, *, env: int | None, index: int
    ) -> Buckets:
        """At most about `buckets` buckets of one number of a field, from row `first` to before `end`.

        Args:
            field: Its name.
            first: The first row.
            end: The row after the last.
            buckets: How many; where a row is wider than a bucket, each row is one.
            env: Of which environment; None: over all of them.
            index: Which number of the field, counted through its shape.

        Raises:
            QueryError: There is no such field, environment or number.
        """
        each = math.prod(self._field(field).shape)
        if not 0 <= index < each:
            raise QueryError(f"{field} has numbers 0 to {each - 1}, not {index}")
        if env is not None and not 0 <= env < self.num_envs:
            raise QueryError(f"{self.folder.name} has environments 0 to {self.num_envs - 1}")
        self.follow(field)
        column = self._columns[field]
        chosen: int | Ints = (
            env * each + index if env is not None else np.arange(index, column.series, each)
        )
        end = min(end, column.pyramid.next_row)
        if (end - first) // max(1, buckets) < 2 * BASE_ROWS:
            rows = self._rows(column, first, end)
            if rows is not None:
                return _from_rows(*rows, chosen, first, end, buckets)
        made = column.pyramid.query(first, end, buckets, chosen)
        return made if env is not None else made.over_series()

    def own_axis(self, field: str) -> Axis | None:
        """The axis that a rising number of the stream itself makes, such as `unix_s`."""
        if field not in self.fields or self.fields[field].shape:
            return None
        if self.follow(field):
            self.refresh()
        pyramid = self._columns[field].pyramid
        told = pyramid.query(0, pyramid.next_row, _AXIS_POINTS, 0)
        if not len(told):
            return None
        # Where each bucket begins and, in the last, where it ends.
        rows = np.append(told.rows, pyramid.next_row - 1)
        x = np.append(told.first, told.last[-1])
        return Axis.through(rows, x, origin=float(x[0]))

    def _rows(self, column: _Column, first: int, end: int) -> tuple[Ints, Array] | None:
        """Rows themselves, `[n, series]`, where that is cheap."""
        if first >= column.tail_first:
            return column.tail.between(first, end)
        # A part gives a column alone, a journal whole rows.
        parts = self.folder.parts()
        each = column.row_bytes if parts else self._row_bytes
        if (end - first) * each > _RAW_BYTES:
            return None
        header = part_header(parts[0].path) if parts else None
        if header and header.resim and end - first > _SIMULATED_ROWS // self.num_envs:
            return None  # the pyramid knows them, and nobody has to simulate them again
        reader = Reader(self.folder, [column.field.name], first)
        found = reader.poll(end - first)
        kept = slice(0, int(np.searchsorted(found.rows, end)))
        values = found[column.field.name][kept]
        return found.rows[kept], values.reshape(len(values), -1)

    def _field(self, name: str) -> Field:
        if name not in self.fields:
            raise QueryError(
                f"stream {self.folder.name!r} has no field {name!r}; "
                f"it has: {', '.join(self.fields)}"
            )
        return self.fields[name]


class _Column:
    """A field's pyramid over all environments and numbers, and its newest rows as they are."""

    def __init__(
        self, folder: StreamFolder, field: Field, num_envs: int, aside: Aside | None
    ) -> None:
        self.field = field
        self.series = num_envs * math.prod(field.shape)
        self.row_bytes = field.value_bytes * num_envs
        self._identity = {
            **identity_of(folder.attempt),
            "stream": folder.name,
            "num_envs": num_envs,
            "field": field.to_json(),
        }
        self._file = _place(folder, field.name)
        kept = pyramid_file.load(self._file, self._identity, aside)
        dtype = as_floats(np.empty(0, field.dtype)).dtype
        self.pyramid = kept or Pyramid(self.series, dtype, aside)
        self._saved = self.pyramid.next_row
        self.tail = _Tail(self.series, dtype)

    def take(self, found: Records, tail_bytes: int) -> None:
        """Take in rows that follow, and hold so much of the newest as they are."""
        values = found[self.field.name].reshape(len(found), -1)
        self.pyramid.append(values, found.rows)
        self.tail.append(found.rows, values, tail_bytes)

    @property
    def tail_first(self) -> int:
        """The first row that is held as it is."""
        return self.pyramid.next_row if self.tail.first is None else self.tail.first

    def save(self, ended: bool) -> None:
        grown = self.pyramid.next_row - self._saved
        worth = max(_WORTH_KEEPING_ROWS, 0 if ended else self._saved // 8)
        if grown >= worth and pyramid_file.save(self._file, self.pyramid, self._identity):
            self._saved = self.pyramid.next_row


class _Tail:
    """The newest rows as they are: half of what may be held at least, once there are so many."""

    def __init__(self, series: int, dtype: np.dtype[Any]) -> None:
        self._rows, self._values = np.empty(0, np.int64), np.empty((0, series), dtype)
        self._size = 0

    @property
    def first(self) -> int | None:
        """The first row of them; None where there is none."""
        return int(self._rows[0]) if self._size else None

    def append(self, rows: Ints, values: Array, most_bytes: int) -> None:
        """Rows that follow, and how much may be held."""
        most = max(1, most_bytes // (8 + self._values.itemsize * self._values.shape[1]))
        rows, values = rows[-most:], values[-most:]
        if self._size + len(rows) > len(self._rows):
            kept = slice(max(0, self._size - most // 2), self._size)
            self._size = kept.stop - kept.start
            room = min(max(2 * self._size, 16), most) + len(rows)
            for name in ("_rows", "_values"):
                array = getattr(self, name)
                larger = np.empty((room, *array.shape[1:]), array.dtype)
                larger[: self._size] = array[kept]
                setattr(self, name, larger)
        end = self._size + len(rows)
        self._rows[self._size : end], self._values[self._size : end] = rows, values
        self._size = end

    def between(self, first: int, end: int) -> tuple[Ints, Array]:
        """Rows from `first` to before `end`, and what they hold, `[n, series]`."""
        kept = slice(*np.searchsorted(self._rows[: self._size], (first, end)))
        return self._rows[kept], self._values[kept]


def _place(folder: StreamFolder, field: str) -> Path:
    run = folder.attempt.run.resolve()
    return cache_file("pyramids", run, folder.attempt.name, folder.name, field)


def _from_rows(
    rows: Ints, values: Array, chosen: int | Ints, first: int, end: int, buckets: int
) -> Buckets:
    if not len(rows):
        return downsample_at(np.empty(0), [0])
    picked = values[:, chosen]
    count = min(buckets, len(rows))
    cuts = np.searchsorted(rows, np.linspace(first, end, count + 1)) if count < len(rows) else None
    edges = np.arange(len(rows) + 1) if cuts is None else np.unique(cuts)
    made = downsample_at(picked, edges)
    return Buckets(rows[made.rows], rows[made.ends - 1] + 1, *made.parts())
