"""What a row is on the horizontal axis: its timestep, its time, its update, its episode.

Some rows say it (a record has `row`, `timestep`, `unix_s`); between them it is a straight line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
X = Literal["row", "timestep", "time", "update", "episode"]
AXES: Final[dict[X, tuple[str, str]]] = {
    "row": ("vector step", "1"),
    "timestep": ("timestep", "1"),
    "time": ("time", "s"),
    "update": ("update", "1"),
    "episode": ("episode", "1"),
}


@dataclass(frozen=True)
class Axis:
    """Rising pairs of a row and what it is on the axis; beyond them the line goes on."""

    rows: Floats
    x: Floats

    @classmethod
    def linear(cls, origin: float, slope: float) -> Axis:
        """`origin + row * slope`."""
        return cls(np.array([0.0, 1.0]), np.array([origin, origin + slope]))

    @classmethod
    def through(cls, rows: npt.ArrayLike, x: npt.ArrayLike, origin: float = 0.0) -> Axis:
        """Through points that come in any order; what does not rise is left out."""
        row, value = np.asarray(rows, np.float64), np.asarray(x, np.float64)
        known = np.isfinite(row) & np.isfinite(value)
        row, value = row[known], np.sort(value[known])
        row = np.sort(row)
        rising = np.flatnonzero(np.diff(row, append=np.inf) > 0)
        row, value = row[rising], value[rising]
        if not len(row) or (row[0] > 0 and origin < value[0]):
            row, value = np.append(0.0, row), np.append(origin, value)
        return cls(row, value)

    def at(self, rows: npt.ArrayLike) -> Floats:
        """Where rows are."""
        return _line(np.asarray(rows, np.float64), self.rows, self.x)

    def rows_at(self, x: npt.ArrayLike) -> Floats:
        """Rows at places on the axis, with fractions."""
        places = np.asarray(x, np.float64)
        rising = np.flatnonzero(np.diff(self.x, append=np.inf) > 0)
        return _line(places, self.x[rising], self.rows[rising])


def _line(at: Floats, known: Floats, values: Floats) -> Floats:
    made = np.interp(at, known, values)
    if len(known) < 2:
        return made
    for outside, (a, b) in (
        (at < known[0], _pair(known, values, 0)),
        (at > known[-1], _pair(known, values, -2)),
    ):
        slope = (b[1] - a[1]) / (b[0] - a[0])
        made = np.where(outside, a[1] + (at - a[0]) * slope, made)
    return made


def _pair(known: Floats, values: Floats, i: int) -> Sequence[tuple[float, float]]:
    j = i + 1
    return ((float(known[i]), float(values[i])), (float(known[j]), float(values[j])))
