"""How precisely a stream is kept: every bit, simulated again (`resim`), or rounded within bounds.

Values rounded within a bound take a third of the size, and are still floats that every tool reads.

A value becomes the nearest multiple of a power of two, so that the rest of its mantissa is zero
and compresses to nothing: 2^-17 m = 7.6 µm for a bound of 5 µm. NaN and infinities stay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway.errors import StreamError
from trackway.format.part import ANALYSIS, EXACT, RESIM
from trackway.format.schema import Field, Schema
from trackway.storage.places import AttemptFolder

Array = npt.NDArray[Any]
# A tier, or bounds by field: then the tier is `analysis`.
Precision = str | Mapping[str, float]

# What no analysis of a walking robot feels: less than its own sensors tell apart (decision 10). Other
# units say nothing of the scale: exact.
BOUNDS: Final[Mapping[str, float]] = {
    "m": 5e-6,
    "rad": 5e-6,
    "m/s": 8e-3,
    "rad/s": 8e-3,
    "N": 1e-1,
    "N m": 8e-3,
    "J": 1e-3,
}


def wanted_precision(attempt: AttemptFolder) -> Mapping[str, Precision]:
    """By stream, what the attempt's recorder was told; others stay exact."""
    try:
        told: Mapping[str, Precision] = orjson.loads(attempt.manifest.read_bytes()).get(
            "precision", {}
        )
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return {}
    return told


def check_precision(schema: Schema, wanted: Precision) -> None:
    """Refuse what no part can be.

    Raises:
        StreamError: There is no such tier or field, or a bound cannot be.
    """
    if isinstance(wanted, str) and wanted not in {EXACT, RESIM, ANALYSIS}:
        raise StreamError(
            f"{wanted!r} is no precision: say {EXACT}, {RESIM}, {ANALYSIS}, or bounds by field"
        )
    if isinstance(wanted, Mapping):
        bounds_for(schema, wanted)


def bounds_of(wanted: Precision) -> Mapping[str, float] | None:
    """The bounds given by field where values are to be rounded; None where they stay."""
    if isinstance(wanted, str):
        return {} if wanted == ANALYSIS else None
    return wanted


def bounds_for(schema: Schema, given: Mapping[str, float] | None = None) -> dict[str, float]:
    """By field, how far a value may be from what was recorded; other fields stay exact.

    Args:
        schema: Of the stream.
        given: Bounds by field, 0 for one that stays exact; else units decide. A field with several
            units gets the smallest bound of theirs.

    Raises:
        StreamError: There is no such field, it holds no floats, or the bound is negative.
    """
    given = given or {}
    fields = {field.name: field for field in schema}
    for name, bound in given.items():
        if name not in fields:
            raise StreamError(f"there is no field {name!r}; there are: {', '.join(fields)}")
        if not fields[name].dtype.startswith("float"):
            raise StreamError(f"field {name!r} holds {fields[name].dtype}: only floats are rounded")
        if not 0 <= bound < math.inf:
            raise StreamError(f"a bound of {bound} for {name!r} cannot be: give 0 or more")
    found = {name: given.get(name, _by_unit(field)) for name, field in fields.items()}
    return {name: bound for name, bound in found.items() if bound > 0}


def _by_unit(field: Field) -> float:
    if not field.dtype.startswith("float"):
        return 0.0
    bounds = [BOUNDS.get(unit.strip(), 0.0) for unit in field.unit.split(",")]
    return min(bounds)


def rounded(values: Array, bound: float) -> Array:
    """The nearest multiples of the largest power of two that keeps within the bound."""
    step = 2.0 ** math.floor(math.log2(2 * bound))
    with np.errstate(over="ignore", invalid="ignore"):
        wide = values.astype(np.float64)
        near = (np.rint(wide / step) * step).astype(values.dtype)
    # Values too large to have digits that small are as they were.
    return np.where(within(values, near, bound), near, values)


def within(values: Array, near: Array, bound: float) -> npt.NDArray[np.bool_]:
    """Where `near` is no farther from `values` than the bound; NaN is near NaN."""
    with np.errstate(invalid="ignore"):
        close = np.abs(values.astype(np.float64) - near.astype(np.float64)) <= bound
    result: npt.NDArray[np.bool_] = close | (values == near) | (np.isnan(values) & np.isnan(near))
    return result
