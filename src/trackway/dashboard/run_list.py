"""The list of runs."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer
from trackway.dashboard.heartbeat import heartbeat
from trackway.dashboard.messages import RunList, RunRow, State
from trackway.dashboard.runs import Runs
from trackway.query.facts import RunFacts


async def answer_runs(request: Request) -> Response:
    """`/api/runs`: a `RunList`; 304 when nothing changed since the browser asked last."""
    runs: Runs = request.app.state.runs
    answer = Answer(await asyncio.to_thread(run_list, runs))
    tag = f'"{hashlib.blake2b(answer.body, digest_size=10).hexdigest()}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


def run_list(runs: Runs) -> RunList:
    """Every run, newest first."""
    return {
        "folder": str(runs.models.absolute()),
        "runs": [run_row(facts) for facts in runs.all()],
    }


def run_row(facts: RunFacts) -> RunRow:
    beat = heartbeat(Path(facts.path)) if facts.live else None
    timesteps = max(facts.timesteps or 0, beat.timestep) if beat else facts.timesteps
    speed = beat.steps_per_s if beat else _overall_speed(facts)
    planned, left_s = facts.planned_timesteps, None
    if facts.status == "running" and speed and planned is not None and timesteps is not None:
        left_s = round(max(0, planned - timesteps) / speed, 1)
    known = facts.status in get_args(State)
    return {
        "id": facts.name,
        "state": cast(State, facts.status) if known else "unknown",
        "error": facts.error,
        "created_unix": facts.created_unix,
        "seen_unix": beat.unix_s if beat else facts.ended_unix,
        "timesteps": timesteps,
        "planned": planned,
        "steps_per_s": speed,
        "left_s": left_s,
        "attempts": facts.attempts,
        "num_envs": facts.num_envs,
        "algorithm": facts.algorithm,
        "environment": facts.environment,
        "returns": [_short(value) for value in facts.sparkline],
        "return_mean": _short(facts.return_mean),
        "length_mean": _short(facts.length_mean),
        "success": facts.success_rate,
        "checkpoints": facts.checkpoints,
        "tags": facts.tags,
        "note": facts.note or "",
    }


def _overall_speed(facts: RunFacts) -> float | None:
    if not facts.duration_s or facts.timesteps is None or facts.resumed_from is not None:
        return None
    return facts.timesteps / facts.duration_s


def _short(value: float | None) -> float | None:
    """Four digits: a curve 96 pixels wide shows no more."""
    return None if value is None else float(f"{value:.4g}")


routes: Final[Sequence[BaseRoute]] = [Route("/runs", answer_runs)]
