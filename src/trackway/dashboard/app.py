"""Joins the parts of the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from trackway.dashboard import (
    checkpoints,
    comparison,
    configuration,
    curves,
    episodes,
    episodes_over_time,
    explanation,
    health,
    live,
    overview,
    run_list,
    terminations,
    watch,
    what_if,
)
from trackway.dashboard.answers import problem
from trackway.dashboard.guard import Access, Guard
from trackway.dashboard.live import Live
from trackway.dashboard.runs import Runs
from trackway.dashboard.static import StaticFiles
from trackway.dashboard.views import Views
from trackway.dashboard.watch import Notify, Watch
from trackway.errors import DashboardError, TrackwayError, UnknownRunError

_THREADS: Final = 32


def api_routes() -> Sequence[BaseRoute]:
    """Every question that can be asked, below `/api`."""
    rooms = (
        *(run_list, overview, curves, live, episodes, episodes_over_time, terminations),
        *(checkpoints, health, configuration, comparison, explanation, watch, what_if),
    )
    return [route for room in rooms for route in room.routes]


def make_app(
    models: Path,
    access: Access | None = None,
    static: StaticFiles | None = None,
    notify: Notify | None = None,
    drive: str | None = None,
) -> Guard:
    """The whole server, as one ASGI application.

    Args:
        models: The folder that holds the runs.
        access: Who may ask.
        static: The built page; by default the one that was installed.
        notify: Whom to tell of alerts.
        drive: `package.module:function` that may let policies drive episodes.

    Raises:
        DashboardError: The page has not been built.
    """
    access = access or Access()
    page = static or StaticFiles()

    async def answer_page(request: Request) -> Response:
        return page.answer(request)

    async def to_page(request: Request) -> Response:
        return RedirectResponse(f"{access.prefix}/", 307)

    inner: list[BaseRoute] = [
        Mount("/api", routes=list(api_routes()), name="api"),
        Route("/{path:path}", answer_page),
    ]
    routes = inner
    if access.prefix:
        # A proxy may pass the prefix on, or take it away.
        routes = [Route(access.prefix, to_page), Mount(access.prefix, routes=inner), *inner]

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        # A thread may wait for another that looks at the same run; the rest should not wait for both.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        watching = asyncio.create_task(app.state.watch.run())
        yield
        watching.cancel()
        await asyncio.to_thread(app.state.views.close)

    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            UnknownRunError: lambda _, error: problem(404, str(error)),
            DashboardError: lambda _, error: problem(400, str(error)),
            # A run that cannot be read is the run's fault, not the question's.
            TrackwayError: _unanswered,
            FileNotFoundError: _vanished,
            HTTPException: _http,
        },
    )
    app.state.runs, app.state.drive = Runs(models), drive
    app.state.views = Views(app.state.runs)
    app.state.live = Live(app.state.views)
    app.state.watch = Watch(app.state.runs, app.state.views, notify or Notify())
    return Guard(app, access)


async def _unanswered(request: Request, error: Exception) -> Response:
    return problem(422, str(error), code=getattr(error, "code", None))


async def _vanished(request: Request, error: Exception) -> Response:
    return problem(422, f"a file vanished while it was read: {error}")


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail)
