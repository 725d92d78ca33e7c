"""Where two runs part: the first step and field in which they do not hold the same bits.

Sealed segments carry digests over everything before them. As long as these agree, nothing is
read; from the first segment that does not agree, or that was cut elsewhere, values are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as member
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trackway.format import pieces
from trackway.storage.line import (
    Batch,
    Stretch,
    lasts,
    layout,
    read_batches,
    read_line_records,
)
from trackway.storage.places import StreamFolder
from trackway.storage.reader import describe
from trackway.storage.seals import Seal, seals

Array = npt.NDArray[Any]


@dataclass
class Difference:
    """The first thing that is not the same.

    Attributes:
        kind: `value`; `missing`: only one of them has the row, the other has later ones; `ends`:
            only one of them goes on; `num_envs`: they cannot be compared.
        row: Rows of the line before it, of all that the training made.
        timestep: Timesteps made once the row's step was done.
        env, field, index: Whose value, of which field, where in it.
        a, b: The values; `bits_a`, `bits_b` their bytes where they are numbers.
        fields: How many values of which fields differ in this row.
        where_a, where_b: The attempt and its own number of the row.
        more: Rows that the one that goes on has beyond.
    """

    kind: str
    row: int | None = None
    timestep: int | None = None
    env: int | None = None
    field: str | None = None
    index: list[int] | None = None
    a: Any = None
    b: Any = None
    bits_a: str | None = None
    bits_b: str | None = None
    fields: dict[str, int] = member(default_factory=dict)
    where_a: dict[str, Any] | None = None
    where_b: dict[str, Any] | None = None
    more: int | None = None


@dataclass
class Comparison:
    """How two lines of one stream compare.

    Attributes:
        equal_rows: Rows, or records, that are the same before the difference.
        by_digest: How many of them were not read, because their digests agree.
        from_timestep: Where the later of the two begins; earlier rows are not compared.
        only_a, only_b: Fields that the other does not have, or has with another type or shape.
    """

    stream: str
    equal_rows: int = 0
    by_digest: int = 0
    from_timestep: int = 0
    only_a: list[str] = member(default_factory=list)
    only_b: list[str] = member(default_factory=list)
    difference: Difference | None = None

    @property
    def same(self) -> bool:
        return self.difference is None and not self.only_a and not self.only_b

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"same": self.same}


def compare(stream: str, a: Sequence[Stretch], b: Sequence[Stretch]) -> Comparison:
    """Compare two lines of a stream from the later beginning on.

    Raises:
        StreamError: One of them cannot be read.
    """
    found = Comparison(stream)
    (schema_a, envs_a, kind_a), (schema_b, envs_b, kind_b) = layout(a), layout(b)
    if pieces.KIND in (kind_a, kind_b):
        _compare_records(found, a, b)
        return found
    if envs_a != envs_b:
        found.difference = Difference("num_envs", a=envs_a, b=envs_b)
        return found
    fields_a = {spec.name: (spec.dtype, spec.shape) for spec in schema_a}
    fields_b = {spec.name: (spec.dtype, spec.shape) for spec in schema_b}
    common = [name for name in fields_a if fields_a[name] == fields_b.get(name)]
    common.sort(key=lambda name: not name.startswith("action"))  # what a step was given comes first
    found.only_a = [name for name in fields_a if name not in common]
    found.only_b = [name for name in fields_b if name not in common]
    if common:
        _compare_rows(found, a, b, common, envs_a)
    return found


# -- rows -----------------------------------------------------------------------------------------


def _compare_rows(
    found: Comparison, a: Sequence[Stretch], b: Sequence[Stretch], fields: list[str], num_envs: int
) -> None:
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


# -- records --------------------------------------------------------------------------------------


class _Told(NamedTuple):
    timestep: int
    stretch: Stretch
    leaves: dict[str, Any]


def _compare_records(found: Comparison, a: Sequence[Stretch], b: Sequence[Stretch]) -> None:
    found.from_timestep = begun = max(a[0].begin, b[0].begin)
    left, right = ([r for r in _records(line) if r.timestep > begun] for line in (a, b))
    for one, other in zip(left, right, strict=False):
        apart = [
            key
            for key in {**one.leaves, **other.leaves}
            if key not in one.leaves
            or key not in other.leaves
            or one.leaves[key] != other.leaves[key]
        ]
        if apart:
            key = apart[0]
            found.difference = Difference(
                "value",
                row=found.equal_rows,
                timestep=min(one.timestep, other.timestep),
                env=one.leaves.get("env"),
                field=key,
                a=one.leaves.get(key),
                b=other.leaves.get(key),
                fields=dict.fromkeys(apart, 1),
                where_a={"attempt": one.stretch.folder.attempt.name},
                where_b={"attempt": other.stretch.folder.attempt.name},
            )
            return
        found.equal_rows += 1
    if len(left) != len(right):
        longer = left if len(left) > len(right) else right
        more = abs(len(left) - len(right))
        timestep = longer[found.equal_rows].timestep
        where = {"attempt": longer[found.equal_rows].stretch.folder.attempt.name}
        found.difference = Difference("ends", row=found.equal_rows, timestep=timestep, more=more)
        found.difference.where_a = where if longer is left else None
        found.difference.where_b = where if longer is right else None


def _records(line: Sequence[Stretch]) -> Iterator[_Told]:
    for stretch, record in read_line_records(line):
        leaves = dict(_leaves({key: value for key, value in record.items() if lasts(key)}))
        yield _Told(int(record.get("timestep", stretch.begin + 1)), stretch, leaves)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number and text of a record, by where it stands: `start.qpos[2]`."""
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from _leaves(member, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for i, member in enumerate(value):
            yield from _leaves(member, f"{path}[{i}]")
    else:
        yield path, value
