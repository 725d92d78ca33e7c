"""Episodes: lists of them, what a page needs to play one, and the scenes that they move."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Final, cast

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import NO_STORE, Answer, names, number, whole
from trackway.dashboard.messages import EpisodeList, EpisodeRow
from trackway.dashboard.runs import Runs
from trackway.errors import DashboardError
from trackway.replay.episodes import Command, EpisodeIndex, Window
from trackway.replay.library import Library
from trackway.replay.web_episode import episode_row, web_columns
from trackway.run import RunFolder

_MOST: Final = 500
_MOST_CLIPS: Final = 60
_LIBRARIES: Final = 16
_FOREVER: Final = {"cache-control": "private, max-age=31536000, immutable"}
_COMMAND: Final = re.compile(r"([0-2]):([-+.\deE]*?)\.\.([-+.\deE]*)")


class Libraries:
    """One library for each run that somebody looks at; the longest unused goes first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, Library] = {}

    def of(self, run: RunFolder) -> Library:
        """The library of a run.

        Raises:
            StreamError: It holds no recorded episodes.
        """
        with self._lock:
            found = self._open.pop(str(run.path), None) or Library(run.path)
            self._open[str(run.path)] = found
            while len(self._open) > _LIBRARIES:
                self._open.pop(next(iter(self._open)))
            return found


_libraries = Libraries()


def library_of(request: Request) -> Library:
    """The episodes of the run that the address names.

    Raises:
        UnknownRunError: There is no such run.
        StreamError: It holds no recorded episodes.
    """
    runs: Runs = request.app.state.runs
    return _libraries.of(runs.find(request.path_params["run"]))


def _window(request: Request) -> Window:
    begin = number(request, "from", -np.inf)
    end = number(request, "to", np.inf)
    return Window(-np.inf if begin is None else begin, np.inf if end is None else end)


async def answer_list(request: Request) -> Response:
    """`/api/runs/{run}/episodes?from&to&reason&env&command&order&limit&offset`: an `EpisodeList`."""
    limit = whole(request, "limit", 50, 0, _MOST)
    offset = whole(request, "offset", 0, 0, 1 << 40)

    def work() -> EpisodeList:
        index = library_of(request).index
        chosen = _ordered(request, index)
        of_all = index.column("reason")[_chosen(request, index)]
        told, counts = np.unique(of_all, return_counts=True)
        return {
            "total": len(chosen),
            "reasons": dict(zip(told.tolist(), counts.tolist(), strict=True)),
            "episodes": [_row(index, int(n)) for n in chosen[offset : offset + limit]],
        }

    return Answer(await asyncio.to_thread(work))


def _chosen(request: Request, index: EpisodeIndex, reason: str | None = None) -> Any:
    """Numbers of the episodes that `from`, `to`, `env` and `command` leave, oldest first."""
    env = whole(request, "env", 0, 0, 1 << 40) if request.query_params.get("env") else None
    return index.numbers(_window(request), reason or None, env, _command(request))


def _ordered(request: Request, index: EpisodeIndex) -> Any:
    """Of these, those that `reason` leaves, in `order`."""
    numbers = _chosen(request, index, request.query_params.get("reason"))
    order = request.query_params.get("order", "newest")
    if order in ("worst", "best"):
        numbers = numbers[np.argsort(index.column("return")[numbers], kind="stable")]
    return numbers[::-1] if order in ("newest", "best") else numbers


def _command(request: Request) -> Command | None:
    """`command=0:0.25..0.5`: the first number of the command, from 0.25 to below 0.5; either end may be open.

    Raises:
        DashboardError: It says something else.
    """
    text = request.query_params.get("command")
    if not text:
        return None
    match = _COMMAND.fullmatch(text)
    try:
        if match:
            low, high = float(match[2] or -np.inf), float(match[3] or np.inf)
            return Command(int(match[1]), low, high)
    except ValueError:
        pass
    raise DashboardError("command must be such as 0:0.25..0.5")


def _row(index: EpisodeIndex, number_: int) -> EpisodeRow:
    return cast("EpisodeRow", episode_row(index[number_]))


async def answer_extremes(request: Request) -> Response:
    """`…/episodes/extremes?from&to`: the worst, median and best episode of a window, by name."""
    window = _window(request)

    def work() -> dict[str, Any]:
        found = library_of(request).index.extremes(window)
        return {name: episode_row(episode) for name, episode in found.items()}

    return Answer(await asyncio.to_thread(work))


async def answer_evolution(request: Request) -> Response:
    """`…/episodes/evolution`: the median episode at 1, 10, 30, 60 and 100 % of the training."""

    def work() -> list[dict[str, Any]]:
        return [episode_row(episode) for episode in library_of(request).index.evolution()]

    return Answer(await asyncio.to_thread(work))


async def answer_clips(request: Request) -> Response:
    """`…/episodes/clips?from&to&reason&env&command&order&limit&steps`: a gallery's motion, in one answer."""
    limit = whole(request, "limit", 24, 1, _MOST_CLIPS)
    steps = whole(request, "steps", 50, 1, 500)
    keys = names(request, "keys", _MOST_CLIPS)

    def work() -> bytes:
        library = library_of(request)
        index = library.index
        if keys:
            return library.web_clips([index.find(key) for key in keys], steps)
        chosen = _ordered(request, index)
        return library.web_clips([index[int(n)] for n in chosen[:limit]], steps)

    return await binary(request, work, NO_STORE)


async def answer_episode(request: Request) -> Response:
    """`…/episodes/{key}/replay?from&to`: what the page needs to play it (`TWEP`)."""
    key, window = request.path_params["key"], _window(request)
    return await binary(request, lambda: library_of(request).web_episode(key, window), NO_STORE)


async def answer_columns(request: Request) -> Response:
    """`…/episodes/{key}/columns?names`: further columns of it (`TWEP`)."""
    key, wanted = request.path_params["key"], names(request, "names")

    def work() -> bytes:
        library = library_of(request)
        return web_columns(library.trajectory(library.index.find(key)), wanted)

    return await binary(request, work, NO_STORE)


async def answer_scene(request: Request) -> Response:
    """`…/scenes/{digest}?physics`: a model to draw (`TWSC`); a digest never means another."""
    digest, physics = request.path_params["digest"], request.query_params.get("physics")

    def work() -> bytes:
        return library_of(request).web_scene(digest, physics or None)

    return await binary(request, work, _FOREVER)


async def binary(request: Request, work: Callable[[], bytes], headers: dict[str, str]) -> Response:
    """What `work` makes, beside the event loop; compressed where the browser takes it."""
    zipped = "gzip" in request.headers.get("accept-encoding", "")

    def packed() -> bytes:
        content = work()
        return gzip.compress(content, 9, mtime=0) if zipped else content

    content = await asyncio.to_thread(packed)
    encoding = {"content-encoding": "gzip"} if zipped else {}
    told = {**headers, **encoding, "vary": "accept-encoding"}
    return Response(content, 200, told, "application/octet-stream")


_BELOW: Final = "/runs/{run}/episodes"
routes: Final[Sequence[BaseRoute]] = [
    Route(_BELOW, answer_list),
    Route(f"{_BELOW}/extremes", answer_extremes),
    Route(f"{_BELOW}/evolution", answer_evolution),
    Route(f"{_BELOW}/clips", answer_clips),
    Route(f"{_BELOW}/{{key}}/replay", answer_episode),
    Route(f"{_BELOW}/{{key}}/columns", answer_columns),
    Route("/runs/{run}/scenes/{digest}", answer_scene),
]
