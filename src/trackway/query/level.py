"""One level of a pyramid: buckets of one width, of which only the newest are held in memory.

    on the disk                            in memory
    | block | block | block | …            one block at least, two at most, and what came last

Only the last bucket still changes, and the level above is made from what is in memory: so what lies
on the disk is read for a drawing alone, and of that no more than the drawing shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.query.aside import Aside
from trackway.query.downsample import PARTS, Buckets, Ints

Array = npt.NDArray[Any]

FACTOR: Final = 8
_BLOCK_BYTES: Final = 32 << 10
_LEAST_BLOCK: Final = 64
_INDEX: Final = "index"
# Mostly zero: held only where something was not finite.
_RARE: Final = ("nan", "inf")
# How many values there are is the same for all series, and held once.
_ONCE: Final = (_INDEX, "count")
_ALWAYS: Final = (_INDEX, *(name for name in PARTS if name not in _RARE))
_FIRST: Final = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class _Block:
    """Buckets on the disk.

    Attributes:
        first, last: The index of its first and of its last.
        at: Where its arrays lie, one behind the other.
        rare: Which of `_RARE` are there; those that are left out are zero.
    """

    first: int
    last: int
    at: int
    rare: tuple[str, ...]


class Level:
    """Buckets of `rows_each` rows for each of `series`.

    Attributes:
        size: How many.
    """

    def __init__(
        self, series: int, dtype: npt.DTypeLike, rows_each: int, aside: Aside | None
    ) -> None:
        """Without `aside` all are held in memory."""
        self.rows_each, self.size = rows_each, 0
        self._series, self._aside = series, aside
        counts = np.dtype(np.int32 if rows_each < 2**24 else np.int64)
        self._dtypes = dict.fromkeys(PARTS, np.dtype(dtype)) | dict.fromkeys(
            ("count", *_RARE), counts
        )
        self._dtypes |= {"sum": np.dtype(np.float64), _INDEX: np.dtype(np.int64)}
        self._arrays: dict[str, Array] = {
            name: np.empty((1 if name in _ONCE else series, 0), self._dtypes[name])
            for name in _ALWAYS
        }
        self._blocks: list[_Block] = []
        self._laid = 0  # how many buckets they hold
        each = sum(array.itemsize * len(array) for array in self._arrays.values())
        self._block = max(_LEAST_BLOCK, _BLOCK_BYTES // each)

    @property
    def nbytes(self) -> int:
        """Of what is held in memory."""
        return sum(array.nbytes for array in self._arrays.values())

    def add(self, index: Ints, made: Buckets) -> int:
        """Append; a bucket that is there already goes on. Returns the first that changed."""
        begin = self.size
        if begin and self._index[-1] == index[0]:
            begin -= 1
            made = _merged(self._from(begin), made)
        self._put(begin, index, made)
        return begin

    def build(self, lower: Level, changed: int) -> int:
        """Make again what stands on the buckets of `lower` from `changed` on."""
        if changed >= lower.size:
            return self.size
        groups = lower._index // FACTOR
        begin_lower = int(np.searchsorted(groups, groups[changed - lower._laid]))
        part = groups[begin_lower:]
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        begin = self._laid + int(np.searchsorted(self._index, part[0]))
        self._put(begin, part[starts], joined(lower._from(lower._laid + begin_lower), starts))
        return begin

    def query(self, cuts: Ints, next_row: int, series: int | slice | Ints) -> Buckets:
        """What lies between these indices; where nothing does, no bucket."""
        index, part = self.between(int(cuts[0]), int(cuts[-1]), series)
        starts = np.searchsorted(index, cuts[:-1])
        kept = np.flatnonzero(np.diff(starts, append=len(index)) > 0)
        if len(kept):
            part = Buckets(
                cuts[:-1][kept] * self.rows_each,
                np.minimum(cuts[1:][kept] * self.rows_each, next_row),
                *joined(part, starts[kept]).parts(),
            )
        return part.each(lambda array: array[0]) if isinstance(series, int) else part

    def between(
        self, begin: int, end: int, series: int | slice | Ints = slice(None)
    ) -> tuple[Ints, Buckets]:
        """The indices from `begin` to before `end` that have a bucket, and these, `[series, n]`."""
        blocks = [block for block in self._blocks if block.first < end and block.last >= begin]
        chosen = np.arange(self._series)[series].reshape(-1)
        index = self._read(blocks, _INDEX, _FIRST)[0]
        kept = slice(*np.searchsorted(index, (begin, end)))
        index = index[kept]
        parts = (
            self._read(blocks, name, _FIRST if name in _ONCE else chosen)[:, kept] for name in PARTS
        )
        rows, shape = index * self.rows_each, (len(chosen), len(index))
        return index, Buckets(
            rows, rows + self.rows_each, *(np.broadcast_to(part, shape) for part in parts)
        )

    def values(self, name: str, series: int) -> Iterator[Array]:
        """One of `index` and `PARTS`, of one series: block by block, for who would not hold all of it."""
        chosen = _FIRST if name in _ONCE else np.array([series])
        for block in self._blocks:
            yield self._of_block(block, name, chosen)[0]
        yield self._read([], name, chosen)[0]

    def lay_aside(self) -> None:
        """Let the oldest buckets go to the disk; where it refuses, they stay."""
        while self._aside is not None and self.size - self._laid >= 2 * self._block:
            n, index = self._block, self._index
            rare = tuple(r for r in _RARE if r in self._arrays and self._arrays[r][:, :n].any())
            parts = (self._arrays[name][:, :n].tobytes() for name in (*_ALWAYS, *rare))
            try:
                at = self._aside.put(b"".join(parts))
            except OSError:
                return
            self._blocks.append(_Block(int(index[0]), int(index[n - 1]), at, rare))
            self._laid += n
            left = len(index) - n
            for array in self._arrays.values():
                array[:, :left] = array[:, n : n + left]

    @property
    def _index(self) -> Ints:
        """Of what is held."""
        return self._arrays[_INDEX][0, : self.size - self._laid]

    def _from(self, begin: int) -> Buckets:
        """Those that are held, from bucket number `begin` on."""
        held = slice(begin - self._laid, self.size - self._laid)
        rows = self._arrays[_INDEX][0, held] * self.rows_each
        shape = (self._series, len(rows))
        parts = (self._part(name)[:, held] for name in PARTS)
        return Buckets(
            rows, rows + self.rows_each, *(np.broadcast_to(part, shape) for part in parts)
        )

    def _part(self, name: str) -> Array:
        found = self._arrays.get(name)
        if found is not None:
            return found
        return np.broadcast_to(np.zeros((), self._dtypes[name]), (self._series, self.size))

    def _read(self, blocks: list[_Block], name: str, chosen: Ints) -> Array:
        """An array of these blocks and what is held after them, `[chosen, n]`."""
        held = self._part(name)[chosen, : self.size - self._laid]
        return np.concatenate([*(self._of_block(b, name, chosen) for b in blocks), held], axis=1)

    def _of_block(self, block: _Block, name: str, chosen: Ints) -> Array:
        names, dtype = (*_ALWAYS, *block.rare), self._dtypes[name]
        if name not in names or self._aside is None:
            return np.zeros((len(chosen), self._block), dtype)
        at = block.at + sum(self._size(each) for each in names[: names.index(name)])
        row_bytes = self._block * dtype.itemsize
        if len(chosen) == 1:
            data = self._aside.get(at + int(chosen[0]) * row_bytes, row_bytes)
            return np.frombuffer(data, dtype).reshape(1, -1)
        data = self._aside.get(at, self._size(name))
        return np.frombuffer(data, dtype).reshape(-1, self._block)[chosen]

    def _size(self, name: str) -> int:
        """Bytes of an array of a block."""
        series = 1 if name in _ONCE else self._series
        return series * self._block * int(self._dtypes[name].itemsize)

    def _put(self, begin: int, index: Ints, made: Buckets) -> None:
        self.size = begin + len(index)
        begin -= self._laid
        end = begin + len(index)
        for name in (_INDEX, *PARTS):
            values = index[None] if name == _INDEX else getattr(made, name)
            array = self._arrays.get(name)
            if array is None:
                if not values.any():
                    continue
                array = np.zeros((self._series, end), self._dtypes[name])
            array = self._arrays[name] = _grown(array, begin, end)
            array[:, begin:end] = values[: len(array)]


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
    return joined(both, np.append(0, np.arange(2, count + 1)))


def joined(made: Buckets, starts: Ints) -> Buckets:
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
