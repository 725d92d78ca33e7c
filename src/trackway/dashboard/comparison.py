"""Several runs beside each other: which settings differ, and how sure the difference in results is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer, names
from trackway.dashboard.configuration import flat
from trackway.dashboard.messages import Comparison, Difference, Figure, FigureRow
from trackway.dashboard.run_list import run_row
from trackway.dashboard.runs import Runs
from trackway.dashboard.views import Views
from trackway.query.records import RecordColumns

_MOST_RUNS: Final = 40
_RECENT: Final = 100
_RESAMPLES: Final = 2000
_FIGURES: Final = ("return", "length", "is_success")


async def answer_comparison(request: Request) -> Response:
    """`/api/compare?runs=a,b`: a `Comparison`."""
    wanted = [unquote(name) for name in names(request, "runs", _MOST_RUNS)]
    runs: Runs = request.app.state.runs
    views: Views = request.app.state.views
    return Answer(await asyncio.to_thread(compare, runs, views, wanted))


def compare(runs: Runs, views: Views, wanted: Sequence[str]) -> Comparison:
    """Put runs beside each other.

    Raises:
        UnknownRunError: There is no run of one of these names.
    """
    facts = [runs.facts(name) for name in wanted]
    configs = [flat(run.config) for run in facts]
    differs, same = differences(configs)
    columns: list[dict[str, npt.NDArray[np.float64]]] = []
    for name in wanted:
        with views.use(name) as view:
            columns.append(_finals(view.records("episodes")))
    figures: list[FigureRow] = [
        {"name": name, "values": [figure(c[name]) if name in c else None for c in columns]}
        for name in dict.fromkeys(name for c in columns for name in c)
    ]
    return {
        "rows": [run_row(run) for run in facts],
        "groups": groups(configs),
        "differs": differs,
        "same": same,
        "figures": figures,
    }


def differences(configs: Sequence[dict[str, str]]) -> tuple[list[Difference], int]:
    """Settings that are not the same in all, and how many are."""
    keys = list(dict.fromkeys(key for config in configs for key in config))
    found: list[Difference] = [
        {"key": key, "values": [config.get(key) for config in configs]} for key in keys
    ]
    differing = [row for row in found if len(set(row["values"])) > 1]
    return differing, len(found) - len(differing)


def groups(configs: Sequence[dict[str, str]]) -> list[int]:
    """A number for each run: runs that differ by their seed alone have the same."""
    without = [
        tuple(sorted((k, v) for k, v in config.items() if k.rpartition(".")[2] != "seed"))
        for config in configs
    ]
    known = {settings: number for number, settings in enumerate(dict.fromkeys(without))}
    return [known[settings] for settings in without]


def figure(values: npt.NDArray[np.float64]) -> Figure | None:
    """Mean and its 95 % interval, by resampling: returns of episodes are anything but normal.

    Source: Efron (1979), Bootstrap Methods: the percentile interval. The draws are the same every
    time, so that a page shows the same figures when it is opened again.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    drawn = np.random.default_rng(0).integers(len(known), size=(_RESAMPLES, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), [0.025, 0.975])
    return {"mean": float(known.mean()), "low": float(low), "high": float(high), "n": len(known)}


def _finals(episodes: RecordColumns) -> dict[str, npt.NDArray[np.float64]]:
    """The newest episodes, by what is worth comparing."""
    terms = [n for n in episodes.names if n.startswith(("reward_components.", "cost_components."))]
    return {n: episodes[n][-_RECENT:] for n in (*_FIGURES, *terms) if n in episodes}


routes: Final[Sequence[BaseRoute]] = [Route("/compare", answer_comparison)]
