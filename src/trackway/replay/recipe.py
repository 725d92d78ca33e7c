"""Which columns of a stream follow from others: found by trying, and believed where the bits agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.format.resim import Scaled, Simulated
from trackway.replay.simulation import INPUTS, SOURCES
from trackway.storage.archive.layout import Layout

Array = NDArray[Any]
_SAMPLE: Final = 2048
# Of a sample: a column that follows less often is kept.
_LEAST: Final = 0.5


def find_simulated(
    layout: Layout, columns: Mapping[str, Array], sources: Mapping[str, Array]
) -> dict[str, Simulated]:
    """Columns that are a number of MuJoCo's data.

    Args:
        layout: Of the stream.
        columns: Of one environment, `[n]` by name, as recorded.
        sources: Of the same rows, `[n, size]` by array of `MjData`.
    """
    spread = np.linspace(0, len(next(iter(sources.values()))) - 1, _SAMPLE).astype(np.int64)
    rows = np.unique(spread)
    places = [Simulated(s, i) for s in SOURCES for i in range(sources[s].shape[1])]
    made = np.concatenate([sources[source][rows] for source in SOURCES], axis=1)
    found = {}
    for name in (n for field, names in layout.names.items() if not _moves(field) for n in names):
        column = columns[name][rows]
        # One that never changes takes no room anyway.
        if column.ndim > 1 or column.dtype.kind != "f" or (column == column[0]).all():
            continue
        share = same_bits(made.astype(column.dtype), column[:, None]).mean(axis=0)
        best = int(share.argmax())
        if share[best] >= _LEAST:
            found[name] = places[best]
    return found


def find_scaled(layout: Layout, columns: Mapping[str, Array]) -> dict[str, Scaled]:
    """Columns of `ctrl` that are those of an action, times a scale, plus an offset.

    Args:
        layout: Of the stream.
        columns: `[num_envs, rows]` by name, as recorded.
    """
    targets = layout.names.get("ctrl", [])
    actions = [
        names
        for field, names in layout.names.items()
        if field.split(".")[0] == "action" and len(names) == len(targets)
    ]
    found = {}
    for i, target in enumerate(targets):
        for names in actions:
            given, wanted = columns[names[i]].ravel(), columns[target].ravel()
            told = None
            if given.dtype.kind == wanted.dtype.kind == "f":
                told = _fit(given.astype(np.float64), wanted)
            if told is not None:
                found[target] = Scaled(names[i], *told)
                break
    return found


def same_bits(a: Array, b: Array) -> NDArray[np.bool_]:
    """Where two arrays of one type hold the same bits: NaN is itself, 0 is not -0."""
    kind = f"u{a.itemsize}"
    same: NDArray[np.bool_] = np.ascontiguousarray(a).view(kind) == np.ascontiguousarray(b).view(
        kind
    )
    return same


def _fit(given: Array, wanted: Array) -> tuple[float, float] | None:
    """Scale and offset that give most of a sample exactly: numbers as a person writes them."""
    rows = np.unique(np.linspace(0, len(given) - 1, _SAMPLE).astype(np.int64))
    given, wanted = given[rows], wanted[rows]
    low, high = given.argmin(), given.argmax()
    if not given[high] > given[low]:
        return None
    scale = float((wanted[high] - wanted[low]) / (given[high] - given[low]))
    for try_scale in _rounded(scale):
        offset = float(np.median(wanted - given * try_scale))
        for try_offset in _rounded(offset):
            made = (given * try_scale + try_offset).astype(wanted.dtype)
            if same_bits(made, wanted).mean() >= _LEAST:
                return try_scale, try_offset
    return None


def _rounded(value: float) -> Iterator[float]:
    """A number with few digits, then with more, then as a float32."""
    if not math.isfinite(value):
        return
    # Of 0 a difference of rounded numbers is left.
    known = [0.0] if abs(value) < 1e-9 else []
    known += [float(f"{value:.{digits}g}") for digits in range(1, 10)]
    yield from dict.fromkeys([*known, float(np.float32(value))])


def _moves(field: str) -> bool:
    """Whether a field says what a robot was given."""
    return field in INPUTS or field.split(".")[0] == "action"
