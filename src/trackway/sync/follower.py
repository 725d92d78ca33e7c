"""All runs of a store, made again here and kept up with: what a dashboard of many machines reads."""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError, SyncError, UnreachableError
from trackway.run import RunFolder, read_manifest
from trackway.sync import layout
from trackway.sync.mirror import Mirror, ranks, runs
from trackway.sync.store import Store

_log = logging.getLogger(__name__)

_NAP_S: Final = 0.02
_FASTEST_S: Final = 0.1
_SLOWEST_S: Final = 10.0
_LIST_S: Final = 5.0
_SAY_S: Final = 4.0
_TROUBLED_S: Final = 2.0
_AT_ONCE: Final = 8


@dataclass
class _Followed:
    mirror: Mirror
    prefix: str
    pause_s: float = 0.0
    due_s: float = 0.0
    said_s: float = -1e9
    damage: str = ""
    # Held by whoever fetches something of it, or lets something of it go.
    lock: threading.Lock = field(default_factory=threading.Lock)


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
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._at_work: set[Future[None]] = set()
        self._bounding = threading.Lock()

    def poll(self) -> None:
        """Begin to fetch what is new of every run whose turn it is; none waits for another.

        Raises:
            SyncError: What the store has is damaged.
            UnreachableError: It cannot be reached.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._listed_s >= _LIST_S:
            first, self._listed_s = self._listed_s < 0, now_s
            if first:
                self._list()  # an address that is wrong is told of at once
            else:
                self._at_work.add(self._pool.submit(self._look_around))
        for followed in list(self._followed.values()):
            if followed.due_s <= now_s:
                followed.due_s = math.inf
                self._at_work.add(self._pool.submit(self._poll_one, followed))
        done, self._at_work = wait(self._at_work, _NAP_S, FIRST_COMPLETED)
        for future in done:
            future.result()

    def catch_up(self) -> None:
        """Fetch all there is of every run; of one that is damaged, what comes before the damage.

        Raises:
            UnreachableError: The store cannot be reached.
        """
        self._list()
        for _ in self._pool.map(self._catch_up_with, list(self._followed.values())):
            pass

    def _catch_up_with(self, followed: _Followed) -> None:
        applied = 1
        while applied:
            try:
                with followed.lock:
                    applied = followed.mirror.poll(at_most=64)
            except SyncError as error:
                _log.warning("%s; what is here of this run stays", error)
                return
            self._bound()

    def follow(self, stop: threading.Event) -> None:
        """Poll until told to stop; a store that cannot be reached is waited for."""
        while not stop.is_set():
            try:
                self.poll()
                self._trouble = False
            except (UnreachableError, SyncError, OSError) as error:
                if not self._trouble:
                    _log.warning("%s; what is here stays, and is brought up to date later", error)
                self._trouble = True
                stop.wait(_TROUBLED_S)
            stop.wait(_NAP_S)
        self._pool.shutdown()

    def _look_around(self) -> None:
        self._list()
        self._bound()

    def _list(self) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            names = runs(self._store)
            for run, found in zip(names, pool.map(partial(ranks, self._store), names), strict=True):
                for rank in found:
                    if (run, rank) not in self._followed:
                        mirror = Mirror(self._store, run, self._folder, rank)
                        self._followed[run, rank] = _Followed(mirror, layout.rank_prefix(run, rank))

    def _poll_one(self, followed: _Followed) -> None:
        try:
            with followed.lock:
                self._fetch(followed)
            followed.damage = ""
        except (SyncError, OSError) as error:  # of this run alone, or this machine's disk
            followed.pause_s = _TROUBLED_S
            if not followed.damage:
                _log.warning("%s; what is here of this run stays", error)
            followed.damage = str(error)
        except UnreachableError:
            followed.pause_s = _TROUBLED_S
            raise
        finally:
            followed.due_s = self._clock.monotonic_s() + followed.pause_s

    def _fetch(self, followed: _Followed) -> None:
        now_s = self._clock.monotonic_s()
        if now_s - followed.said_s >= _SAY_S and self._goes_on(followed):
            followed.said_s = now_s
            # Without the right to write nobody hears of it: shipping is slower then.
            with contextlib.suppress(UnreachableError):
                self._store.put(layout.watched_key(followed.prefix), secrets.token_hex(8).encode())
        applied = followed.mirror.poll(at_most=64)
        slowest_s = 4 * _FASTEST_S if self._goes_on(followed) else _SLOWEST_S
        followed.pause_s = _FASTEST_S if applied else min(1.5 * followed.pause_s + 0.01, slowest_s)

    def _goes_on(self, followed: _Followed) -> bool:
        try:
            manifest = read_manifest(RunFolder(followed.mirror.path))
        except RunError:
            return True
        return manifest.get("status") == "running"

    def _bound(self) -> None:
        """Keep within the room there is: the oldest run's steps go first, then its models.

        Every file is looked at, so not after every shipment.
        """
        with self._bounding:
            followed = dict(self._followed)
            held = {key: _size(each.mirror.path) for key, each in followed.items()}
            for lane in reversed(layout.LANES[1:]):
                for key in sorted(held):
                    if sum(held.values()) <= self._cache_bytes:
                        return
                    with followed[key].lock:
                        if lane not in followed[key].mirror.left_out:
                            held[key] -= followed[key].mirror.leave_out(lane)


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # sealed meanwhile, under another name
            size += path.stat().st_size if path.is_file() else 0
    return size
