"""Why episodes ended, and how hard they were, over the training."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import NO_STORE, Answer, number, whole
from trackway.dashboard.curves import axis_of
from trackway.dashboard.messages import Shares
from trackway.dashboard.views import with_view
from trackway.query.axis import X
from trackway.query.records import RecordColumns
from trackway.query.run_view import RunView

Floats = npt.NDArray[np.float64]
_UNKNOWN: Final = "unknown"
# More rows of a strip than this cannot be told apart on a screen.
_MOST_ENVS: Final = 128


async def answer_shares(request: Request) -> Response:
    """`/api/runs/{run}/shares?x=timestep&n=200`: `Shares`."""
    x, n = axis_of(request), whole(request, "n", 200, 2, 1000)
    start, end = number(request, "start"), number(request, "end")
    return Answer(await with_view(request, shares, x, start, end, n))


async def answer_strip(request: Request) -> Response:
    """`/api/runs/{run}/strip?x=timestep&n=240`: how hard each environment was, as an image."""
    x, n = axis_of(request), whole(request, "n", 240, 2, 1000)
    start, end = number(request, "start"), number(request, "end")
    body = await with_view(request, strip, x, start, end, n)
    return Response(body, media_type="application/octet-stream", headers=NO_STORE)


def shares(view: RunView, x: X, start: float | None, end: float | None, n: int) -> Shares:
    episodes = view.records("episodes")
    at, codes, reasons = place_of(view, episodes, "episodes", x), *coded(episodes)
    low, high = limits(at, start, end)
    if not len(at) or high <= low:
        return {"x": [], "reasons": {}}
    edges = np.linspace(low, high, n + 1)
    bins = np.clip(np.searchsorted(edges, at, side="left") - 1, 0, n - 1)
    shown = (at >= low) & (at <= high)
    counts = np.zeros((n, len(reasons)), np.int64)
    np.add.at(counts, (bins[shown], codes[shown]), 1)
    kept = counts.sum(axis=1) > 0
    return {
        "x": edges[1:][kept].tolist(),
        "reasons": {name: counts[kept, i].tolist() for i, name in enumerate(reasons)},
    }


def strip(view: RunView, x: X, start: float | None, end: float | None, n: int) -> bytes:
    """Curriculum by environment: header `{envs, n, low, high, x0, x1}`, then uint8 `[envs, n]`.

    255 stands for what is not known yet; 0 to 254 for values from `low` to `high`.
    """
    starts = view.records("starts")
    name = "start.rand_power"
    if name not in starts or not len(starts):
        return _strip({"envs": 0, "n": 0}, b"")
    at, env, power = place_of(view, starts, "starts", x), starts["env"].astype(int), starts[name]
    low_x, high_x = limits(at, start, end)
    envs = min(int(env.max()) + 1, _MOST_ENVS)
    columns = np.searchsorted(np.linspace(low_x, high_x, n + 1)[1:], at, side="left").clip(0, n - 1)
    image = np.full((envs, n), np.nan)
    shown = (env < envs) & (at <= high_x)
    image[env[shown], columns[shown]] = power[shown]
    # Between its starts an environment stays as it is.
    last = np.maximum.accumulate(np.where(np.isnan(image), -1, np.arange(n)), axis=1)
    image = np.where(last >= 0, np.take_along_axis(image, last.clip(0), axis=1), np.nan)
    low, high = float(np.nanmin(power)), float(np.nanmax(power))
    scaled = (image - low) / (high - low) * 254 if high > low else image * 0
    pixels = np.where(np.isnan(scaled), 255, np.round(np.nan_to_num(scaled))).astype(np.uint8)
    head = {"envs": envs, "n": n, "low": low, "high": high, "x0": low_x, "x1": high_x}
    return _strip(head, pixels.tobytes())


def _strip(head: dict[str, float], pixels: bytes) -> bytes:
    told = orjson.dumps(head)
    return struct.pack("<I", len(told)) + told + pixels


def limits(at: Floats, start: float | None, end: float | None) -> tuple[float, float]:
    if not len(at):
        return 0.0, 0.0
    return (
        float(np.nanmin(at)) if start is None else start,
        float(np.nanmax(at)) if end is None else end,
    )


def place_of(
    view: RunView, records: RecordColumns, stream: str, x: X, begin: int = 0, end: int | None = None
) -> Floats:
    """Where records are on an axis, float64 `[end - begin]`, rising; all of them by default."""
    end = len(records) if end is None else end
    if x == "time":
        known = "unix_s" in records
        return np.maximum.accumulate(records.part("unix_s", begin, end)) if known else np.empty(0)
    if x + "s" == stream:
        return np.arange(begin + 1.0, end + 1)
    if "timestep" not in records:
        return np.arange(begin, end, dtype=float)
    at = records.part("timestep", begin, end)
    if x in {"update", "episode"}:
        counted = view.records(x + "s")
        if "timestep" in counted:
            return np.searchsorted(counted["timestep"], at, side="right").astype(float)
    return at


def coded(
    episodes: RecordColumns, begin: int = 0, end: int | None = None
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """The reason of each episode as a number, and the reasons, the most frequent first."""
    codes, told = episodes.codes("termination_reason", begin, end)
    named = np.array([text or _UNKNOWN for text in [*told, None]])  # -1 stands for none
    names, merged = np.unique(named, return_inverse=True)
    codes = merged[codes]
    counts = np.bincount(codes, minlength=len(names))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    rank = np.zeros(len(names), np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], [str(names[i]) for i in order]


routes: Final[Sequence[BaseRoute]] = [
    Route("/runs/{run}/shares", answer_shares),
    Route("/runs/{run}/strip", answer_strip),
]
