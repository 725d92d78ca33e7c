"""Rows of two lines, compared by digests as far as these agree, and from there by their bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.storage.difference import Comparison, Difference
from trackway.storage.line import Batch, Stretch, read_batches
from trackway.storage.places import StreamFolder
from trackway.storage.reader import describe
from trackway.storage.seals import Seal, seals

Array = npt.NDArray[Any]


def compare_rows(
    found: Comparison, a: Sequence[Stretch], b: Sequence[Stretch], fields: list[str], num_envs: int
) -> None:
    """Note in `found` the first row in which one of `fields` differs, `num_envs` values in each.

    Raises:
        StreamError: One of them cannot be read.
    """
    proven = max(a[0].begin, b[0].begin, _proven(a, b))
    left, right = (_Walk(read_batches(line, fields, proven)) for line in (a, b))
    begins = [walk.timestep for walk in (left, right) if walk.timestep is not None]
    found.from_timestep = max(a[0].begin, b[0].begin)
    if proven == found.from_timestep and len(begins) == 2:
        # The oldest rows may have gone by a limit: both begin with the later of their first ones.
        begun = max(begins) - num_envs
        for walk in (left, right):
            walk.skip_to(begun)
        found.from_timestep = proven = begun
    found.by_digest = found.equal_rows = (proven - found.from_timestep) // num_envs
    while left and right:
        together = left.together(right)
        if not together:
            first, late = sorted((left, right), key=lambda walk: walk.timestep or 0)
            found.difference = _place("missing", first.timestep, num_envs)
            found.difference.where_a = left.where() if first is left else None
            found.difference.where_b = right.where() if first is right else None
            found.difference.more = ((late.timestep or 0) - (first.timestep or 0)) // num_envs
            return
        one, other = left.take(together), right.take(together)
        at = _first_difference(one.columns, other.columns)
        if at is not None:
            found.equal_rows += at
            found.difference = _describe(one, other, at, num_envs)
            return
        found.equal_rows += together
    longer = left or right
    if longer:
        found.difference = _place("ends", longer.timestep, num_envs)
        found.difference.where_a = left.where() if left else None
        found.difference.where_b = right.where() if right else None
        found.difference.more = longer.count_rest()


def _proven(a: Sequence[Stretch], b: Sequence[Stretch]) -> int:
    """The timestep up to which digests alone prove the rows of both to be equal."""
    proven = 0
    for one, other in zip(a, b, strict=False):
        if one.begin != other.begin:
            break
        num_envs = describe(one.folder)[1]
        equal = one.begin + _equal_by_digest(one.folder, other.folder) * num_envs
        ends = [stretch.end for stretch in (one, other) if stretch.end is not None]
        proven = max(proven, min([equal, *ends]))
        if len(ends) < 2 or ends[0] != ends[1] or equal < ends[0]:
            break
    return proven


def _equal_by_digest(a: StreamFolder, b: StreamFolder) -> int:
    """The row up to which sealed segments have equal digests."""
    equal = 0
    for one, other in zip(seals(a), seals(b), strict=False):
        if _layout(one) != _layout(other) or one.digests != other.digests:
            break
        equal = one.next_row
    return equal


def _layout(seal: Seal) -> tuple[object, ...]:
    fields = [(field.name, field.dtype, field.shape) for field in seal.schema]
    return seal.number, seal.num_envs, seal.first_row, seal.next_row, fields


class _Walk:
    """A line's rows, taken a few at a time."""

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._batch = next(batches, None)

    def __bool__(self) -> bool:
        return self._batch is not None

    @property
    def timestep(self) -> int | None:
        return None if self._batch is None else int(self._batch.timesteps[0])

    def where(self) -> dict[str, Any] | None:
        return None if self._batch is None else _where(self._batch, 0)

    def skip_to(self, timestep: int) -> None:
        """Pass over rows that led up to `timestep`."""
        while self._batch is not None and self._batch.timesteps[0] <= timestep:
            self.take(int(np.searchsorted(self._batch.timesteps, timestep, side="right")))

    def together(self, other: _Walk) -> int:
        """How many of the next rows both have at hand, with the same timesteps."""
        if self._batch is None or other._batch is None:
            return 0
        count = min(len(self._batch.timesteps), len(other._batch.timesteps))
        same = self._batch.timesteps[:count] == other._batch.timesteps[:count]
        return count if same.all() else int(np.argmin(same))

    def take(self, count: int) -> Batch:
        """The next `count` rows of those at hand."""
        batch = self._batch
        assert batch is not None
        taken = _part(batch, slice(None, count))
        rest = _part(batch, slice(count, None))
        self._batch = rest if len(rest.rows) else next(self._batches, None)
        return taken

    def count_rest(self) -> int:
        count = 0
        while self._batch is not None:
            count += len(self.take(len(self._batch.rows)).rows)
        return count


def _part(batch: Batch, rows: slice) -> Batch:
    columns = {name: column[rows] for name, column in batch.columns.items()}
    return Batch(batch.stretch, batch.timesteps[rows], batch.rows[rows], columns)


def _bits(column: Array) -> Array:
    """Numbers as integers of their size, so that bits are compared and not values."""
    return np.ascontiguousarray(column).view(f"u{column.dtype.itemsize}")


def _first_difference(a: dict[str, Array], b: dict[str, Array]) -> int | None:
    """The first row in which any field differs."""
    rows = []
    for name in a:
        one, other = _bits(a[name]), _bits(b[name])
        if not np.array_equal(one, other):
            differs = (one != other).reshape(len(one), -1).any(axis=1)
            rows.append(int(np.argmax(differs)))
    return min(rows, default=None)


def _describe(one: Batch, other: Batch, at: int, num_envs: int) -> Difference:
    difference = _place("value", int(one.timesteps[at]), num_envs)
    for name in one.columns:
        a, b = one.columns[name][at], other.columns[name][at]
        places = np.argwhere(_bits(a) != _bits(b))
        if not len(places):
            continue
        if difference.field is None:
            env, *index = places[0].tolist()
            value_a, value_b = a[tuple(places[0])], b[tuple(places[0])]
            difference.field, difference.env, difference.index = name, env, index
            difference.a, difference.b = value_a.item(), value_b.item()
            difference.bits_a, difference.bits_b = value_a.tobytes().hex(), value_b.tobytes().hex()
        difference.fields[name] = len(places)
    difference.where_a, difference.where_b = _where(one, at), _where(other, at)
    return difference


def _place(kind: str, timestep: int | None, num_envs: int) -> Difference:
    row = None if timestep is None else timestep // num_envs - 1
    return Difference(kind, row=row, timestep=timestep)


def _where(batch: Batch, at: int) -> dict[str, Any]:
    return {"attempt": batch.stretch.folder.attempt.name, "row": int(batch.rows[at])}
