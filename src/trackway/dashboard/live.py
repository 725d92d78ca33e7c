"""What comes, as it comes: server-sent events.

One look at a run serves every browser that watches it. A browser has a place, not a queue: one that
reads slowly finds its next event made for where it stands, and one that fell far behind is told to
draw anew. So nobody's backlog grows in the server's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from trackway.clock import SYSTEM_CLOCK
from trackway.dashboard.answers import names
from trackway.dashboard.curves import MOST_CURVES, axis_of
from trackway.dashboard.newest import newest
from trackway.dashboard.position import (
    Position,
    can_append,
    position,
    read_position,
    write_position,
)
from trackway.dashboard.views import Views
from trackway.errors import TrackwayError
from trackway.query.axis import X

_log = logging.getLogger(__name__)

LOOK_S: Final = 0.1
_PLACES: Final = 32
_SILENCE_S: Final = 15.0
# A browser that takes nothing for so long is gone, whatever its connection says.
_TAKES_S: Final = 60.0


class Watched:
    """One run, looked at again and again while somebody watches."""

    def __init__(self, name: str, views: Views) -> None:
        self.name, self._views = name, views
        self.at: Position = ()
        self.failure: str | None = None
        # Every browser goes from one of these to the next, so that one answer serves them all.
        self._places: deque[Position] = deque(maxlen=_PLACES)
        self._changed = asyncio.Condition()
        self._made: dict[tuple[tuple[str, ...], X, Position, Position], asyncio.Task[bytes]] = {}
        self._watchers = 0
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        self._watchers += 1
        try:
            if self._task is None:
                await self._look()
                self._task = asyncio.create_task(self._keep_looking())
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def beyond(self, at: Position) -> None:
        """Wait until there is more than `at`, or a failure, or too long a silence."""
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SILENCE_S):
                    await self._changed.wait_for(lambda: self.at != at or self.failure is not None)

    async def since(self, keys: tuple[str, ...], x: X, before: Position) -> tuple[Position, bytes]:
        """What came after `before`, made once for all who ask the same."""
        places = list(self._places)
        # The last of them that is `before`: what a stream has given may be less for a moment, while
        # its rows go from one file to another.
        known = max((i for i, place in enumerate(places) if place == before), default=len(places))
        after = places[known + 1] if known + 1 < len(places) else self.at
        question = (keys, x, before, after)
        if question not in self._made:
            if len(self._made) > 4 * _PLACES:
                self._made.clear()
            self._made[question] = asyncio.create_task(self._make(*question))
        return after, await asyncio.shield(self._made[question])

    async def _make(self, keys: tuple[str, ...], x: X, before: Position, after: Position) -> bytes:
        def make() -> bytes:
            with self._views.use(self.name, fresh=False) as view:
                told = newest(view, keys, x, before, after, SYSTEM_CLOCK.unix_s())
            return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)

        return await asyncio.to_thread(make)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        def look() -> Position:
            with self._views.use(self.name) as view:
                return position(view)

        before, failed = self.at, self.failure
        try:
            self.at, self.failure = await asyncio.to_thread(look), None
        except (TrackwayError, OSError) as error:
            self.failure = str(error)
        if self.at != before or self.failure != failed:
            self._places.append(self.at)
            async with self._changed:
                self._changed.notify_all()


class Live:
    """The runs that are watched.

    Attributes:
        closing: Set when the server ends; then every stream of events does.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._runs: dict[str, Watched] = {}
        self.closing = asyncio.Event()

    def run(self, name: str) -> Watched:
        return self._runs.setdefault(name, Watched(name, self._views))


class EventStream(Response):
    """Server-sent events from an iterator; ends when the browser goes or stops reading."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], closing: asyncio.Event) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._events, self._closing = events, closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(_disconnected(receive))
        ending = asyncio.create_task(self._closing.wait())
        tasks = (sending, gone, ending)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if ending.done() and not sending.done():
                sending.cancel()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await send({"type": "http.response.body", "body": b""})
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        try:
            async for event in self._events:
                async with asyncio.timeout(_TAKES_S):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            _log.info("a browser stopped reading; it is let go")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer_live(request: Request) -> Response:
    """`/api/runs/{run}/live?keys=…&x=timestep&since=<position>`."""
    keys, x = tuple(names(request, "keys", MOST_CURVES)), axis_of(request)
    said = request.headers.get("last-event-id") or request.query_params.get("since", "")
    name: str = request.path_params["run"]
    request.app.state.runs.find(name)
    live: Live = request.app.state.live
    events = _events(live.run(name), keys, x, read_position(said))
    return EventStream(events, live.closing)


async def _events(
    run: Watched, keys: tuple[str, ...], x: X, since: Position | None
) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with run.watched():
        at = since if since is not None else run.at
        yield _event("here", at, b"{}")
        while True:
            if run.failure is not None:
                yield _event("failure", None, orjson.dumps({"error": run.failure}))
                return
            if at == run.at:
                await run.beyond(at)
                if at == run.at and run.failure is None:
                    yield b": still here\n\n"  # so that a dead connection is noticed
                continue
            if not can_append(at, run.at):
                at = run.at
                yield _event("anew", at, b"{}")
                continue
            try:
                at, body = await run.since(keys, x, at)
            except (TrackwayError, OSError) as error:
                yield _event("failure", None, orjson.dumps({"error": str(error)}))
                return
            yield _event("rows", at, body)
            await asyncio.sleep(0)  # whoever is far behind lets others in


def _event(kind: str, at: Position | None, body: bytes) -> bytes:
    number = b"" if at is None else b"id: " + write_position(at).encode() + b"\n"
    return number + b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/live", answer_live)]
