"""Buckets of buckets: any stretch of a column at any zoom without reading the column.

    level 2   ██████████████████████████████   16,384 rows a bucket
    level 1   ███████ ███████ ███████ ██████    2,048
    level 0   █ █ █ █ █ █ █ █ █ █ █ █ █ █ █       256, the only one that is kept on disk

Buckets lie at multiples of their width, counted in row numbers, so that rows may be appended in
any portions, also with gaps: the last bucket of each level grows until it is full. With somewhere to
lay them aside, a pyramid takes the same memory however many rows it has seen.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from trackway.query.aside import Aside
from trackway.query.downsample import Buckets, Ints, as_floats, reduce
from trackway.query.level import FACTOR, Level

BASE_ROWS: Final = 256
# So many buckets of a level become one that is asked for, at least: their edges are then at most
# a quarter of its width from where they were asked to be.
_FINE: Final = 4


class Pyramid:
    """What each of `series` columns held, bucket by bucket, level by level.

    Attributes:
        series: How many columns.
        next_row: The number after the last row that was appended.
    """

    def __init__(
        self, series: int, dtype: npt.DTypeLike = np.float32, aside: Aside | None = None
    ) -> None:
        """Without `aside` everything is held in memory."""
        self.series, self.next_row = series, 0
        self.dtype, self._aside = np.dtype(dtype), aside
        self._levels = [self._level(BASE_ROWS)]

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
        made = reduce(np.ascontiguousarray(columns.T, self.dtype), starts)
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
            level = self._level(self._levels[-1].rows_each * FACTOR)
            level.build(self._levels[-1], 0)
            self._levels.append(level)
        for level in self._levels:
            level.lay_aside()

    @property
    def base(self) -> Level:
        """The lowest level."""
        return self._levels[0]

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
        """Of what is held in memory."""
        return sum(level.nbytes for level in self._levels)

    def _level(self, rows_each: int) -> Level:
        return Level(self.series, self.dtype, rows_each, self._aside)
