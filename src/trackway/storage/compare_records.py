"""Records of two lines, compared number by number and text by text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trackway.storage.difference import Comparison, Difference
from trackway.storage.line import Stretch, lasts, read_line_records


class _Told(NamedTuple):
    timestep: int
    stretch: Stretch
    leaves: dict[str, Any]


def compare_records(found: Comparison, a: Sequence[Stretch], b: Sequence[Stretch]) -> None:
    """Note in `found` the first record that differs.

    Raises:
        StreamError: One of them cannot be read.
    """
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
