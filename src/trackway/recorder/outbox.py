"""The trainer's side: messages wait here until a writer process says that they are safe on disk.

    training thread ── put ─▶ new ─▶ waiting ── sender thread ─▶ on the way ── writer ─▶ files
                                        ▲                            │
                                        └── the writer died ─────────┤── "done" ─▶ forgotten

A writer that dies is started anew and gets everything again that it had not confirmed. Memory is
bounded: a slow disk makes the trainer wait, a failing one costs the oldest messages, counted.

Records are gathered: the writer holds them, and about once a second a commit, itself a message of the
order, makes files of them. So files are few and large however often is saved, and a new writer that
gets the same messages makes the same files.

`put` takes no lock and wakes nobody (a woken thread asks for the interpreter, and the training
would stand still for it): the sender looks for new messages every `_LOOK_S`.

A training that dies by an exception closes nothing: what waits then is delivered as the program ends.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
import os
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.columns import Columns
from trackway.format.message import encode
from trackway.recorder.delivery import Delivery, Ledger
from trackway.recorder.inbox_process import InboxProcess

LIMIT_BYTES = 256 << 20
_STALL_S = 30.0  # a writer silent for so long is as good as a failing disk
_LONGEST_PAUSE_S = 10.0
_LOOK_S = 0.05
_TRIP_BYTES = 256 << 10  # sent at once; what has been sent cannot be given up for newer ones
COMMIT_EVERY_S = 1.0
_AT_EXIT_S = 10.0  # for all together

_open: weakref.WeakSet[Outbox] = weakref.WeakSet()
# A forked process has copies of them, and no sender.
os.register_at_fork(after_in_child=_open.clear)
_log = logging.getLogger("trackway")


@dataclass
class _Parcel:
    seq: int
    content: bytes | Callable[[], bytes]
    records: int
    size: int = 0

    @property
    def data(self) -> bytes:
        """Its bytes; they are made when they are wanted first."""
        if not isinstance(self.content, bytes):
            self.content = self.content()
        return self.content


class Outbox:
    """Messages on their way to a writer process.

    Args:
        module: Run as the writer (`python -m module`), which calls `trackway.recorder.inbox.serve`.
        preamble: The message that every writer gets first; it counts as no record.
        limit_bytes: Memory for messages that are not on disk yet.
    """

    def __init__(
        self,
        module: str,
        preamble: Mapping[str, Any],
        *,
        limit_bytes: int = LIMIT_BYTES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._module, self._limit_bytes, self._clock = module, limit_bytes, clock
        self._preamble = _Parcel(0, encode(0, preamble), 0)
        self._changed = threading.Condition()
        self._nudged = threading.Lock()  # released to have the sender look at once
        self._nudged.acquire()
        self._waiting: deque[_Parcel] = deque()
        self._on_the_way: dict[int, _Parcel] = {}
        self._put_bytes = self._gone_bytes = 0  # the first is the training thread's alone
        self._next_seq = 1
        # Numbers of the messages up to which a commit is wanted, and has been sent.
        self._wanted = self._committed = 0
        self._commits, self._committed_s = 0, -math.inf
        self._hurry = 0  # those who wait
        self._closing = False
        self._writer: InboxProcess | None = None
        self._deaths = 0  # in a row, without a message written between them
        self._ledger = Ledger(limit_bytes)
        self._sender = threading.Thread(target=self._send, name="trackway-sender", daemon=True)
        self._sender.start()
        _open.add(self)

    @property
    def delivery(self) -> Delivery:
        """How things stand now."""
        with self._changed:
            return self._ledger.delivery(len(self._waiting) + len(self._on_the_way))

    @property
    def writer_pid(self) -> int | None:
        """The writer process, once it has been started."""
        writer = self._writer
        return writer.process.pid if writer else None

    def put(
        self,
        message: Mapping[str, Any],
        columns: Columns | None = None,
        *,
        records: int,
        commit: bool = False,
        copied: Callable[[], None] | None = None,
    ) -> int:
        """Take a copy of a message and return its number; everything else happens elsewhere.

        Args:
            message: Plain values, as `jsonable` returns them.
            columns: Arrays with leading dimension num_envs.
            records: How many records it holds, for counting what is lost.
            copied: A large message is better copied elsewhere, too; this is called when it has been, and
                until then it and its columns must stay as they are.
            commit: It and those before it are to get their files soon, not only with a later one.
        """
        seq = self._next_seq
        if copied is None:
            data = encode(seq, message, columns)
            parcel = _Parcel(seq, data, records, len(data))
        else:
            parcel = _Parcel(seq, _later(seq, message, columns, copied), records, _size(columns))
        size = parcel.size
        if not self._fits(size):
            self._make_room(size)
        self._put_bytes += size
        self._waiting.append(parcel)
        self._next_seq += 1  # only now: a commit covers what already waits
        if commit:
            self._wanted = seq
        return seq

    def wait(self, seq: int | None = None, timeout_s: float = 60.0) -> bool:
        """Wait until a message (or every message so far) is safe on disk; False if it is not."""

        def settled() -> bool:
            if seq is None:
                committed = self._committed >= self._next_seq - 1
                return committed and not (self._waiting or self._on_the_way)
            return seq not in self._on_the_way and all(p.seq != seq for p in self._waiting)

        with self._changed:
            self._hurry += seq is None
            self._nudge()
            done = self._changed.wait_for(settled, timeout_s)
            self._hurry -= seq is None
            return done and seq not in self._ledger.lost

    def close(self, timeout_s: float = 60.0) -> Delivery:
        """Deliver what is left, for so long at most, then count the rest as lost and end the writer."""
        _open.discard(self)
        delivered = self.wait(timeout_s=timeout_s)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._nudge()
        writer = self._writer
        if writer is not None:
            if not delivered:
                writer.process.kill()  # else it might still write what is about to be called lost
            writer.hang_up()
            try:
                writer.process.wait(timeout=5.0)
            except subprocess.TimeoutExpired:
                writer.process.kill()
                writer.process.wait()
        self._sender.join(timeout=5.0)
        with self._changed:
            for parcel in (*self._waiting, *self._on_the_way.values()):
                self._lose(parcel)
            self._waiting.clear()
            self._on_the_way.clear()
        return self.delivery

    def end(self, timeout_s: float) -> None:
        """The program ends: deliver what is left, for so long at most, and say what was not.

        The writer is left alone: what it has it goes on writing, and says so if it cannot.
        """
        if self.wait(timeout_s=timeout_s):
            return
        with self._changed:
            left = sum(p.records for p in (*self._waiting, *self._on_the_way.values()))
            trouble = self._ledger.trouble or f"it takes longer than {timeout_s:.0f} s"
        if left:
            _log.error("the program ends, and %d records are not on disk: %s", left, trouble)

    def _fits(self, size: int) -> bool:
        held_bytes = self._put_bytes - self._gone_bytes
        return held_bytes + size <= self._limit_bytes or held_bytes == 0

    def _make_room(self, size: int) -> None:
        with self._changed:
            ledger = self._ledger
            if ledger.trouble is None:
                start_s = self._clock.monotonic_s()
                self._changed.wait_for(
                    lambda: self._fits(size) or ledger.trouble is not None, _STALL_S
                )
                ledger.waited_s += self._clock.monotonic_s() - start_s
            while not self._fits(size) and self._waiting:
                self._lose(self._waiting.popleft())

    # ── on any thread, with the condition held ──

    def _nudge(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is awake already
            self._nudged.release()

    def _lose(self, parcel: _Parcel) -> None:
        self._forget(parcel)
        self._ledger.lose(parcel.seq, parcel.records)

    def _forget(self, parcel: _Parcel) -> None:
        if parcel.seq > 0:  # commits are not counted as put, either
            self._gone_bytes += parcel.size

    # ── on the sender thread ──

    def _send(self) -> None:
        while not self._closing:
            # A plain lock with a timeout: the cheapest way to wait, twenty times a second.
            self._nudged.acquire(timeout=_LOOK_S)
            while self._something_to_do() and not self._closing:
                self._work()

    def _work(self) -> None:
        with self._changed:
            if self._commit_is_due():
                self._commit()
            writer = self._writer
        if writer is None or writer.gone:
            self._replace_writer(writer)
            return
        with self._changed:
            parcels = self._take()
        writer.send(parcel.data for parcel in parcels)

    def _take(self) -> list[_Parcel]:
        """The next parcels, for one trip."""
        parcels: list[_Parcel] = []
        size = 0
        while self._waiting and size < _TRIP_BYTES:
            parcel = self._waiting.popleft()
            self._on_the_way[parcel.seq] = parcel
            parcels.append(parcel)
            size += len(parcel.data)
        return parcels

    def _something_to_do(self) -> bool:
        died = self._writer is not None and self._writer.gone
        left = bool(self._waiting) or (died and bool(self._on_the_way))
        return left or self._commit_is_due()

    def _commit_is_due(self) -> bool:
        if self._hurry:
            return self._committed < self._next_seq - 1
        waited_s = self._clock.monotonic_s() - self._committed_s
        return self._committed < self._wanted and waited_s >= COMMIT_EVERY_S

    def _commit(self) -> None:
        # What is put in this moment may come to stand before the commit: it is committed twice.
        committed = self._next_seq - 1
        self._commits += 1
        message = {"kind": "commit", "unix_s": self._clock.unix_s()}
        self._waiting.append(_Parcel(-self._commits, encode(-self._commits, message), 0))
        self._committed, self._committed_s = committed, self._clock.monotonic_s()

    def _replace_writer(self, old: InboxProcess | None) -> None:
        if old is not None:
            old.process.kill()
            old.process.wait()
            with self._changed:
                self._waiting.extendleft(reversed(self._on_the_way.values()))
                self._on_the_way.clear()
                self._deaths += 1
                self._ledger.restarts += 1
                if self._deaths > 2:
                    self._trouble_is("the writer process dies again and again")
                pause_s = (
                    min(0.1 * 2.0**self._deaths, _LONGEST_PAUSE_S) if self._deaths > 1 else 0.0
                )
                if self._changed.wait_for(lambda: self._closing, pause_s):
                    return
        try:
            writer = InboxProcess(self._module, self._on_report, self._on_death)
        except OSError as error:
            with self._changed:
                self._deaths += 1
                self._trouble_is(f"no writer process could be started: {error}")
                self._changed.wait_for(lambda: self._closing, min(0.1 * 2.0**self._deaths, 10.0))
            return
        writer.send([self._preamble.data])
        self._writer = writer

    # ── on the thread that listens to the writer ──

    def _on_report(self, report: dict[str, Any]) -> None:
        with self._changed:
            if "trouble" in report:
                self._ledger.failures += 1
                self._trouble_is(report["trouble"])
            elif "rejected" in report:
                self._ledger.reject(report["rejected"])
                parcel = self._on_the_way.pop(report["seq"], None)
                if parcel is not None:
                    self._lose(parcel)
            else:
                self._on_done(report["done"], report["files"])
            self._changed.notify_all()

    def _on_done(self, seqs: list[int], files: list[tuple[str, str, int]]) -> None:
        for seq in seqs:
            parcel = self._on_the_way.pop(seq, None)
            if parcel is not None:
                self._forget(parcel)
        if files:
            self._deaths = 0
            self._ledger.written(files)

    def _trouble_is(self, what: str) -> None:
        self._ledger.trouble_is(what)
        self._changed.notify_all()

    def _on_death(self) -> None:
        self._nudge()


def _later(
    seq: int, message: Mapping[str, Any], columns: Columns | None, copied: Callable[[], None]
) -> Callable[[], bytes]:
    def make() -> bytes:
        data = encode(seq, message, columns)
        copied()
        return data

    return make


def _size(columns: Columns | None) -> int:
    return sum(getattr(column, "nbytes", 0) for column in (columns or {}).values())


@atexit.register
def _end_all() -> None:
    deadline_s = SYSTEM_CLOCK.monotonic_s() + _AT_EXIT_S
    for outbox in list(_open):
        outbox.end(max(0.0, deadline_s - SYSTEM_CLOCK.monotonic_s()))
