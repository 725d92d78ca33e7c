"""What came to a run since somebody last looked, as a page appends it to its curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trackway.dashboard.curves import asked
from trackway.dashboard.episodes_over_time import coded, place_of
from trackway.dashboard.overview import markers
from trackway.dashboard.position import COLUMNS, STREAMS, Position
from trackway.dashboard.writers import together
from trackway.errors import QueryError
from trackway.query.axis import X
from trackway.query.downsample import Buckets, downsample
from trackway.query.run_view import RunView

Floats = npt.NDArray[np.float64]
_MOST_POINTS: Final = 24


def newest(
    view: RunView, keys: Sequence[str], x: X, before: Position, after: Position, now_unix: float
) -> dict[str, Any]:
    """New points of these curves, new reasons and new markers."""
    for stream, fields in asked(keys).items():
        view.follow(stream, *fields)
    begin, end = dict(zip(STREAMS, before, strict=True)), dict(zip(STREAMS, after, strict=True))
    curves: dict[str, Any] = {}
    for key in keys:
        stream, _, field = key.partition(":")
        if end.get(stream, 0) <= begin.get(stream, 0):
            continue
        columns = stream in COLUMNS
        points = (_of_columns if columns else _of_records)(
            view, stream, field, x, begin[stream], end[stream], now_unix
        )
        if points is not None:
            curves[key] = points
    told: dict[str, Any] = {"unix_s": now_unix, "timesteps": _timestep(view), "curves": curves}
    if end["episodes"] > begin["episodes"]:
        told["ended"] = _ended(view, x, begin["episodes"], end["episodes"])
    if end["events"] > begin["events"]:
        told["markers"] = markers(view, begin["events"], end["events"])
    return told


def _of_records(
    view: RunView, stream: str, field: str, x: X, begin: int, end: int, now_unix: float
) -> dict[str, Any] | None:
    records = view.records(stream)
    if field not in records:
        return None
    made = downsample(records.part(field, begin, end), _MOST_POINTS)
    at = place_of(view, records, stream, x, begin, end)
    return _points(at[made.ends - 1], made)


def _of_columns(
    view: RunView, stream: str, name: str, x: X, begin: int, end: int, now_unix: float
) -> dict[str, Any] | None:
    """Rows of the latest attempt of each writer: no earlier one grows."""
    # The view may have gone on since: what lies beyond `end` is for the next event.
    over, _ = view.drawn(stream)
    first, rows = max(0, begin - over), end - over
    name, _, env = name.partition("@")
    name, _, index = name.partition("#")
    try:
        curve = view.curve(
            stream,
            name,
            env=int(env) if env else None,
            index=int(index) if index else 0,
            x="row",
            start=first,
            end=rows,
            buckets=_MOST_POINTS,
        )
    except (QueryError, ValueError):
        return None
    made = together(curve.only(view.writing))
    if not len(made):
        return None
    at = _on_axis(view, stream, int(made.attempt[0]), made.buckets.ends, x, now_unix)
    return _points(at, made.buckets)


def _on_axis(
    view: RunView, stream: str, number: int, ends: npt.NDArray[np.int64], x: X, now_unix: float
) -> Floats:
    """Where rows of attempt `number` are."""
    if x == "row":
        return ends.astype(float)
    span = view.spans[number]
    timesteps: Floats
    if stream == "steps":
        timesteps = span.begin + ends.astype(float) * max(1, span.num_envs)
        if x == "time":  # committed a moment ago; the next look at the whole curve knows better
            return np.full(len(ends), now_unix)
    else:
        own = "unix_s" if x == "time" else "timestep"
        told = view.curve(stream, own, x="row", start=int(ends[0]) - 1, end=int(ends[-1]))
        kept = told.attempt == number
        timesteps = np.interp(ends, told.buckets.ends[kept], told.buckets.last[kept])
        if x == "time":
            return timesteps
    if x in {"update", "episode"}:
        counted = view.records(x + "s")
        if "timestep" in counted:
            return np.searchsorted(counted["timestep"], timesteps, side="right").astype(float)
    return timesteps


def _points(at: Floats, made: Buckets) -> dict[str, Any]:
    told: dict[str, Any] = {"x": at, "mean": made.mean}
    if not np.array_equal(made.min, made.max, equal_nan=True):
        told |= {"lo": made.min, "hi": made.max}
    bad = np.flatnonzero(made.nan + made.inf)
    return told | ({"bad": bad} if len(bad) else {})


def _ended(view: RunView, x: X, begin: int, end: int) -> dict[str, Any]:
    """Where on the axis, and how many episodes ended for which reason."""
    episodes = view.records("episodes")
    codes, reasons = coded(episodes, begin, end)
    at = place_of(view, episodes, "episodes", x, end - 1, end)
    counts = np.bincount(codes, minlength=len(reasons))
    return {"x": float(at[0]), "reasons": dict(zip(reasons, counts.tolist(), strict=True))}


def _timestep(view: RunView) -> int:
    rows = view.rows("steps")
    ends = ((view.spans[n], rows[n]) for n in view.writing)
    return max((span.begin + count * span.num_envs for span, count in ends), default=0)
