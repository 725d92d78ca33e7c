"""Why episodes ended: by environment, and by what was asked of the robot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer, number
from trackway.dashboard.curves import axis_of
from trackway.dashboard.episodes_over_time import coded, limits, place_of
from trackway.dashboard.messages import ReasonTable
from trackway.dashboard.views import with_view
from trackway.query.axis import X
from trackway.query.run_view import RunView

_BINS: Final = 8
# Environments beyond these are told together, in the last row.
_MOST_ENVS: Final = 256
COMMANDS: Final = ("forward", "sideways", "turning")


async def answer_reasons(request: Request) -> Response:
    """`/api/runs/{run}/reasons?x=timestep&start=&end=`: a `ReasonTable`."""
    x, start, end = axis_of(request), number(request, "start"), number(request, "end")
    return Answer(await with_view(request, reason_table, x, start, end))


def reason_table(view: RunView, x: X, start: float | None, end: float | None) -> ReasonTable:
    episodes = view.records("episodes")
    codes, reasons = coded(episodes)
    at = place_of(view, episodes, "episodes", x)
    low, high = limits(at, start, end)
    shown = (at >= low) & (at <= high)
    env = episodes["env"].astype(int) if "env" in episodes else np.zeros(len(episodes), int)
    env = np.minimum(env, _MOST_ENVS - 1)
    asked = commands(view)
    tables, edges = [], []
    for column in asked.T if len(asked) else []:
        known = shown & np.isfinite(column)
        bounds = np.linspace(*_ends(column[known]), _BINS + 1)
        bins = np.clip(np.searchsorted(bounds, column[known], side="right") - 1, 0, _BINS - 1)
        tables.append(_table(bins, codes[known], _BINS, len(reasons)))
        edges.append(bounds.tolist())
    envs = int(env.max(initial=-1)) + 1
    return {
        "reasons": reasons,
        "total": np.bincount(codes[shown], minlength=len(reasons)).tolist(),
        "by_env": _table(env[shown], codes[shown], envs, len(reasons)),
        "commands": [*COMMANDS[: len(tables)]],
        "by_command": tables,
        "edges": edges,
    }


def commands(view: RunView) -> npt.NDArray[np.float64]:
    """What each episode was asked for as it began, `[episodes, numbers]`; NaN where nobody says.

    Columns that never change are left out at the end: a robot that is only asked to go ahead.
    """
    episodes, starts = view.records("episodes"), view.records("starts")
    names = [f"start.command.{i}" for i in range(len(COMMANDS))]
    names = [name for name in names if name in starts]
    if not names or not {"env", "episode"} <= set(episodes.names):
        return np.empty((len(episodes), 0))
    begun = {
        (env, episode): i
        for i, (env, episode) in enumerate(zip(starts["env"], starts["episode"], strict=True))
    }
    rows = [begun.get(key, -1) for key in zip(episodes["env"], episodes["episode"], strict=True)]
    found = np.array(rows, int)
    columns = np.stack([starts[name] for name in names], axis=1)
    asked = np.where(found[:, None] >= 0, columns[found], np.nan)
    while asked.shape[1] > 1 and not np.nanstd(asked[:, -1]) > 0:
        asked = asked[:, :-1]
    return asked


def _ends(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    if not len(values) or values.min() == values.max():
        return (float(values[0]) - 0.5, float(values[0]) + 0.5) if len(values) else (0.0, 1.0)
    return float(values.min()), float(values.max())


def _table(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], height: int, width: int
) -> list[list[int]]:
    counts = np.zeros((height, width), np.int64)
    np.add.at(counts, (rows, columns), 1)
    told: list[list[int]] = counts.tolist()
    return told


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/reasons", answer_reasons)]
