"""Columns of numbers, small enough for the wire: rounded to a stated step, then predicted, then cut to bytes.

Every component of a channel is rounded to whole multiples of its `step`, so that what is decoded lies
within half a step of what was recorded. Of the whole numbers the first or second difference is kept,
sign folded into the lowest bit, lowest bytes of all values first: what gzip then finds is mostly zeros.
`docs/reference/replay-format.md` is the specification; `web/src/replay/quantised.ts` reads it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.errors import FormatError

Array = NDArray[Any]
_LARGEST: Final = 1 << 29
"""Second differences of numbers up to this fit 32 bits."""


@dataclass(frozen=True)
class Channel:
    """One column of an episode.

    Attributes:
        name: Such as `qpos`.
        values: `[count, *shape]`.
        step: Of every component, `[components]`; what is decoded is wrong by half of it at most.
        told: Further facts about it, such as `unit` and `labels`.
    """

    name: str
    values: Array
    step: NDArray[np.float64]
    told: dict[str, Any]


def resolution(values: Array, levels: int = 1023) -> NDArray[np.float64]:
    """Steps for showing a column: its range in so many of them; whole numbers stay as they are.

    Args:
        values: `[count, *shape]`.
        levels: Steps from the smallest to the largest value of a component.

    Returns:
        `[components]`.
    """
    if values.dtype.kind in "biu":
        return np.ones(_flat(values).shape[1])
    finite = np.where(np.isfinite(values), values, np.nan)
    flat = _flat(finite.astype(np.float64))
    spread = np.zeros(flat.shape[1])
    seen = np.isfinite(flat).any(axis=0)
    if seen.any():
        spread[seen] = np.nanmax(flat[:, seen], axis=0) - np.nanmin(flat[:, seen], axis=0)
        # A constant is given as exactly as the rest would be.
        still = seen & (spread == 0)
        spread[still] = np.abs(np.nanmax(flat[:, still], axis=0)) if still.any() else 0.0
    return np.where(spread > 0, spread / levels, 1.0)


def encode(channel: Channel) -> tuple[dict[str, Any], bytes]:
    """What the header says of a channel, and its bytes."""
    flat = _flat(channel.values).astype(np.float64)
    lost = ~np.isfinite(flat)
    step = np.maximum(channel.step, _peak(flat, lost) / _LARGEST)
    whole = _held(np.rint(np.where(lost, 0.0, flat) / step).astype(np.int64), lost)
    order, differences = min(
        ((order, _differences(whole, order)) for order in (0, 1, 2)),
        key=lambda pair: int(np.abs(pair[1]).sum()),
    )
    folded = ((differences << 1) ^ (differences >> 63)).astype(np.uint32)
    planes = max(1, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    # [count, components] -> [planes, components, count]
    data = np.ascontiguousarray(folded.T, "<u4").view(np.uint8).reshape(*folded.T.shape, 4)
    same = len(step) > 0 and bool((step == step[0]).all())
    header = {
        "name": channel.name,
        "count": len(channel.values),
        "shape": list(channel.values.shape[1:]),
        "step": float(step[0]) if same else step.tolist(),
        "order": order,
        "planes": planes,
        "lost": _runs(lost),
        **channel.told,
    }
    return header, np.moveaxis(data, 2, 0)[:planes].tobytes()


def decode(header: dict[str, Any], data: bytes | memoryview) -> NDArray[np.float64]:
    """The values of a channel, `[count, *shape]`; NaN where they were not finite.

    Raises:
        FormatError: The bytes are not those that the header tells of.
    """
    count, shape, planes = header["count"], header["shape"], header["planes"]
    components = int(np.prod(shape))
    if len(data) != planes * components * count:
        raise FormatError(f"channel {header['name']!r} does not have the size that it should")
    folded = np.zeros((components, count), np.int64)
    parts = np.frombuffer(data, np.uint8).reshape(planes, components, count)
    for plane, part in enumerate(parts):
        folded |= part.astype(np.int64) << (8 * plane)
    whole = (folded >> 1) ^ -(folded & 1)
    for _ in range(header["order"]):
        whole = np.cumsum(whole, axis=1)
    values = (whole * np.broadcast_to(header["step"], components)[:, None]).T
    for component, first, length in header["lost"]:
        values[first : first + length, component] = np.nan
    return np.ascontiguousarray(values).reshape(count, *shape)


def _flat(values: Array) -> Array:
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def _peak(flat: Array, lost: Array) -> NDArray[np.float64]:
    if len(flat) == 0:
        return np.zeros(flat.shape[1])
    return np.asarray(np.abs(np.where(lost, 0.0, flat)).max(axis=0))


def _held(whole: NDArray[np.int64], lost: Array) -> NDArray[np.int64]:
    """The last value in place of lost ones: a jump to zero and back would cost bytes."""
    if not lost.any():
        return whole
    at = np.where(lost, 0, np.arange(len(whole))[:, None])
    return np.take_along_axis(whole, np.maximum.accumulate(at, axis=0), axis=0)


def _differences(whole: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    for _ in range(order):
        whole = np.diff(whole, axis=0, prepend=np.zeros((1, whole.shape[1]), np.int64))
    return whole


def _runs(lost: Array) -> list[list[int]]:
    """Stretches of lost values: component, first, length."""
    found = []
    for component in np.flatnonzero(lost.any(axis=0)).tolist():
        edges = np.flatnonzero(np.diff(np.r_[0, lost[:, component].astype(np.int8), 0]))
        found += [
            [component, int(a), int(b - a)] for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]
    return found
