"""All runs of a store, made again here and kept up with: what a dashboard of many machines reads."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError, SyncError, UnreachableError
from trackway.run import RunFolder, read_manifest
from trackway.sync import layout
from trackway.sync.mirror import Mirror, ranks, runs
from trackway.sync.store import Store

_log = logging.getLogger(__name__)

_FASTEST_S: Final = 0.1
_SLOWEST_S: Final = 10.0
_LIST_S: Final = 5.0
_SAY_S: Final = 4.0
_AT_ONCE: Final = 8


@dataclass
class _Followed:
    mirror: Mirror
    prefix: str
    pause_s: float = 0.0
    due_s: float = 0.0
    said_s: float = -1e9


class Follower:
    """Polls often what grows and seldom what rests, and says to shippers that somebody watches."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        cache_bytes: float = 20e9,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Follow every run of `store` below `folder`.

        Args:
            store: Where they are.
            folder: Where they are made again; it may hold what an earlier follower made.
            cache_bytes: Steps and models of the oldest runs go when there is more than this here;
                their episodes, curves and events stay.
            clock: Gives times.
        """
        self._store, self._folder, self._cache_bytes, self._clock = (
            store,
            folder,
            cache_bytes,
            clock,
        )
        self._followed: dict[tuple[str, int], _Followed] = {}
        self._listed_s = -1e9
        self._trouble = False

    def poll(self) -> int:
        """Fetch what is new of every run whose turn it is; how many shipments that were.

        Raises:
            UnreachableError: The store cannot be reached.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._listed_s >= _LIST_S:
            self._listed_s = now_s
            self._list()
        due = [followed for followed in self._followed.values() if followed.due_s <= now_s]
        if not due:
            return 0
        # No run waits for another: one may have a lot to fetch.
        with ThreadPoolExecutor(min(_AT_ONCE, len(due))) as pool:
            applied = sum(pool.map(self._poll_one, due))
        if applied:
            self._bound()
        return applied

    def catch_up(self) -> None:
        """Fetch all there is of every run.

        Raises:
            UnreachableError: The store cannot be reached.
        """
        self._list()
        for followed in self._followed.values():
            while followed.mirror.poll(at_most=64):
                self._bound()

    def follow(self, stop: threading.Event) -> None:
        """Poll until told to stop; a store that cannot be reached is waited for."""
        while not stop.is_set():
            try:
                self.poll()
                self._trouble = False
            except (UnreachableError, SyncError) as error:
                if not self._trouble:
                    _log.warning("%s; what is here stays, and is brought up to date later", error)
                self._trouble = True
                stop.wait(2.0)
            stop.wait(0.02)

    def _list(self) -> None:
        for run in runs(self._store):
            for rank in ranks(self._store, run):
                if (run, rank) not in self._followed:
                    mirror = Mirror(self._store, run, self._folder, rank)
                    self._followed[run, rank] = _Followed(mirror, layout.rank_prefix(run, rank))

    def _poll_one(self, followed: _Followed) -> int:
        now_s = self._clock.monotonic_s()
        if now_s - followed.said_s >= _SAY_S and self._goes_on(followed):
            followed.said_s = now_s
            # Without the right to write nobody hears of it: shipping is slower then.
            with contextlib.suppress(UnreachableError):
                self._store.put(layout.watched_key(followed.prefix), secrets.token_hex(8).encode())
        applied = followed.mirror.poll(at_most=64)
        slowest_s = 4 * _FASTEST_S if self._goes_on(followed) else _SLOWEST_S
        followed.pause_s = _FASTEST_S if applied else min(1.5 * followed.pause_s + 0.01, slowest_s)
        followed.due_s = self._clock.monotonic_s() + followed.pause_s
        return applied

    def _goes_on(self, followed: _Followed) -> bool:
        try:
            manifest = read_manifest(RunFolder(followed.mirror.path))
        except RunError:
            return True
        return manifest.get("status") == "running"

    def _bound(self) -> None:
        """Keep within the room there is: the oldest run's steps go first, then its models."""
        held = {key: _size(followed.mirror.path) for key, followed in self._followed.items()}
        for lane in reversed(layout.LANES[1:]):
            for key in sorted(held):
                if sum(held.values()) <= self._cache_bytes:
                    return
                mirror = self._followed[key].mirror
                if lane not in mirror.left_out:
                    held[key] -= mirror.leave_out(lane)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
