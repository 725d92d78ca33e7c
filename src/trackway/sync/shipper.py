"""The shipper: what a run's folder gains goes into a store, in order, while the run goes on."""

from __future__ import annotations

import contextlib
import logging
import secrets
from typing import Any

import orjson

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError, SyncError, UnreachableError
from trackway.run import RunFolder, read_manifest, status
from trackway.storage.places import attempts
from trackway.sync import layout, lease
from trackway.sync.acknowledged import (
    Acknowledgements,
    acknowledged_file,
    identity,
    read_acknowledged,
)
from trackway.sync.adoption import adopt
from trackway.sync.cadence import CHECK_S, IDLE_S, LONGEST_PAUSE_S, Bandwidth, Cadence
from trackway.sync.changes import Change, Scanner
from trackway.sync.preflight import check_store
from trackway.sync.sending import Parcel, Sender
from trackway.sync.store import Store

_log = logging.getLogger(__name__)

_LIVE_BYTES = 8 << 20
_BACKLOG_BYTES = 32 << 20
_NAP_S = 0.02
# How long what a program changes in place, rather than by a rename, may stay unseen.
_THOROUGH_S = 30.0
_CHECK_END_S = 0.5
_TELL_S = 5.0


class Shipper:
    """Ships one run. Its state is the run's folder and the store: kill it and start it at will.

    Attributes:
        shipments: Shipments that the store acknowledged to this process.
        behind_bytes: Bytes that were waiting at the last look.
    """

    def __init__(
        self,
        run: RunFolder,
        store: Store,
        *,
        rank: int = 0,
        idle_s: float = IDLE_S,
        bytes_per_s: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is asked of the store yet.

        Args:
            run: What to ship.
            store: Where to.
            rank: Of several writers of one run, which this is.
            idle_s: How often to ship while nobody watches.
            bytes_per_s: At most so many, over a few seconds.
            clock: Gives times; none of them takes part in what is kept.

        Raises:
            SyncError: Another process ships this folder already.
        """
        self._run, self._store, self._clock = run, store, clock
        self._prefix = layout.rank_prefix(run.name, rank)
        self._scanner = Scanner(run.path)
        self._cadence = Cadence(clock, idle_s)
        self._bandwidth = Bandwidth(clock, bytes_per_s)
        self._sender: Sender | None = None
        self._parcel: Parcel | None = None
        self._trouble: str | None = None
        self._checked_s = self._thorough_s = self._ended_s = self._told_s = -1e9
        self.shipments = self.behind_bytes = self._told_shipments = 0
        files.make_folder(run.sync)
        lock = files.lock(run.sync / "lock")
        if lock is None:
            raise SyncError(
                f"another process ships {run.path}; there is nothing to do for this one"
            )
        self._lock = lock

    def run(self, until_done: bool = False) -> None:
        """Ship until the run has ended and the store has all of it.

        Args:
            until_done: Rather, until the store has what is there now.

        Raises:
            SyncError: Somebody else holds the run, or the store has other bytes than the folder.
            StoreError: The store can never be used.
        """
        while True:
            ended = until_done or self._ended()
            left = self._try_once(at_once=ended)
            if ended and left == 0:
                self._tell("finished")
                return
            # A backlog is left for something more urgent only.
            self._clock.sleep_s(0.0 if left else self._cadence.pause_s())

    def close(self) -> None:
        if self._sender is not None:
            self._acknowledgements.close()
        self._lock.release()

    def ship(self, thorough: bool = True) -> int:
        """Ship what there is now, once; how many bytes are still waiting.

        Args:
            thorough: Whether every file is looked at, rather than those whose folder tells of news.

        Raises:
            UnreachableError: Try again later: nothing is lost, nothing will be there twice.
        """
        if self._sender is None:
            self._begin()
        self._finish_parcel()
        most_bytes = self._begun().at_once(_BACKLOG_BYTES)
        found = self._scanner.changes(self._shipped, most_bytes, thorough)
        self.behind_bytes = sum(c.end - c.start for changes in found.values() for c in changes)
        # What is looked at first goes first, so that after days without a network the live view is
        # back before the backlog.
        for lane in layout.LANES:
            changes = found.get(lane, [])
            while changes:
                changes = self._ship_some(lane, changes)
                if lane == layout.LANES[-1]:
                    break  # it may take long: look whether there is something more urgent
        now_s = self._clock.monotonic_s()
        # The last look of all as well: nobody says that all is there who does not hold the run.
        if thorough or now_s - self._checked_s >= CHECK_S:
            self._checked_s = now_s
            lease.check_held(self._store, self._prefix, self._epoch)
        return self.behind_bytes

    def _try_once(self, at_once: bool) -> int | None:
        """One look, if it is time for one; None where it was not, or where it failed."""
        began_s = self._clock.monotonic_s()
        try:
            self._cadence.look(self._store, layout.watched_key(self._prefix))
            if not at_once and not self.behind_bytes and not self._cadence.due():
                return None
            thorough = at_once or began_s - self._thorough_s >= _THOROUGH_S
            left = self.ship(thorough)
            if thorough:
                self._thorough_s = began_s
        except (UnreachableError, OSError) as error:
            if not self._run.path.is_dir():
                raise SyncError(
                    f"{self._run.path} is gone; what was shipped of it stays"
                ) from error
            # The network, or this machine's disk that is full: the store has what it has.
            self._cadence.failed()
            self._say(str(error))
            self._wait_out()
            return None
        self._cadence.went_well(began_s)
        self._say(None)
        return left

    def _wait_out(self) -> None:
        while (left_s := self._cadence.backs_off_s()) > 0:
            self._clock.sleep_s(min(max(left_s, _NAP_S), LONGEST_PAUSE_S))

    def _begin(self) -> None:
        """Ask the store how things stand; take the run, or go on with it."""
        check_store(self._store)
        path = acknowledged_file(self._run, self._store.url)
        name, shipped = read_acknowledged(path)
        writer = identity(self._run)
        self._epoch = lease.hold(self._store, self._prefix, writer, self._clock)
        epoch = f"{self._epoch.writer}/{self._epoch.number}"
        same = name == epoch and self._still_there(shipped.counts)
        if not same:
            shipped = type(shipped)()
        known = lease.epochs(self._store, self._prefix)
        adopt(self._run.path, self._store, self._prefix, known, shipped, from_start=not same)
        self._shipped = shipped
        self._acknowledgements = Acknowledgements(path, epoch, shipped)
        self._sender = Sender(
            self._run.path,
            self._store,
            self._prefix,
            self._epoch,
            secrets.token_hex(8),
            self._bandwidth,
            self._clock,
        )

    def _begun(self) -> Sender:
        if self._sender is None:
            raise ValueError("this shipper has not begun")
        return self._sender

    def _still_there(self, counts: dict[str, int]) -> bool:
        """Whether the newest shipments of the note are stored: a bucket may have been emptied."""
        keys = (
            layout.shipment_key(self._prefix, self._epoch.number, lane, count - 1)
            for lane, count in counts.items()
            if count
        )
        return all(self._store.get(key, 0, 1) is not None for key in keys)

    def _ship_some(self, lane: str, changes: list[Change]) -> list[Change]:
        """One shipment of a lane; the changes that are left."""
        sender = self._begun()
        backlog = lane == layout.LANES[-1] and self.behind_bytes > _BACKLOG_BYTES
        number = self._shipped.counts.get(lane, 0)
        most_bytes = sender.at_once(_BACKLOG_BYTES if backlog else _LIVE_BYTES)
        parcel = sender.pack(lane, number, changes, most_bytes)
        if parcel is None:
            return []
        self._parcel = parcel
        self._finish_parcel()
        return changes[changes.index(parcel.changes[-1]) + 1 :]

    def _finish_parcel(self) -> None:
        """Send what is packed, if something is: after a failure, the same bytes again."""
        parcel = self._parcel
        if parcel is None:
            return
        self._begun().send(parcel)
        self._acknowledge(parcel.lane, parcel.number, parcel.changes)
        self._parcel = None

    def _acknowledge(self, lane: str, number: int, changes: list[Change]) -> None:
        self._acknowledgements.add(lane, number, changes)
        for change in changes:
            self._shipped.take(change)
            self.behind_bytes -= change.end - change.start
        self._shipped.counts[lane] = number + 1
        self.shipments += 1

    def _ended(self) -> bool:
        """Whether nothing more will come: no process trains or records into this run.

        It takes a look at many files, so not at every awakening.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._ended_s < _CHECK_END_S:
            return False
        self._ended_s = now_s
        if files.is_locked(self._run.lock) or any(
            files.is_locked(lock)
            for attempt in attempts(self._run.path)
            for lock in (attempt.lock, attempt.writer_lock)
        ):
            return False
        try:
            return status(read_manifest(self._run)) != "running"
        except RunError:
            return True

    def _say(self, trouble: str | None) -> None:
        """Tell of trouble once, and of its end; from time to time how far it is."""
        if trouble and not self._trouble:
            _log.warning("%s; nothing is lost, it is tried again until it works", trouble)
        elif self._trouble and not trouble:
            _log.warning("%s can be reached again", self._store.url)
        changed = bool(trouble) != bool(self._trouble)
        self._trouble = trouble
        late = self._clock.monotonic_s() - self._told_s >= _TELL_S
        if changed or (late and self.shipments != self._told_shipments):
            with contextlib.suppress(OSError):
                self._tell("unreachable" if trouble else "shipping")

    def _tell(self, state: str) -> None:
        """Leave word for `trackway status` and the dashboard."""
        told: dict[str, Any] = {
            "format": "trackway-sync-status",
            "version": 1,
            "state": state,
            "store": self._store.url,
            "updated_unix": self._clock.unix_s(),
            "behind_bytes": self.behind_bytes,
            "shipments": self.shipments,
            "requests": self._sender.requests if self._sender else 0,
            "sent_bytes": self._sender.sent_bytes if self._sender else 0,
            "watched": self._cadence.watched,
            "trouble": self._trouble,
        }
        self._told_s, self._told_shipments = self._clock.monotonic_s(), self.shipments
        files.publish(self._run.sync / "status.json", orjson.dumps(told))
