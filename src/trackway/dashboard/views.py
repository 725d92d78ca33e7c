"""Runs that somebody looks at, kept open while they do.

A `RunView` is for one thread at a time, and holds what it has read: so each has a lock, and the one
that was asked for longest ago goes when there are too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from starlette.requests import Request

from trackway.clock import SYSTEM_CLOCK
from trackway.dashboard.runs import Runs
from trackway.errors import TrackwayError
from trackway.query.run_view import RunView
from trackway.run import RunFolder

_log = logging.getLogger(__name__)
_KEPT: Final = 12
_SAVE_S: Final = 30.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class _Open:
    lock: threading.Lock = field(default_factory=threading.Lock)
    view: RunView | None = None
    asked: int = 0
    saved_s: float = 0.0


class Views:
    """Open views of runs, by name."""

    def __init__(self, runs: Runs, kept: int = _KEPT) -> None:
        self._runs, self._kept = runs, kept
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def use(self, name: str, *, fresh: bool = True) -> Iterator[RunView]:
        """The view of a run, for this thread alone while it lasts.

        Args:
            name: Of the run.
            fresh: Whether to look for what came since the last use.

        Raises:
            UnknownRunError: There is no such run.
        """
        run = self._runs.find(name)
        with self._lock:
            entry = self._open.setdefault(name, _Open())
            self._open.move_to_end(name)
            entry.asked += 1
        try:
            with entry.lock:
                yield self._opened(entry, run, fresh)
        finally:
            with self._lock:
                entry.asked -= 1
            self._let_go()

    def close(self) -> None:
        """Let every view keep what the next server need not read again."""
        with self._lock:
            entries = list(self._open.values())
            self._open.clear()
        for entry in entries:
            with entry.lock:
                _save(entry)

    def _opened(self, entry: _Open, run: RunFolder, fresh: bool) -> RunView:
        if entry.view is not None and entry.view.run == run.path:
            if fresh:
                entry.view.refresh()
        else:
            entry.view = RunView(run.path)
            entry.saved_s = SYSTEM_CLOCK.monotonic_s()
        if SYSTEM_CLOCK.monotonic_s() - entry.saved_s > _SAVE_S:
            entry.saved_s = SYSTEM_CLOCK.monotonic_s()
            _save(entry)  # so that a server that is killed need not read everything again
        return entry.view

    def _let_go(self) -> None:
        with self._lock:
            idle = [name for name, entry in self._open.items() if not entry.asked]
            spare = idle[: max(0, len(self._open) - self._kept)]
            gone = [self._open.pop(name) for name in spare]
        for entry in gone:
            with entry.lock:
                _save(entry)


def _save(entry: _Open) -> None:
    if entry.view is not None:
        try:
            entry.view.save()
        except (OSError, TrackwayError) as error:
            _log.debug("the cache of %s was not kept: %s", entry.view.run, error)


async def with_view(
    request: Request,
    act: Callable[Concatenate[RunView, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Let `act` look at the run that the address names, beside the event loop."""
    views: Views = request.app.state.views
    name: str = request.path_params["run"]

    def look() -> Any:
        with views.use(name) as view:
            return act(view, *args, **kwargs)

    return await asyncio.to_thread(look)
