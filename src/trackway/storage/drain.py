"""From the ring to the journal: decides when rows are written, synced, sealed, or given up.

Rows leave the ring only once they are durable. So a writer may die at any instant, a sync may
fail: the rows are still there to be written again. Only when the disk goes on refusing and the
ring fills up are the oldest rows given up, counted, and told of in the journal once it can be
written again. Training never waits for a failing disk.
"""

from __future__ import annotations

import contextlib
from typing import Final

from trackway.clock import Clock
from trackway.storage import recovery, ring
from trackway.storage.journal import Journal, JournalSpec
from trackway.storage.places import AttemptFolder, StreamFolder
from trackway.storage.ring import Ring

RETRY_S: Final = 0.5
LOOK_S: Final = 0.04  # between two looks of a writer
_FRAME_BYTES: Final = 1 << 20  # a reader takes 4 MB at a time


class Drain:
    """Moves one stream's rows. Whoever holds one holds the attempt's writer lock."""

    def __init__(self, folder: StreamFolder, source: Ring, sync_s: float, clock: Clock) -> None:
        spec = source.spec
        self.folder, self._ring, self._sync_s, self._clock = folder, source, sync_s, clock
        self._spec = JournalSpec(
            spec.kind, spec.num_envs, spec.schema, spec.segment_rows, spec.limits
        )
        row_bytes = spec.schema.row_bytes(spec.num_envs)
        self._frame_rows = max(1, _FRAME_BYTES // row_bytes)
        self._journal: Journal | None = None
        self._durable = source.tail
        self._fresh = False  # whether the journal's last segment is not to be trusted
        self._unsynced_since_s: float | None = None
        self._noted = 0  # rows given up of which the journal tells, not durably yet
        self._reason = ""
        self._retry_at_s = self._looked_s = clock.monotonic_s()

    @property
    def failing(self) -> bool:
        return bool(self._reason)

    def due(self) -> bool:
        """Whether there is a reason to do a step now; asked every `LOOK_S`.

        A step is a frame, an append and a sync: one for many rows is cheaper than many. Readers do
        not wait for it, they see the ring.
        """
        head, now_s = self._ring.words[ring.HEAD], self._clock.monotonic_s()
        if head == self._durable and not self.failing:
            self._looked_s = now_s
            return False
        unwritten = head - (self._journal.next_row if self._journal else self._durable)
        return bool(
            self._too_old(now_s)
            or self._ring.words[ring.WANTED] > self._durable
            or unwritten > self._ring.spec.capacity // 8
            or self.failing
        )

    def step(self) -> int:
        """Write what is new, sync when it is time.

        Returns:
            How many rows were written.
        """
        now_s = self._clock.monotonic_s()
        if self.failing and now_s < self._retry_at_s:
            self._give_up_oldest()
            return 0
        try:
            written = self._write()
            if self._time_to_sync(now_s):
                self._sync()
        except OSError as error:
            self._fail(error, now_s)
            return 0
        self._looked_s = now_s
        if self._ring.words[ring.FAILING]:
            self._recovered()
        return written

    def finish(self, reason: str) -> bool:
        """Write the rest and seal the journal.

        Returns:
            Whether that worked. The ring can go then.
        """
        while self.step():
            pass
        if self.failing:
            return False
        try:
            self._sync()
            if self._journal is not None:
                self._journal.finish(reason)
        except OSError as error:
            self._distrust()
            self._fail(error, self._clock.monotonic_s())
            return False
        return True

    def close(self) -> None:
        """Let go of the journal as it is."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write(self) -> int:
        journal = self._opened()
        # Rows given up, or not in the journal any more because its files were taken away.
        journal.skip(max(0, self._durable - journal.next_row))
        lost = self._untold(ring.LOST) - self._noted
        if lost:
            # The reason is in the ring where another writer gave them up, and died.
            reason = self._reason or self._ring.said()
            first = self._durable - lost
            journal.note({"note": "gap", "first": first, "count": lost, "reason": reason})
            self._noted += lost
            self._unsynced_since_s = self._looked_s
        head, written = self._ring.head, 0
        while journal.next_row < head:
            if journal.room <= 0:
                self._roll(journal)
            count = min(head - journal.next_row, journal.room, self._frame_rows)
            count = self._ring.run_length(journal.next_row, count)
            journal.append(self._ring.rows(journal.next_row, count))
            written += count
            if self._unsynced_since_s is None:
                self._unsynced_since_s = self._looked_s  # the oldest was committed after that
        self._tell_waits(journal)
        return written

    def _opened(self) -> Journal:
        if self._journal is None:
            if self._fresh:
                self._journal = recovery.begin_after(
                    self.folder, self._spec, self._clock, self._durable
                )
            else:
                self._journal = recovery.open_journal(self.folder, self._spec, self._clock)
            self._release(max(self._durable, self._journal.next_row))
        return self._journal

    def _time_to_sync(self, now_s: float) -> bool:
        if self._unsynced_since_s is None:
            return False
        return (
            self._too_old(now_s)
            or self._ring.words[ring.WANTED] > self._durable
            # Early, so that training does not wait for room.
            or self._ring.head - self._durable > self._ring.spec.capacity // 2
        )

    def _too_old(self, now_s: float) -> bool:
        """Whether what is not durable would be too late at the next look."""
        since_s = self._looked_s if self._unsynced_since_s is None else self._unsynced_since_s
        return now_s - since_s >= self._sync_s - LOOK_S

    def _sync(self) -> None:
        if self._journal is None or self._unsynced_since_s is None:
            return
        try:
            self._journal.sync()
        except OSError:
            self._distrust()
            raise
        self._release(self._journal.next_row)

    def _roll(self, journal: Journal) -> None:
        try:
            journal.roll()
        except OSError:
            self._distrust()
            raise
        self._release(journal.next_row)

    def _release(self, row: int) -> None:
        self._unsynced_since_s = None
        self._durable = row
        self._ring.words[ring.TAIL] = row
        self._tell(ring.LOST, self._noted)
        self._noted = 0

    def _distrust(self) -> None:
        """After a failed sync a second one may claim success: write those rows elsewhere."""
        self.close()
        self._fresh = True
        self._unsynced_since_s = None
        self._noted = 0

    def _fail(self, error: OSError, now_s: float) -> None:
        self._reason = error.strerror or str(error)
        self._retry_at_s = now_s + RETRY_S
        self._ring.say(f"{self.folder.path}: {self._reason}")
        self._ring.words[ring.FAILING] = 1
        if self._journal is not None and self._unsynced_since_s is not None:
            # What is written already may still reach the disk: then it need not be given up.
            with contextlib.suppress(OSError):
                self._sync()
        self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        capacity = self._ring.spec.capacity
        if self._ring.head - self._durable <= capacity * 3 // 4:
            return
        if self._journal is not None and self._journal.next_row > self._durable:
            self._distrust()
        count = max(1, capacity // 4)
        self._ring.words[ring.LOST] += count
        self._durable += count
        self._ring.words[ring.TAIL] = self._durable

    def _recovered(self) -> None:
        self._reason = ""
        self._ring.words[ring.FAILING] = 0

    def _tell_waits(self, journal: Journal) -> None:
        times, waited_ns = self._untold(ring.WAITS), self._untold(ring.WAITED_NS)
        if times:
            journal.note({"note": "waited", "times": times, "seconds": waited_ns / 1e9})
            self._tell(ring.WAITS, times)
            self._tell(ring.WAITED_NS, waited_ns)
        discarded = self._untold(ring.DISCARDED)
        if discarded:
            journal.note(
                {"note": "discarded", "count": discarded, "reason": "nobody drained the ring"}
            )
            self._tell(ring.DISCARDED, discarded)

    def _untold(self, word: int) -> int:
        untold: int = self._ring.words[word] - self._ring.words[word + ring.TOLD]
        return untold

    def _tell(self, word: int, amount: int) -> None:
        self._ring.words[word + ring.TOLD] += amount


class AttemptDrain:
    """Drains every stream of an attempt, those included that begin later."""

    def __init__(self, attempt: AttemptFolder, sync_s: float, clock: Clock) -> None:
        self._attempt, self._sync_s, self._clock = attempt, sync_s, clock
        self._drains: dict[str, tuple[Drain, Ring]] = {}

    @property
    def streams(self) -> int:
        """Streams that are not sealed yet."""
        return len(self._drains)

    @property
    def failing(self) -> bool:
        return any(drain.failing for drain, _ in self._drains.values())

    def discover(self) -> None:
        """Take up streams that were begun since."""
        for folder in self._attempt.streams():
            if folder.name in self._drains or not folder.ring_pointer.exists():
                continue
            source = ring.find_ring(folder.ring_pointer, writable=True)
            if source is not None:
                drain = Drain(folder, source, self._sync_s, self._clock)
                self._drains[folder.name] = drain, source

    def step(self) -> int:
        """Move what is due of all streams; how many rows were written."""
        return sum(drain.step() for drain, _ in self._drains.values() if drain.due())

    def finish(self, reason: str | None = None) -> None:
        """Seal the streams that were closed; with a reason, all."""
        for name, (drain, source) in list(self._drains.items()):
            closed = source.words[ring.CLOSED]
            if (closed or reason) and drain.finish("closed" if closed else str(reason)):
                drain.close()
                ring.remove_ring(drain.folder.ring_pointer, source)
                del self._drains[name]

    def close(self) -> None:
        """Let go of all as it is."""
        for drain, _ in self._drains.values():
            drain.close()
        self._drains.clear()
