"""Many values drawn as few: what each bucket of rows held at the most, the least and on average.

    values   3 1 2 | 7 nan 5 | 4 4 4
    min      1       5         4
    max      3       7         4
    nan      0       1         0

What is not finite is counted apart: a NaN is seen at any zoom and hides nothing, and a spike of one
row keeps its height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.errors import QueryError

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]

# What is read for the minimum is still in the processor's cache for the maximum and the sum.
_BLOCK_BYTES: Final = 1 << 18


@dataclass(frozen=True)
class Buckets:
    """What consecutive rows held; every array is `[..., buckets]`, `rows` and `ends` `[buckets]`.

    Attributes:
        rows: The first row of each bucket.
        ends: The row after its last.
        count: Values in it: of rows that are there, times what a row holds.
        min, max: Extremes of the finite values; NaN where there is none.
        sum: Sum of the finite values.
        first, last: The first and the last value as they were, also NaN or infinite.
        nan, inf: How many values were so.
    """

    rows: Ints
    ends: Ints
    count: Ints
    min: Array
    max: Array
    sum: Array
    first: Array
    last: Array
    nan: Ints
    inf: Ints

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def mean(self) -> Array:
        """Mean of the finite values; NaN where there is none."""
        finite = self.count - self.nan - self.inf
        return np.where(finite > 0, self.sum / np.maximum(finite, 1), np.nan)

    def parts(self) -> tuple[Array, ...]:
        """Every array `[..., buckets]`, in the order of `PARTS`."""
        return tuple(getattr(self, name) for name in PARTS)

    def each(self, act: Callable[[Array], Array]) -> Buckets:
        """The same buckets with another choice of series: `act` on every array `[..., buckets]`."""
        return Buckets(self.rows, self.ends, *map(act, self.parts()))

    def over_series(self) -> Buckets:
        """All series of `[series, buckets]` as one: the extremes of all, the means of first and last."""
        with np.errstate(invalid="ignore"):
            return Buckets(
                self.rows,
                self.ends,
                self.count.sum(axis=0),
                np.fmin.reduce(self.min, axis=0),
                np.fmax.reduce(self.max, axis=0),
                self.sum.sum(axis=0),
                self.first.mean(axis=0),
                self.last.mean(axis=0),
                self.nan.sum(axis=0),
                self.inf.sum(axis=0),
            )


PARTS: Final = ("count", "min", "max", "sum", "first", "last", "nan", "inf")


def downsample(values: npt.ArrayLike, buckets: int, *, first_row: int = 0) -> Buckets:
    """At most `buckets` buckets of equal width.

    Args:
        values: `[rows]`, or `[rows, ...]`: then a bucket is over all values of its rows.
        buckets: How many; fewer rows than that are a bucket each.
        first_row: The number of the first row.
    """
    array = np.asarray(values)
    count = len(array)
    edges = np.linspace(0, count, min(_positive(buckets), count) + 1).astype(np.int64)
    return downsample_at(array, edges, first_row=first_row)


def downsample_at(values: npt.ArrayLike, edges: npt.ArrayLike, *, first_row: int = 0) -> Buckets:
    """Buckets between given edges; those without a row are left out.

    Args:
        values: `[rows]` or `[rows, ...]`.
        edges: Where buckets begin, rising, and the end of the last: positions in `values`.
        first_row: The number of the row at position 0.
    """
    array = as_floats(np.asarray(values))
    cuts = np.clip(np.asarray(edges, np.int64), 0, len(array))
    kept = cuts[:-1] < cuts[1:]
    starts, ends = cuts[:-1][kept], cuts[1:][kept]
    each = int(np.prod(array.shape[1:], dtype=np.int64))
    if not len(starts):
        return _empty(array.dtype)
    flat = array.reshape(-1)
    made = reduce(flat[None, : ends[-1] * each], starts * each).each(lambda part: part[0])
    if array.ndim > 1:
        rows = array.reshape(len(array), -1)
        made = Buckets(
            *(made.rows, made.ends, made.count, made.min, made.max, made.sum),
            *(rows[starts].mean(axis=1), rows[ends - 1].mean(axis=1), made.nan, made.inf),
        )
    return Buckets(starts + first_row, ends + first_row, *made.parts())


def reduce(values: Array, starts: Ints) -> Buckets:
    """Buckets of each series.

    Args:
        values: float32 or float64, `[series, n]`, contiguous.
        starts: Where buckets begin, rising strictly; the last reaches to the end.
    """
    series, n = values.shape
    ends = np.append(starts[1:], n)
    shape = (series, len(starts))
    low, high = np.empty(shape, values.dtype), np.empty(shape, values.dtype)
    total = np.empty(shape)
    nan, inf = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    width = max(1, _BLOCK_BYTES // max(1, series * values.itemsize))
    begin = 0
    with np.errstate(invalid="ignore", over="ignore"):
        while begin < len(starts):
            # As many buckets as fit the cache, one at least.
            end = max(begin + 1, int(np.searchsorted(ends, starts[begin] + width, "right")))
            block = values[:, starts[begin] : ends[end - 1]]
            at, part = starts[begin:end] - starts[begin], np.s_[:, begin:end]
            np.fmin.reduceat(block, at, axis=1, out=low[part])
            np.fmax.reduceat(block, at, axis=1, out=high[part])
            total[part] = np.add.reduceat(block, at, axis=1)
            if not np.isfinite(total[part]).all():
                _apart(block, at, low[part], high[part], total[part], nan[part], inf[part])
            begin = end
    count = np.broadcast_to(ends - starts, shape)
    return Buckets(
        starts, ends, count, low, high, total, values[:, starts], values[:, ends - 1], nan, inf
    )


def _apart(
    block: Array, at: Ints, low: Array, high: Array, total: Array, nan: Array, inf: Array
) -> None:
    """Again for a block in which something is not finite, or too large to be summed as it is."""
    odd = np.isnan(block)
    nan[:] = np.add.reduceat(odd.astype(np.int32), at, axis=1)
    if np.isinf(low).any() or np.isinf(high).any():
        infinite = np.isinf(block)
        inf[:] = np.add.reduceat(infinite.astype(np.int32), at, axis=1)
        cleared = np.where(infinite, np.nan, block)
        low[:] = np.fmin.reduceat(cleared, at, axis=1)
        high[:] = np.fmax.reduceat(cleared, at, axis=1)
        odd |= infinite
    finite = np.where(odd, 0.0, block)
    total[:] = np.add.reduceat(finite, at, axis=1)
    if not np.isfinite(total).all():
        total[:] = np.add.reduceat(finite, at, axis=1, dtype=np.float64)


def as_floats(values: Array) -> Array:
    """As contiguous float32 or float64: what the values need to stay what they are."""
    if values.dtype in (np.float32, np.float64):
        dtype = values.dtype
    else:
        small = values.dtype.kind in "bf" or values.dtype.itemsize <= 2
        dtype = np.dtype(np.float32 if small else np.float64)
    return np.ascontiguousarray(values, dtype)


def _positive(buckets: int) -> int:
    if buckets < 1:
        raise QueryError(f"{buckets} buckets cannot hold anything: ask for 1 or more")
    return int(buckets)


def _empty(dtype: Any) -> Buckets:
    ints, floats = np.empty(0, np.int64), np.empty(0, dtype)
    return Buckets(ints, ints, ints, floats, floats, floats, floats, floats, ints, ints)
