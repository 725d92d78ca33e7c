"""A part of the archive, read and checked."""

from __future__ import annotations

import itertools
import os
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trackway.errors import FormatError
from trackway.format import pieces
from trackway.format.schema import Field
from trackway.storage.archive import texts
from trackway.storage.archive.any_part import ALL, Part
from trackway.storage.archive.checked import CheckedFile
from trackway.storage.archive.known import Known, look
from trackway.storage.archive.layout import Array, Columns, Layout, plain
from trackway.storage.archive.resimulated import Resimulated

_KEPT: Final = 64
_FEW: Final = 4


class ColumnPart(Part):
    """Line n is row `n % len(rows)` of environment `n // len(rows)`; row groups end anywhere."""

    @property
    def layout(self) -> Layout:
        return self._known.layout

    @cached_property
    def _again(self) -> Resimulated | None:
        """What makes values again that are not there; None where all are."""
        if self.header.resim is None:
            return None
        told, groups = os.fstat(self._file.fileno()), range(len(self._edges) - 1)
        key = self.path, told.st_ino, told.st_size, told.st_mtime_ns
        return Resimulated(key, self.header, self.layout, self._kept, partial(self._read, groups))

    @property
    def _edges(self) -> list[int]:
        """Where each row group begins, and the last one ends."""
        return self._known.edges

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        header = self.header
        if self._whole:
            return np.arange(header.first_row, header.next_row)
        rows: npt.NDArray[np.int64]
        (rows,) = self.columns(["row"], slice(0, header.rows), slice(0, 1))["row"]
        return rows

    @property
    def _whole(self) -> bool:
        """Whether no row is missing: then nobody needs a list of millions of them."""
        return self.header.rows == self.header.next_row - self.header.first_row

    def place(self, row: int) -> int:
        if self._whole:
            return min(max(0, row - self.header.first_row), self.header.rows)
        return super().place(row)

    def numbers(self, places: slice) -> npt.NDArray[np.int64]:
        if self._whole:
            return self.header.first_row + np.arange(places.start, places.stop)
        return super().numbers(places)

    def stripes(self, envs: slice = ALL) -> list[tuple[int, int]]:
        if self._again is not None:
            return self._again.stripes(envs)
        count, chosen = self.header.rows, range(self.header.num_envs)[envs]
        begin = chosen.start * count
        edges = [edge - begin for edge in self._edges if begin < edge < begin + count]
        if len(chosen) > 1:
            # Elsewhere in each environment: the row groups at an edge are decoded twice.
            edges = edges[_FEW - 1 :: _FEW]
        return list(itertools.pairwise([0, *edges, count]))

    def _read_together(self) -> list[list[Field]]:
        if self._again is None:
            return super()._read_together()
        # In one simulation.
        simulated = self._again.simulated_fields()
        kept = [[field] for field in self.header.schema if field not in simulated]
        return [*kept, simulated] if simulated else kept

    def values(self, fields: Sequence[str], places: slice, envs: slice = ALL) -> list[Array]:
        (values,) = self.blocks(fields, [places], envs)
        return values

    def blocks(
        self, fields: Sequence[str], places: Sequence[slice], envs: slice = ALL
    ) -> Iterator[list[Array]]:
        names = [n for field in fields for n in self.layout.names[field]]
        for near in self._again.near(places, envs) if self._again else [places][: len(places)]:
            begin = near[0].start
            columns = self.columns(names, slice(begin, near[-1].stop), envs)
            for place in near:
                # Rows are put together where they are wanted: a row group has twenty episodes.
                here = slice(place.start - begin, place.stop - begin)
                part = {name: column[:, here] for name, column in columns.items()}
                yield [self.layout.values(field, part) for field in fields]

    def columns(self, names: Sequence[str], places: slice, envs: slice = ALL) -> Columns:
        """Columns `[environments, n, …]` of the rows at these places.

        Raises:
            FormatError: A chunk is damaged, or what is missing cannot be simulated again.
        """
        if self._again is not None:
            return self._again.columns(names, places, envs)
        return self._kept(names, places, envs)[0]

    def _kept(self, names: Sequence[str], places: slice, envs: slice) -> tuple[Columns, Columns]:
        """Columns as the file has them, and of those that may lack values, where they do."""
        count, size = self.header.rows, places.stop - places.start
        chosen = range(self.header.num_envs)[envs]
        lines = [range(env * count + places.start, env * count + places.stop) for env in chosen]
        groups = sorted({group for part in lines for group in self._groups(part)})
        table = self._read(groups, names)
        # Groups may be left out between environments: where each one's lines begin in the table.
        sizes = [self._edges[group + 1] - self._edges[group] for group in groups]
        begins = dict(zip(groups, itertools.accumulate(sizes, initial=0), strict=False))
        starts = []
        for part in lines:
            group = self._groups(part)[0]
            starts.append(begins[group] + part.start - self._edges[group])

        def cut(flat: Array) -> Array:
            if len(flat) == len(chosen) * size:
                return flat.reshape(len(chosen), size, *flat.shape[1:])
            if len(starts) == 1:
                return flat[None, starts[0] : starts[0] + size]
            return np.stack([flat[start : start + size] for start in starts])

        # Of a table everything is made anew whenever it is asked for by its name: 1 ms of an episode.
        arrays = dict(zip(table.column_names, table.itercolumns(), strict=True))
        found = {name: cut(plain(arrays[name])) for name in names}
        if self.header.resim is None:
            return found, {}
        gaps = [column.name for column in table.schema if column.nullable]
        # They are filled in.
        found |= {name: found[name].copy() for name in gaps}
        return found, {name: cut(arrays[name].is_null().to_numpy()) for name in gaps}

    def _groups(self, lines: range) -> range:
        """Row groups that hold these lines."""
        return range(
            bisect_right(self._edges, lines.start) - 1, bisect_left(self._edges, lines.stop)
        )


class TextPart(Part):
    """Records; its rows are their pieces, as in the journal. Lines that nobody asks for are not read."""

    _latest: tuple[range, pa.Table] | None = None

    @cached_property
    def _counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Of each line the number of its first row, and the place after its last."""
        told = self._read(range(len(self._known.edges) - 1), ["row", "rows"])
        return told["row"].to_numpy(), np.cumsum(told["rows"].to_numpy(), dtype=np.int64)

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        first, ends = self._counts
        counts = np.diff(ends, prepend=0)
        rows: npt.NDArray[np.int64] = np.repeat(first - (ends - counts), counts)
        return rows + np.arange(len(rows))

    def values(self, fields: Sequence[str], places: slice, envs: slice = ALL) -> list[Array]:
        _, ends = self._counts
        begin = int(np.searchsorted(ends, places.start, "right"))
        end = int(np.searchsorted(ends, places.stop, "left")) + 1
        _, found = texts.to_pieces(self._lines(begin, max(begin, min(end, len(ends)))))
        at = places.start - (int(ends[begin - 1]) if begin else 0)
        return [found[field][at : at + places.stop - places.start, envs] for field in fields]

    def _read_together(self) -> list[list[Field]]:
        return [list(self.header.schema)]

    def _lines(self, begin: int, end: int) -> pa.Table:
        """Records, a line each; the row groups that were read last are kept for the next."""
        if begin == end:
            return texts.SCHEMA.empty_table()
        edges = self._known.edges
        groups = range(bisect_right(edges, begin) - 1, bisect_left(edges, end))
        if self._latest is None or self._latest[0] != groups:
            self._latest = groups, self._read(groups)
        return self._latest[1].slice(begin - edges[groups.start], end - begin)


# By place, size and time: a part that was damaged since is looked at again.
_known: OrderedDict[tuple[Path, int, int, int], Known] = OrderedDict()


def open_part(path: Path) -> ColumnPart | TextPart:
    """Open a part; every byte that is read is checked.

    Raises:
        FileNotFoundError: It is not there (any more).
        FormatError: It is damaged, or no part.
    """
    file = CheckedFile(path)
    try:
        told = os.fstat(file.fileno())
        key = path, told.st_ino, told.st_size, told.st_mtime_ns
        known = _known.pop(key, None) or look(file)
        _known[key] = known
        if len(_known) > _KEPT:
            _known.popitem(last=False)
        file.chunks = known.chunks
        kind = TextPart if known.header.kind == pieces.KIND else ColumnPart
        return kind(path, known, file)
    except (pa.ArrowException, FormatError, KeyError, TypeError, ValueError, OSError) as error:
        file.close()
        raise FormatError(f"{path}: {error}") from error
