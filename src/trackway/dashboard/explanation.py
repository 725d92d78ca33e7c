"""Explain a dip: what changed in a stretch of the training against as long a stretch before it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer, number
from trackway.dashboard.curves import axis_of
from trackway.dashboard.curves import curve as draw
from trackway.dashboard.episodes_over_time import coded, place_of
from trackway.dashboard.messages import Change, Explanation, ReasonChange
from trackway.dashboard.overview import markers
from trackway.dashboard.terminations import COMMANDS, commands
from trackway.dashboard.views import with_view
from trackway.errors import DashboardError
from trackway.query.axis import X
from trackway.query.run_view import RunView

Floats = npt.NDArray[np.float64]
_MOST: Final = 40
# Fewer values than this on a side say nothing.
_LEAST: Final = 3
_MACHINE: Final = ("cpu_percent", "memory_bytes", "load")
_NOT_ASKED: Final = {"row", "timestep", "unix_s", "env", "episode", "n_updates", "train/n_updates"}


async def answer_explanation(request: Request) -> Response:
    """`/api/runs/{run}/explain?x=timestep&start=&end=`: an `Explanation`."""
    x, start, end = axis_of(request), number(request, "start"), number(request, "end")
    if start is None or end is None or not start < end:
        raise DashboardError("say which stretch: start and end, one after the other")
    return Answer(await with_view(request, explain, x, start, end))


def explain(view: RunView, x: X, start: float, end: float) -> Explanation:
    """What changed between `start` and `end`.

    The size of a change is in standard deviations of the values on both sides (Cohen's d), so that a
    term in newtons and a share can stand in one list, the largest first.
    """
    before = (start - (end - start), start)
    during = (start, end)
    episodes = view.records("episodes")
    at = place_of(view, episodes, "episodes", x)
    sides = _within(at, before), _within(at, during)
    found = [*_changes(view, x, before, during)]
    found.sort(key=lambda change: -abs(change["effect"]))
    return {
        "before": before,
        "during": during,
        "episodes_before": int(sides[0].sum()),
        "episodes_during": int(sides[1].sum()),
        "changes": found[:_MOST],
        "reasons": _reasons(*coded(episodes), *sides),
        "markers": [
            m for m in markers(view) if start <= cast(dict[str, float], m["at"]).get(x, -1) <= end
        ],
    }


def _changes(
    view: RunView, x: X, before: tuple[float, float], during: tuple[float, float]
) -> Iterator[Change]:
    episodes, updates = view.records("episodes"), view.records("updates")
    at = place_of(view, episodes, "episodes", x)
    sides = _within(at, before), _within(at, during)
    for name in episodes.names:
        if name in _NOT_ASKED or name in {"terminated", "truncated"}:
            continue
        component = "_components." in name
        kind = "component" if component else "episode"
        values = episodes[name]
        yield from _change(kind, f"episodes:{name}", values[sides[0]], values[sides[1]])
    for name, column in zip(COMMANDS, commands(view).T, strict=False):
        yield from _change("command", name, column[sides[0]], column[sides[1]])
    at = place_of(view, updates, "updates", x)
    sides = _within(at, before), _within(at, during)
    for name in updates.names:
        if name not in _NOT_ASKED and not name.startswith("rollout/"):
            kind = "curriculum" if name == "rand_power" else "learner"
            values = updates[name]
            yield from _change(kind, f"updates:{name}", values[sides[0]], values[sides[1]])
    for name in _MACHINE:
        means = [_means(view, f"system:{name}", x, side) for side in (before, during)]
        yield from _change("machine", f"system:{name}", *means)


def _change(kind: str, key: str, before: Floats, during: Floats) -> Iterator[Change]:
    before, during = before[np.isfinite(before)], during[np.isfinite(during)]
    if min(len(before), len(during)) < _LEAST:
        return
    gap = float(during.mean() - before.mean())
    spread = math.sqrt((before.var() + during.var()) / 2)
    scale = max(abs(float(before.mean())), abs(float(during.mean())))
    # Memory creeps by a thousandth without meaning anything.
    if abs(gap) <= (0.03 if kind == "machine" else 1e-9) * scale:
        return
    # What stood still on both sides and then moved has no spread: it is the clearest change of all.
    effect = gap / spread if spread > 1e-9 * scale else math.copysign(99.0, gap)
    yield cast(
        Change,
        {
            "kind": kind,
            "key": key,
            "before": float(before.mean()),
            "during": float(during.mean()),
            "effect": float(np.clip(effect, -99.0, 99.0)),
        },
    )


def _reasons(
    codes: npt.NDArray[np.int64],
    names: Sequence[str],
    before: npt.NDArray[np.bool_],
    during: npt.NDArray[np.bool_],
) -> list[ReasonChange]:
    """Shares of reasons; the effect is that of proportions (Cohen's h)."""
    counts = [np.bincount(codes[side], minlength=len(names)) for side in (before, during)]
    if not counts[0].sum() or not counts[1].sum():
        return []
    shares = [count / count.sum() for count in counts]
    effects = 2 * (np.arcsin(np.sqrt(shares[1])) - np.arcsin(np.sqrt(shares[0])))
    order = np.argsort(-np.abs(effects), kind="stable")
    return [
        {
            "reason": names[i],
            "before": float(shares[0][i]),
            "during": float(shares[1][i]),
            "effect": float(effects[i]),
        }
        for i in order
        if shares[0][i] or shares[1][i]
    ]


def _means(view: RunView, key: str, x: X, stretch: tuple[float, float]) -> Floats:
    found = draw(view, key, x, *stretch, 200)
    return np.asarray(found.buckets.mean, float) if found is not None else np.empty(0)


def _within(at: Floats, stretch: tuple[float, float]) -> npt.NDArray[np.bool_]:
    inside: npt.NDArray[np.bool_] = (at > stretch[0]) & (at <= stretch[1])
    return inside


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/explain", answer_explanation)]
