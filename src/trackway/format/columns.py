"""Columns of detail: one array per quantity for all environments, one nested record per row.

    columns = {"robot_state.position.x": array([0.1, 0.2]), "env_config.ctrl_type": ["torque"] * 2}
    nest(columns, 1) == {"robot_state": {"position": {"x": 0.2}}, "env_config": {"ctrl_type": "torque"}}

The key is the dotted path in the record, the leading dimension is the environment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Columns = Mapping[str, "np.ndarray[Any, Any] | Sequence[Any]"]


@dataclass(frozen=True)
class RawColumns:
    """What columns are computed from, later and in another process.

    Attributes:
        arrays: Live, [num_envs, ...]; whoever wants to keep them copies them at once.
        derive: `module:function`, called there as `derive(arrays, constants, settings, unix_s)` with
            rows of one moment or of several and `unix_s` of each row; returns the columns that
            change. Its module imports nothing heavy.
        constants: Columns that never change and are the same for all, as one plain value each.
        settings: What else `derive` has to know, as plain values.
    """

    arrays: Mapping[str, np.ndarray[Any, Any]]
    derive: str
    constants: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)


def nest(columns: Columns, i: int) -> dict[str, Any]:
    """The nested record of environment `i`, in plain Python values (lists, floats, bools).

    Raises:
        ValueError: One key is a value and, as the beginning of another, also a dictionary.
    """
    record: dict[str, Any] = {}
    for path, column in columns.items():
        *parents, leaf = path.split(".")
        place = record
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ValueError(f"column {path!r} lies below a column that holds values")
        if leaf in place:
            raise ValueError(f"column {path!r} is given twice: as a value and as a dictionary")
        place[leaf] = _plain(column[i])
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return value.copy() if type(value) is list else value  # may stand in other records, too
