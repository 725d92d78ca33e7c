"""Buckets of buckets: any stretch of a column at any zoom without reading the column.

    level 2   ██████████████████████████████   16,384 rows a bucket
    level 1   ███████ ███████ ███████ ██████    2,048
    level 0   █ █ █ █ █ █ █ █ █ █ █ █ █ █ █       256, the only one that is kept on disk

Buckets lie at multiples of their width, counted in row numbers, so that rows may be appended in
any portions, also with gaps: the last bucket of each level grows until it is full.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.query.downsample import PARTS, Buckets, Ints, as_floats, reduce

Array = npt.NDArray[Any]

BASE_ROWS: Final = 256
FACTOR: Final = 8
# So many buckets of a level become one that is asked for, at least: their edges are then at most
# a quarter of its width from where they were asked to be.
_FINE: Final = 4
_RARE: Final = ("nan", "inf")


class Pyramid:
    """What each of `series` columns held, bucket by bucket, level by level.

    Attributes:
        series: How many columns.
        next_row: The number after the last row that was appended.
    """

    def __init__(self, series: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.series, self.next_row = series, 0
        self._dtype = np.dtype(dtype)
        self._levels = [_Level(series, self._dtype, BASE_ROWS)]

    def append(self, values: npt.ArrayLike, rows: Ints | None = None) -> None:
        """Take in rows that follow.

        Args:
            values: `[n, ...]`: what lies behind the first dimension are the series.
            rows: Their numbers, rising, none before `next_row`; the next ones when not given.
        """
        array = np.asarray(values)
        if not len(array):
            return
        if rows is None:
            rows = np.arange(self.next_row, self.next_row + len(array))
        columns = as_floats(array).reshape(len(array), -1)
        starts = np.flatnonzero(np.diff(rows // BASE_ROWS, prepend=-1))
        made = reduce(np.ascontiguousarray(columns.T, self._dtype), starts)
        self.add(rows[starts] // BASE_ROWS, made, int(rows[-1]) + 1)

    def add(self, index: Ints, made: Buckets, next_row: int) -> None:
        """Take in buckets of the lowest level.

        Args:
            index: Which they are: their first row by `BASE_ROWS`.
            made: `[series, n]`.
            next_row: The number after their last row.
        """
        self.next_row = next_row
        changed = self._levels[0].add(index, made)
        for number in range(1, len(self._levels)):
            changed = self._levels[number].build(self._levels[number - 1], changed)
        while self._levels[-1].size > FACTOR:
            level = _Level(self.series, self._dtype, self._levels[-1].rows_each * FACTOR)
            level.build(self._levels[-1], 0)
            self._levels.append(level)

    def base(self) -> tuple[Ints, Buckets]:
        """The lowest level, `[series, n]`: which buckets, and what they held."""
        return self._levels[0].index, self._levels[0].buckets(0, self._levels[0].size, ())

    def query(
        self, first: int, end: int, buckets: int, series: int | slice | Ints = slice(None)
    ) -> Buckets:
        """At most about `buckets` buckets from row `first` to before row `end`.

        Edges are moved to the nearest of the level that is used: what a bucket covers is in its
        `rows` and `ends`. Rows that are missing make no bucket.

        Args:
            first: The first row wanted.
            end: The row after the last.
            buckets: How many.
            series: Which series; of one, the arrays are `[buckets]`.
        """
        first, end = max(0, first), min(end, self.next_row)
        wanted = max(1, (end - first) // max(1, buckets))
        level = self._levels[0]
        for higher in self._levels[1:]:
            if higher.rows_each * _FINE <= wanted:
                level = higher
        edges = np.linspace(first, max(first, end), max(1, buckets) + 1)
        cuts = np.unique(np.rint(edges / level.rows_each).astype(np.int64))
        if len(cuts) < 2:
            cuts = np.array([first // level.rows_each, -(-max(end, 1) // level.rows_each)])
        cuts[-1] = max(cuts[-1], -(-end // level.rows_each))
        return level.query(cuts, self.next_row, series)

    @property
    def nbytes(self) -> int:
        return sum(level.nbytes for level in self._levels)


class _Level:
    """Buckets of one width, in arrays `[series, capacity]` that grow by a quarter.

    A server holds the pyramids of all that is looked at, so they are small: how many values there
    are is held once for all series, and what is not finite only where there was something so.
    """

    def __init__(self, series: int, dtype: np.dtype[Any], rows_each: int) -> None:
        self.rows_each, self.size = rows_each, 0
        self.series = series
        self._nothing = np.zeros((1, 1), np.int32 if rows_each < 2**24 else np.int64)
        self._parts: dict[str, Array | None] = {n: np.empty((series, 0), dtype) for n in PARTS}
        self._parts["sum"] = np.empty((series, 0))
        self._parts["count"] = self._nothing[:, :0]
        self._parts |= dict.fromkeys(_RARE)  # None stands for zeros
        self._index = np.empty(0, np.int64)

    @property
    def index(self) -> Ints:
        return self._index[: self.size]

    @property
    def nbytes(self) -> int:
        held = (part for part in self._parts.values() if part is not None)
        return sum(part.nbytes for part in held) + self._index.nbytes

    def buckets(self, first: int, end: int, series: Any) -> Buckets:
        rows = self._index[first:end] * self.rows_each
        shape = self.series, len(rows)
        chosen = (
            np.broadcast_to(self._nothing if part is None else part[:, first:end], shape)
            for part in self._parts.values()
        )
        return Buckets(rows, rows + self.rows_each, *(part[series] for part in chosen))

    def add(self, index: Ints, made: Buckets) -> int:
        """Append; a bucket that is there already goes on. Returns the first that changed."""
        begin = self.size
        if begin and self._index[begin - 1] == index[0]:
            begin -= 1
            made = _merged(self.buckets(begin, begin + 1, ()), made)
        self._put(begin, index, made)
        return begin

    def build(self, lower: _Level, changed: int) -> int:
        """Make again what stands on the buckets of `lower` from `changed` on."""
        if changed >= lower.size:
            return self.size
        groups = lower.index // FACTOR
        begin_lower = int(np.searchsorted(groups, groups[changed]))
        part = groups[begin_lower:]
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        begin = int(np.searchsorted(self.index, part[0]))
        self._put(begin, part[starts], _joined(lower.buckets(begin_lower, lower.size, ()), starts))
        return begin

    def query(self, cuts: Ints, next_row: int, series: Any) -> Buckets:
        index = self.index
        begin, end = np.searchsorted(index, cuts[0]), np.searchsorted(index, cuts[-1])
        chosen = slice(series, series + 1) if isinstance(series, int) else series
        part = self.buckets(int(begin), int(end), (chosen, slice(None)))
        starts = np.searchsorted(index[begin:end], cuts[:-1])
        # A cut without a bucket before the next one is no bucket.
        kept = np.flatnonzero(np.diff(starts, append=end - begin) > 0)
        if not len(kept):
            return part.each(
                lambda array: array[0, :0] if isinstance(series, int) else array[:, :0]
            )
        made = _joined(part, starts[kept])
        made = Buckets(
            cuts[:-1][kept] * self.rows_each,
            np.minimum(cuts[1:][kept] * self.rows_each, next_row),
            *made.parts(),
        )
        return made.each(lambda array: array[0]) if isinstance(series, int) else made

    def _put(self, begin: int, index: Ints, made: Buckets) -> None:
        self.size = begin + len(index)
        self._index = _grown(self._index, begin, self.size)
        self._index[begin : self.size] = index
        for name, part in self._parts.items():
            values = getattr(made, name)
            if part is None:
                if not values.any():
                    continue
                part = np.zeros((self.series, self.size), self._nothing.dtype)
            part = self._parts[name] = _grown(part, begin, self.size)
            part[:, begin : self.size] = values[: len(part)]


def _grown(array: Array, kept: int, size: int) -> Array:
    if array.shape[-1] >= size:
        return array
    capacity = max(size, array.shape[-1] * 5 // 4)
    larger = np.empty((*array.shape[:-1], capacity), array.dtype)
    larger[..., :kept] = array[..., :kept]
    return larger


def _merged(old: Buckets, new: Buckets) -> Buckets:
    """`new`, whose first bucket goes on with the one bucket of `old`."""
    count = len(new.min[0])
    both = Buckets(
        np.zeros(count + 1, np.int64),
        np.zeros(count + 1, np.int64),
        *(np.concatenate([getattr(old, n), getattr(new, n)], axis=1) for n in PARTS),
    )
    return _joined(both, np.append(0, np.arange(2, count + 1)))


def _joined(made: Buckets, starts: Ints) -> Buckets:
    """Groups of buckets as one each; groups begin at `starts` and are not empty."""
    ends = np.append(starts[1:], made.min.shape[1]) - 1

    def total(part: Array) -> Array:
        return np.add.reduceat(part, starts, axis=1)

    return Buckets(
        made.rows[starts],
        made.ends[ends],
        total(made.count),
        np.fmin.reduceat(made.min, starts, axis=1),
        np.fmax.reduceat(made.max, starts, axis=1),
        total(made.sum),
        made.first[:, starts],
        made.last[:, ends],
        total(made.nan),
        total(made.inf),
    )
