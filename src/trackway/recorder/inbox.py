"""The writer process: takes the trainer's messages, has a sink write them, and says what is safe.

It outlives the trainer: when the connection ends, everything that was received is still written.
A write that fails is tried again, ever more slowly, while the trainer lives; after that for
`GRACE_S` more, and then it says what was lost.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import select
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

from trackway.clock import SYSTEM_CLOCK
from trackway.format.message import Message, decode, unbundle
from trackway.recorder.child import become_writer

GRACE_S = 20.0
INTAKE_BYTES = 64 << 20  # received and not yet written; beyond it the trainer keeps the rest
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_TELL_EVERY_S = 0.05  # each report wakes a thread of the trainer


@dataclass(frozen=True)
class WrittenFile:
    """A file that is safe on disk, its kind (the folder it stands in) and its records."""

    kind: str
    path: Path
    records: int


@dataclass
class Done:
    """What one message led to: messages that are safe now, and the files they are in."""

    seqs: list[int] = field(default_factory=list)
    files: list[WrittenFile] = field(default_factory=list)


class UnwritableError(Exception):
    """Messages that were held back cannot be written, now or later; the sink has dropped them."""

    def __init__(self, seqs: list[int], reason: str) -> None:
        super().__init__(reason)
        self.seqs = seqs


class Sink(Protocol):
    """Writes messages. Both methods may be called again after an OSError and write nothing twice.

    A message of the kind "commit" asks for everything that was held back until then.
    """

    def handle(self, seq: int, message: Message, columns: dict[str, Any]) -> Done:
        """Write a message, or hold it back for a later one."""
        ...

    def finish(self) -> Done:
        """The trainer is gone: write what was held back."""
        ...


def serve(sink: Sink) -> None:
    """Run as the writer process; the connection's file descriptor is the first argument."""
    become_writer(19)  # the trainer's outbox holds minutes
    _Inbox(Connection(int(sys.argv[1])), sink).run()


class _Inbox:
    def __init__(self, connection: Connection, sink: Sink) -> None:
        self._connection, self._sink = connection, sink
        self._parent = os.getppid()
        self._received: deque[bytes] = deque()
        self._received_bytes = 0
        self._ended_s: float | None = None
        self._untold = Done()
        self._told_s = 0.0
        self._changed = threading.Condition()

    def run(self) -> None:
        # Received at once, written later: what lies in a pipe dies with the trainer.
        threading.Thread(target=self._receive, daemon=True).start()
        unwritten = 0
        while (data := self._next()) is not None:
            seq, message, columns = decode(data)
            unwritten += not self._until_written(seq, message, columns)
        unwritten += not self._until_written(0, None, {})
        if unwritten:
            sys.stderr.write(
                f"trackway: the disk refused until the end; {unwritten} of the last messages "
                "of the training could not be written\n"
            )

    def _receive(self) -> None:
        arrived = select.poll()
        arrived.register(self._connection.fileno(), select.POLLIN)
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._received_bytes < INTAKE_BYTES)
                # Another process may have inherited the trainer's end and keep it open.
                while not arrived.poll(1000):
                    if os.getppid() != self._parent:
                        raise EOFError
                messages = list(unbundle(self._connection.recv_bytes()))
                with self._changed:
                    self._received += messages
                    self._received_bytes += sum(map(len, messages))
                    self._changed.notify_all()
        except (EOFError, OSError):
            pass
        finally:
            with self._changed:
                self._ended_s = SYSTEM_CLOCK.monotonic_s()
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        def ready() -> bool:
            return bool(self._received) or self._ended_s is not None

        self._tell_done()
        with self._changed:
            while not self._changed.wait_for(ready, _TELL_EVERY_S if self._untold.seqs else None):
                self._tell_done()
            if not self._received:
                return None
            data = self._received.popleft()
            self._received_bytes -= len(data)
            self._changed.notify_all()
            return data

    def _until_written(self, seq: int, message: Message | None, columns: dict[str, Any]) -> bool:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                if message is None:
                    done = self._sink.finish()
                else:
                    done = self._sink.handle(seq, message, columns)
            except OSError as error:
                self._tell({"trouble": str(error), "seq": seq})
                if (
                    self._ended_s is not None
                    and SYSTEM_CLOCK.monotonic_s() > self._ended_s + GRACE_S
                ):
                    return False
                with self._changed:
                    ended = self._ended_s
                    self._changed.wait_for(lambda was=ended: self._ended_s != was, pause_s)  # type: ignore[misc]
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except UnwritableError as error:
                for each in error.seqs:
                    self._tell({"rejected": str(error), "seq": each})
                return True
            except Exception as error:  # noqa: BLE001 - one record that cannot be written is not all
                self._tell({"rejected": f"{type(error).__name__}: {error}", "seq": seq})
                return True
            else:
                self._untold.seqs += done.seqs
                self._untold.files += done.files
                return True

    def _tell_done(self) -> None:
        """Confirm what was written, but not too often."""
        now_s, untold = SYSTEM_CLOCK.monotonic_s(), self._untold
        if untold.seqs and now_s - self._told_s >= _TELL_EVERY_S:
            files = [(file.kind, str(file.path), file.records) for file in untold.files]
            self._tell({"done": untold.seqs, "files": files})
            self._untold, self._told_s = Done(), now_s

    def _tell(self, report: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            self._connection.send_bytes(marshal.dumps(report))
