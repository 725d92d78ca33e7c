"""Copies arrays that never move in memory into the current row of a stream, many in one call.

A copy by NumPy takes 0.2 µs, however small the array, and several times that where the caches hold
nothing of it. Columns that lie side by side in one matrix are copied as one. Many small arrays that lie as
in the row are gathered by one native call, and put into the row by another; so are many neighbours of
another type, before they are converted.

    sources                                   row of the ring
    reward, command, …, as in the row   ────────┬─▶ | reward | command | … | a | b | c | d | e | … |
    a, b, c, d, e, …    float64 ─▶ wide ─▶ staged ┘
    terms   [12, 9] float64             ──────────▶ | terms, each [12] |
    qpos    [12, 19], strided           ──────────▶ | qpos |
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from trackway.storage.ring import Ring

Array = npt.NDArray[Any]

# The detours pay from here on only: after a step of the physics the caches hold nothing of them, either.
_MANY: Final = 5
# From here on copying twice takes longer than a call of NumPy's.
_LARGE_BYTES: Final = 8192


@dataclass
class _Part:
    """Neighbouring columns and their source: `column` is `[capacity, *source.shape]`."""

    column: Array
    source: Array
    start: int
    end: int

    @property
    def as_in_row(self) -> bool:
        return self.source.dtype == self.column.dtype and self.source.flags.c_contiguous

    @property
    def large(self) -> bool:
        return self.end - self.start >= _LARGE_BYTES


class _Collected:
    """Small pieces of memory, to be copied to where they lie one after another."""

    def __init__(self) -> None:
        self.pieces: list[memoryview] = []
        self._buffer = io.BytesIO()

    def into(self, targets: Iterable[memoryview]) -> None:
        # The one thing in Python that copies a list of buffers into memory that is there already.
        buffer = self._buffer
        buffer.seek(0)
        buffer.writelines(self.pieces)
        buffer.seek(0)
        for target in targets:
            buffer.readinto(target)


class Gather:
    """A prepared copy into the rows of a ring.

    Args:
        ring: Whose rows.
        sources: By field, `[num_envs, *shape]`, of any type that converts: memory that is read in
            every copy, and must never be replaced.

    Raises:
        ValueError: A field is unknown, or its source has another shape.
    """

    def __init__(self, ring: Ring, sources: Mapping[str, Array]) -> None:
        self._bytes, self._stride = ring.bytes, ring.stride
        self._wide, self._wide_into = _Collected(), list[memoryview]()
        self._staged: list[tuple[Array, Array]] = []
        self._small, self._runs = _Collected(), list[tuple[int, int]]()
        direct: list[_Part] = []
        plain: list[_Part] = []
        converted: list[list[_Part]] = []
        blocks = [_block(some) for some in _grouped(_parts(ring, sources), _beside)]
        for some in _grouped(blocks, _converted_alike):
            if len(some) >= _MANY:
                converted.append(some)
                continue
            for part in some:
                (plain if part.as_in_row and not part.large else direct).append(part)
        if len(plain) < _MANY and not converted:
            direct += plain
            plain.clear()
        self._direct = [(part.column, part.source) for part in direct]
        pieces = [(part.start, part.end, part.source) for part in plain]
        pieces += [(some[0].start, some[-1].end, self._convert(some)) for some in converted]
        for start, end, source in sorted(pieces, key=lambda piece: piece[0]):
            self._small.pieces.append(_memory(source))
            if self._runs and self._runs[-1][1] == start:
                start, _ = self._runs.pop()
            self._runs.append((start, end))

    def _convert(self, some: list[_Part]) -> Array:
        """Where the parts will lie, one after another and of the row's type."""
        wide = np.empty(sum(part.source.size for part in some), some[0].source.dtype)
        self._wide.pieces += [_memory(part.source) for part in some]
        self._wide_into.append(_memory(wide))
        staged = np.empty(wide.shape, some[0].column.dtype)
        self._staged.append((staged, wide))
        return staged

    def write(self, slot: int) -> None:
        """Copy everything, as it is now, into a slot of the ring."""
        for column, source in self._direct:
            column[slot] = source
        if not self._runs:
            return
        self._wide.into(self._wide_into)
        for staged, wide in self._staged:
            staged[...] = wide
        row, at = self._bytes, slot * self._stride
        self._small.into([row[at + start : at + end] for start, end in self._runs])


def _memory(array: Array) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _parts(ring: Ring, sources: Mapping[str, Array]) -> list[_Part]:
    """The sources, in the row's order."""
    parts: list[_Part] = []
    for name, source in sources.items():
        column = ring.columns.get(name)
        if column is None or column.shape[1:] != source.shape:
            raise ValueError(
                f"field {name!r} of the row has shape {column.shape[1:]}; its source {source.shape}"
                if column is not None
                else f"the row has no field {name!r}"
            )
        start = ring.offsets[name]
        parts.append(_Part(column, source, start, start + column[0].nbytes))
    parts.sort(key=lambda part: part.start)
    return parts


def _grouped(
    parts: list[_Part], belongs: Callable[[list[_Part], _Part], bool]
) -> list[list[_Part]]:
    groups: list[list[_Part]] = []
    for part in parts:
        if groups and belongs(groups[-1], part):
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _beside(some: list[_Part], part: _Part) -> bool:
    """Whether a column stands beside those, in the row as in the matrix that it is a column of."""
    last, base = some[-1], part.source.base
    if part.start != last.end or part.column.ndim != 2 or part.as_in_row or base is None:
        return False
    alike = (
        part.column.dtype == last.column.dtype
        and part.source.dtype == last.source.dtype
        and part.source.strides == last.source.strides
        and last.source.base is base
    )
    return alike and (len(some) == 1 or _step(last, part) == _step(some[0], some[1]))


def _converted_alike(some: list[_Part], part: _Part) -> bool:
    """Whether it is a neighbour of those, and they are all only of another type, the same."""
    last = some[-1]
    return (
        part.start == last.end
        and part.source.flags.c_contiguous
        and last.source.flags.c_contiguous
        and not (part.as_in_row or part.large or last.large)
        and part.source.dtype == last.source.dtype
        and part.column.dtype == last.column.dtype
    )


def _step(first: _Part, second: _Part) -> int:
    return _address(second.source) - _address(first.source)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])


def _block(some: list[_Part]) -> _Part:
    """One part for all of them."""
    first, count = some[0], len(some)
    if count == 1:
        return first
    column, source = first.column, first.source
    return _Part(
        as_strided(
            column,
            (len(column), count, *source.shape),
            (column.strides[0], column[0].nbytes, *column.strides[1:]),
        ),
        as_strided(
            source,
            (count, *source.shape),
            (_step(some[0], some[1]), *source.strides),
            writeable=False,
        ),
        first.start,
        some[-1].end,
    )
