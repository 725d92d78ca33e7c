"""The list of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.clock import SYSTEM_CLOCK
from trackway.dashboard.answers import Answer
from trackway.dashboard.messages import RunList, RunRow
from trackway.dashboard.runs import Runs
from trackway.dashboard.standing import standing
from trackway.run import RunFolder


async def answer_runs(request: Request) -> Response:
    """`/api/runs`: a `RunList`."""
    runs: Runs = request.app.state.runs
    return Answer(await asyncio.to_thread(run_list, runs, SYSTEM_CLOCK.unix_s()))


def run_list(runs: Runs, now_unix: float) -> RunList:
    """Every run, newest first."""
    rows = [run_row(run, now_unix) for run in runs.all()]
    rows.sort(key=lambda row: (row["created_unix"] or 0.0, row["id"]), reverse=True)
    return {"folder": str(runs.models.absolute()), "now_unix": now_unix, "runs": rows}


def run_row(run: RunFolder, now_unix: float) -> RunRow:
    stands = standing(run, now_unix)
    begin, beat = stands.begin, stands.heartbeat
    return {
        "id": run.name,
        "state": stands.state,
        "error": stands.error,
        "created_unix": begin.unix_s if begin else _made_unix(run),
        "seen_unix": beat.unix_s if beat else None,
        "timesteps": stands.timesteps,
        "planned": begin.planned if begin else None,
        "steps_per_s": beat.steps_per_s if beat else None,
        "left_s": stands.left_s,
        "attempts": stands.attempts,
        "num_envs": begin.num_envs if begin else None,
        "algorithm": begin.algorithm if begin else None,
        "environment": begin.environment if begin else None,
        "tags": [],
        "notes": "",
    }


def _made_unix(run: RunFolder) -> float | None:
    try:
        return run.path.stat().st_mtime
    except OSError:
        return None


routes: Final[Sequence[BaseRoute]] = [Route("/runs", answer_runs)]
