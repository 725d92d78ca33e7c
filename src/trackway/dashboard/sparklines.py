"""Small curves for the list of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer, names
from trackway.dashboard.messages import Sparkline
from trackway.dashboard.views import Views
from trackway.errors import TrackwayError
from trackway.query.downsample import downsample
from trackway.query.run_view import RunView

_POINTS: Final = 48
_RECENT: Final = 100


async def answer_sparklines(request: Request) -> Response:
    """`/api/sparklines?runs=a,b`: a list of `Sparkline`; runs that cannot be read are left out."""
    wanted = [unquote(name) for name in names(request, "runs", 100)]
    views: Views = request.app.state.views

    def look() -> list[Sparkline]:
        found = []
        for name in wanted:
            try:
                with views.use(name) as view:
                    found.append(sparkline(view))
            except (TrackwayError, OSError):
                continue
        return found

    return Answer(await asyncio.to_thread(look))


def sparkline(view: RunView) -> Sparkline:
    episodes = view.records("episodes")
    known = "return" in episodes
    returns = episodes["return"] if known else np.empty(0)
    succeeded = episodes["is_success"][-_RECENT:] if "is_success" in episodes else np.empty(0)
    return {
        "id": view.run.name,
        "mean": [_or_none(value) for value in downsample(returns, _POINTS).mean],
        "last": _mean(returns[-_RECENT:]),
        "success": _mean(succeeded),
    }


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


routes: Final[Sequence[BaseRoute]] = [Route("/sparklines", answer_sparklines)]
