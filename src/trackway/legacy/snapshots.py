"""Snapshots of environments: arrays of many saves become one record for each environment of each.

Runs in the writer process, for all saves that share a file at once: what costs a microsecond for an
array costs hardly more for a longer one.

    saves      columns of each                  stacked         derived, as lists       records
    t = 100    qpos [12, 19], up [12, 3], … ┐   qpos [36, 19]   x [36], euler [36, 3]   36 dicts,
    t = 200    …                            ├─▶ up [36, 3]  ──▶ …                   ──▶ 12 for each
    t = 300    …                            ┘   …                                       save
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, repeat
from typing import Any

import numpy as np

from trackway.format.jsonable import strict

Record = dict[str, Any]


@dataclass(frozen=True)
class _Same:
    """A column whose rows are all alike."""

    value: Any


_COUNTS = ("episode_count", "success_count", "success_rate")


@dataclass(frozen=True)
class Snapshot:
    """One save, as the trainer sent it.

    Attributes:
        moment: `timestep`; `common` keys of every record; `counts` and `successes` of each
            environment, None for what is not known; `nested` details to lay over the columns, or
            None.
        columns: `detailed_info` by dotted path, or what it is derived from.
    """

    moment: Mapping[str, Any]
    columns: Mapping[str, Any]

    def __post_init__(self) -> None:
        for path, column in self.columns.items():
            if len(column) != self.num_records:
                raise ValueError(
                    f"column {path!r} has {len(column)} rows for {self.num_records} environments"
                )

    @property
    def signature(self) -> tuple[Any, ...]:
        """What must agree for two of them to be stacked."""
        shapes = (
            (path, column.dtype.char, column.shape[1:]) if isinstance(column, np.ndarray) else path
            for path, column in self.columns.items()
        )
        known = [self.moment[key] is None for key in ("counts", "successes", "nested")]
        return (*shapes, *known)

    @property
    def num_records(self) -> int:
        return 1 if self.moment["counts"] is None else len(self.moment["counts"])


@dataclass(frozen=True)
class Derivation:
    """How columns come from raw ones, see `trackway.format.columns.RawColumns`."""

    derive: Callable[..., Mapping[str, Any]]
    constants: Mapping[str, Any]
    settings: Mapping[str, Any]

    @staticmethod
    def load(told: Mapping[str, Any]) -> Derivation:
        """Find the function that an environment named, where the trainer would find it."""
        sys.path += [path for path in told["path"] if path not in sys.path]
        module, _, name = told["derive"].partition(":")
        derive = getattr(import_module(module), name)
        return Derivation(derive, told["constants"], told["settings"])


def records_of(snapshots: Sequence[Snapshot], derivation: Derivation | None) -> list[list[Record]]:
    """The records of each snapshot, one per environment, ready for `json_bytes`."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i, snapshot in enumerate(snapshots):
        groups.setdefault(snapshot.signature, []).append(i)
    found: list[list[Record]] = [[] for _ in snapshots]
    for members in groups.values():
        alike = [snapshots[i] for i in members]
        records = iter(_records_of_alike(alike, derivation))
        for i, snapshot in zip(members, alike, strict=True):
            found[i] = [next(records) for _ in range(snapshot.num_records)]
    return found


def _records_of_alike(
    snapshots: Sequence[Snapshot], derivation: Derivation | None
) -> Iterable[Record]:
    moments = [snapshot.moment for snapshot in snapshots]
    if moments[0]["counts"] is None:  # driven by hand: there is no environment to tell of
        nothing = dict.fromkeys(("env_id", *_COUNTS))
        for moment in moments:
            yield strict(_head(moment, 0) | nothing | moment["common"] | {"detailed_info": {}})
        return
    columns, counts = _columns(snapshots, derivation), _counts(moments)
    nested = moments[0]["nested"] is not None
    if not nested:
        columns |= {f"episode_info.{name}": column for name, column in counts.items()}
    finite = _finite_rows(columns, len(counts["episode_count"])).tolist()
    details = _each(_assembled(_tree(columns), len(finite)), len(finite))
    if nested:
        uppers = chain.from_iterable(moment["nested"] for moment in moments)
        details = [_joined(*parts) for parts in zip(details, uppers, _rows(counts), strict=True)]
        finite = [False] * len(finite)
    for head, detail, is_finite in zip(_heads(moments, counts), details, finite, strict=True):
        record = head | {"detailed_info": detail}
        if "performance_metrics" in detail:
            record["performance_metrics"] = detail["performance_metrics"]
        yield record if is_finite else strict(record)


def _columns(snapshots: Sequence[Snapshot], derivation: Derivation | None) -> dict[str, Any]:
    """Of all the snapshots, one below the other."""
    first = snapshots[0].columns
    stacked: dict[str, Any] = {
        path: np.concatenate([snapshot.columns[path] for snapshot in snapshots])
        if isinstance(column, np.ndarray)
        else list(chain.from_iterable(snapshot.columns[path] for snapshot in snapshots))
        for path, column in first.items()
    }
    if derivation is None:
        return stacked
    unix_s = [snapshot.moment["common"]["timestamp"] for snapshot in snapshots]
    times = np.repeat(unix_s, [snapshot.num_records for snapshot in snapshots])
    constant = {path: _Same(value) for path, value in derivation.constants.items()}
    told = derivation.derive(stacked, derivation.constants, derivation.settings, times)
    return constant | dict(told)


def _counts(moments: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    counts = np.array([moment["counts"] for moment in moments])
    known = {"episode_count": counts.ravel().tolist()}
    if moments[0]["successes"] is not None:
        successes = np.array([moment["successes"] for moment in moments])
        known["success_count"] = successes.ravel().tolist()
        known["success_rate"] = (successes / np.maximum(counts, 1)).ravel().tolist()
    return known


def _heads(
    moments: Sequence[Mapping[str, Any]], counts: Mapping[str, list[Any]]
) -> Iterable[Record]:
    nothing: Record = dict.fromkeys(_COUNTS)
    own = iter(_rows(counts))
    for moment in moments:
        for i in range(len(moment["counts"])):
            yield _head(moment, i) | nothing | next(own) | moment["common"]


def _head(moment: Mapping[str, Any], i: int) -> Record:
    return {"record": "snapshot", "timestep": moment["timestep"], "env_id": i}


def _rows(columns: Mapping[str, Iterable[Any]]) -> list[Record]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _tree(columns: Mapping[str, Any]) -> Record:
    """Columns as lists, nested by their paths."""
    tree: Record = {}
    for path, column in columns.items():
        *parents, leaf = path.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = column.tolist() if isinstance(column, np.ndarray) else column
    return tree


def _assembled(tree: Record, num_rows: int) -> _Same | list[Record]:
    """A dict per row; where nothing in it changes, one and the same for all of them."""
    parts = {
        name: _assembled(part, num_rows) if type(part) is dict else part
        for name, part in tree.items()
    }
    constant = {name: part.value for name, part in parts.items() if isinstance(part, _Same)}
    if len(constant) == len(parts):
        return _Same(constant)
    return _rows({name: _each(part, num_rows) for name, part in parts.items()})


def _each(column: Any, num_rows: int) -> Iterable[Any]:
    return repeat(column.value, num_rows) if type(column) is _Same else column


def _finite_rows(columns: Mapping[str, Any], num_rows: int) -> np.ndarray[Any, Any]:
    """Rows that can be written as they are: no NaN among them, no infinity."""
    finite = np.ones(num_rows, bool)
    for column in columns.values():
        if isinstance(column, np.ndarray):
            ok = np.isfinite(column)
            if not ok.all():
                finite &= ok.reshape(num_rows, -1).all(axis=1)
        elif type(column) is _Same:
            finite &= _is_plain(column.value)
        else:
            finite &= np.fromiter(map(_is_plain, column), bool, num_rows)
    return finite


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(_is_plain, value))
    if kind is int:
        return bool(-(2**63) <= value < 2**63)
    return value is None or kind is bool or (kind is str and value.isascii())


def _joined(lower: Record, upper: Mapping[str, Any], counts: Record) -> Record:
    """The nested details over the columns, and one count, wherever it is read."""
    _lay_over(lower, upper)
    _lay_over(lower, {"episode_info": counts})
    return lower


def _lay_over(record: Record, upper: Mapping[str, Any]) -> None:
    for key, value in upper.items():
        below = record.get(key)
        if isinstance(below, dict) and isinstance(value, Mapping):
            _lay_over(below, value)
        else:
            record[key] = value
