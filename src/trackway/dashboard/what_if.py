"""What if: an episode under other circumstances, or driven by another checkpoint's policy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.checkpoint.choose import told_timestep
from trackway.dashboard.answers import NO_STORE, Answer, number
from trackway.dashboard.checkpoints import models_of
from trackway.dashboard.episodes import binary, library_of
from trackway.dashboard.messages import Policies, PolicyRow
from trackway.dashboard.runs import Runs
from trackway.errors import DashboardError, RunError
from trackway.replay.web_episode import web_episode
from trackway.run import RunFolder, read_manifest

if TYPE_CHECKING:
    from trackway.replay.what_if import Policy

_MOST: Final = 200


async def answer_policies(request: Request) -> Response:
    """`/api/runs/{run}/policies`: `Policies`, whose policies may drive an episode, newest first."""
    run = _run(request)

    def work() -> Policies:
        rows: list[PolicyRow] = [
            {"name": path.name, "kind": kind, "timestep": told_timestep(path)}
            for kind, path in models_of(run)[:_MOST]
        ]
        return {"allowed": request.app.state.drive is not None, "policies": rows}

    return Answer(await asyncio.to_thread(work))


async def answer_what_if(request: Request) -> Response:
    """`…/episodes/{key}/what-if?from&friction&mass&gravity&push_x&push_y&push_s&policy`: as it would have been.

    Simulated by one niced, bounded process at a time; whoever comes later waits.
    """
    key = request.path_params["key"]
    given = {
        name: number(request, name, fallback, low, high)
        for name, fallback, low, high in (
            ("friction", 1.0, 0.0, 10.0),
            ("mass", 0.0, -100.0, 1000.0),
            ("gravity", 1.0, -2.0, 5.0),
            ("push_x", 0.0, -10.0, 10.0),
            ("push_y", 0.0, -10.0, 10.0),
            ("push_s", 0.0, 0.0, 1e6),
            ("from", 0.0, 0.0, 1e6),
        )
    }
    friction, mass, gravity, x, y, push_s, from_s = (
        float(value or 0.0) for value in given.values()
    )

    def work() -> bytes:
        from trackway.replay.changes import Changes
        from trackway.replay.what_if import what_if

        library = library_of(request)
        changes = Changes(friction, mass, gravity, (x, y), push_s)
        found = what_if(library, key, changes, _policy(request), from_s)
        simulated = {"step": found.first, "exact": found.exact}
        models = library.models(found.trajectory)
        return web_episode(found.trajectory, models, {"simulated": simulated})

    return await binary(request, work, NO_STORE)


def _policy(request: Request) -> Policy | None:
    """The policy that was asked for by its file's name; None: the recorded inputs.

    Raises:
        DashboardError: There is none of that name, or nobody allowed it.
    """
    from trackway.replay.what_if import Policy

    name, drive = request.query_params.get("policy"), request.app.state.drive
    if not name:
        return None
    if drive is None:
        raise DashboardError("start the server with --drive MODULE:FUNCTION to try policies")
    run = _run(request)
    found = next((path for _, path in models_of(run) if path.name == name), None)
    if found is None:
        raise DashboardError(f"the run has no checkpoint {name[:120]!r}")
    try:
        config = read_manifest(run).get("config") or {}
    except RunError:
        config = {}  # who drives says what it misses
    return Policy(drive, found, config)


def _run(request: Request) -> RunFolder:
    runs: Runs = request.app.state.runs
    return runs.find(request.path_params["run"])


routes: Final[Sequence[BaseRoute]] = [
    Route("/runs/{run}/policies", answer_policies),
    Route("/runs/{run}/episodes/{key}/what-if", answer_what_if),
]
