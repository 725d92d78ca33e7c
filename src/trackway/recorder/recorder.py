"""The recorder: streams of rows that training does not feel and a crash does not take.

with Recorder(run_folder) as recorder:
steps = recorder.stream("steps", schema, num_envs=12)
events = recorder.records("events")
...
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import AttemptInUseError, RecordingError, StreamError
from trackway.format import pieces
from trackway.format.part import EXACT
from trackway.format.schema import Schema
from trackway.recorder.child import let_go
from trackway.recorder.stream import RecordStream, Stream
from trackway.recorder.writer_process import await_ready, start_writer
from trackway.storage import ring
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.archive.precision import Precision, check_precision
from trackway.storage.limits import Limits
from trackway.storage.places import AttemptFolder, attempts, named_attempt, new_attempt

_log = logging.getLogger(__name__)

_LOOK_S: Final = 0.25
_RECORDS_RING_BYTES: Final = 256 * 1024


class Recorder:
    """Records streams into a run, as its next attempt.

    A writer process of its own drains what is committed, syncs it within `sync_s`, and seals it
    when this process ends, however it ends. A disk that refuses never stops training: rows are
    kept in memory as long as there is room, then given up, counted, and told of.
    """

    def __init__(
        self,
        run: Path,
        *,
        attempt: str | None = None,
        rank: int = 0,
        sync_s: float = 0.25,
        ring_bytes: int = 16 << 20,
        segment_bytes: int = 64 << 20,
        close_timeout_s: float = 30.0,
        compact: bool = True,
        precision: Mapping[str, Precision] | None = None,
        shared_memory: Path = ring.SHARED_MEMORY,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make the attempt's folder and start its writer.

        Args:
            run: The run's folder.
            attempt: Name of a new attempt; the next number when not given.
            rank: Of several processes that record into one run at once, which this is. A later
                attempt of a rank goes on where an earlier one of the same rank stopped; others
                stand beside it.
            sync_s: Committed rows are durable at the latest after this time, even against a
                power cut. 0: a commit returns only once its row is durable.
            ring_bytes: Memory between training and writer, for every stream of columns.
            segment_bytes: A journal's file is sealed at about this size.
            close_timeout_s: How long `close` waits for the last rows to be durable.
            compact: Whether a child process of lowest priority turns what is sealed into Parquet,
                while training and for a while after it. Needs pyarrow.
            precision: Of streams of columns, what the archive may make of them. `"exact"`: nothing;
                so are those that are not named. `"resim"`: key frames and actions once the run has
                ended, as far as everything else comes out of a simulation bit for bit. `"analysis"`:
                values are rounded as their units allow; or bounds by field, and the rest by units,
                `{"steps": {"reward": 1e-4}}`. Digests stay those of what was recorded.
            shared_memory: Where rings lie when there is room; else in the run, or on another local
                disk when the run lies on a network disk.
            clock: Gives times.

        Raises:
            RecordingError: The folder cannot be written, or the writer does not start.
            AttemptInUseError: Another process records into that attempt.
        """
        self._rank = rank
        self._sync_s, self._ring_bytes, self._segment_bytes = sync_s, ring_bytes, segment_bytes
        self._close_timeout_s, self._shared_memory, self._clock = (
            close_timeout_s,
            shared_memory,
            clock,
        )
        self._compact = compact
        self._precision = {
            name: wanted if isinstance(wanted, str) else dict(wanted)
            for name, wanted in (precision or {}).items()
        }
        self._streams: dict[str, Stream] = {}
        self._records: dict[str, RecordStream] = {}
        self._warned: set[str] = set()
        self._closing = threading.Event()
        self._closed = False
        run = run.absolute()
        try:
            for earlier in attempts(run):
                finish_abandoned(earlier, clock)
            self.attempt = _begin_attempt(run, attempt)
            self._lock = _hold(self.attempt)
        except OSError as error:
            raise RecordingError(f"{run} cannot be recorded into: {error}") from error
        try:
            self._write_manifest()
            self._writer = start_writer(self.attempt, sync_s, subprocess.PIPE)
            await_ready(self._writer, self.attempt)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                raise RecordingError(f"{run} cannot be recorded into: {error}") from error
            raise
        self._guard = threading.Thread(target=self._watch, name="trackway-writer", daemon=True)
        self._guard.start()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stream(
        self,
        name: str,
        schema: Schema,
        num_envs: int = 1,
        *,
        max_bytes: int | None = None,
        keep_rows: int | None = None,
        keep_s: float | None = None,
    ) -> Stream:
        """Begin a stream of columns.

        Args:
            name: Its name, such as `steps`.
            schema: Its fields.
            num_envs: Environments in a row.
            max_bytes: Keep at most about this much of it on disk; the oldest goes first.
            keep_rows: Keep the newest so many rows, and little more.
            keep_s: Keep what was committed in the last so many seconds, by the machine's
                clock, and at most `segment_bytes` more.

        Raises:
            RecordingError: The name is unusable or taken, a limit keeps nothing, its precision
                cannot be, or there is no room for its ring.
        """
        limits = Limits(max_bytes, keep_rows, keep_s)
        return self._begin(name, "columns", schema, num_envs, limits, self._ring_bytes)

    def records(
        self, name: str, *, max_bytes: int | None = None, keep_s: float | None = None
    ) -> RecordStream:
        """Begin a stream of records with free fields, such as `events`; the same for a name.

        The limits are those of `stream`.
        """
        if name not in self._records:
            limits = Limits(max_bytes, keep_s=keep_s)
            stream = self._begin(name, pieces.KIND, pieces.SCHEMA, 1, limits, _RECORDS_RING_BYTES)
            self._records[name] = RecordStream(stream)
        return self._records[name]

    def sync(self, timeout_s: float = 10.0) -> bool:
        """Wait until everything committed is durable; whether it is."""
        durable = [stream.sync(timeout_s) for stream in self._streams.values()]
        return all(durable)

    def close(self) -> None:
        """Seal the streams and wait for the writer; says what was lost, if something was."""
        if self._closed:
            return
        self._closed = True
        for stream in self._streams.values():
            stream.close()
        self._lock.release()  # which tells the writer that no stream follows
        deadline_s = self._clock.monotonic_s() + self._close_timeout_s
        while self._guard.is_alive() and self._clock.monotonic_s() < deadline_s:
            self._guard.join(timeout=0.05)
        self._closing.set()
        self._guard.join()
        let_go(self._writer)  # where the disk refuses, it goes on trying after us
        self._sum_up()

    def _begin(
        self,
        name: str,
        kind: str,
        schema: Schema,
        num_envs: int,
        limits: Limits,
        ring_bytes: int,
    ) -> Stream:
        if self._closed:
            raise RecordingError(f"stream {name!r} cannot begin: the recorder is closed")
        if name in self._streams:
            raise RecordingError(f"stream {name!r} has begun already in {self.attempt.path}")
        if num_envs < 1:
            raise RecordingError(f"stream {name!r} needs one environment or more, not {num_envs}")
        try:
            check_precision(schema, self._precision.get(name, EXACT))
        except StreamError as error:
            raise RecordingError(f"stream {name!r} cannot begin: {error}") from error
        folder = self.attempt.stream(name)
        spec = ring.RingSpec(
            stream=name,
            kind=kind,
            num_envs=num_envs,
            schema=schema,
            capacity=ring.capacity_for(schema, num_envs, ring_bytes),
            segment_rows=limits.segment_rows(schema.row_bytes(num_envs), self._segment_bytes),
            limits=limits,
        )
        try:
            files.make_folder(folder.path)
            memory = ring.place_ring(spec, folder.own_ring, self._shared_memory)
            stream = Stream(name, memory, durable=self._sync_s == 0)
            stream.publish(folder.ring_pointer)
        except OSError as error:
            raise RecordingError(f"stream {name!r} cannot begin: {error}") from error
        self._streams[name] = stream
        return stream

    def _write_manifest(self) -> None:
        manifest: dict[str, Any] = {
            "format": "trackway-attempt",
            "version": 1,
            "created_unix": self._clock.unix_s(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "rank": self._rank,
            "sync_s": self._sync_s,
            "compact": self._compact,
            "precision": self._precision,
        }
        files.publish(self.attempt.manifest, orjson.dumps(manifest))

    def _watch(self) -> None:
        """Start the writer again when it dies; say once for every stream that a disk refuses."""
        nap_s = _LOOK_S
        while not self._closing.wait(0.01 if self._closed else nap_s):
            self._warn_of_failures()
            if self._writer.poll() is None:
                nap_s = _LOOK_S
                continue
            # The writer takes a ring away once all of it is sealed.
            if self._closed and not any(s.memory.exists() for s in self._streams.values()):
                return
            _log.warning(
                "the writer of %s died (status %s); starting another, rows are kept meanwhile",
                self.attempt.path,
                self._writer.returncode,
            )
            with contextlib.suppress(OSError, RecordingError):
                self._restore_folder()
                self._writer = start_writer(self.attempt, self._sync_s, subprocess.DEVNULL)
            # Not in a tight circle, should it die again at once.
            nap_s = min(2 * nap_s, 5.0)

    def _restore_folder(self) -> None:
        """Make again what was deleted of the attempt: by it a writer finds the rings.

        Only while there is no writer: one that lives holds the locks that were deleted.
        """
        files.make_folder(self.attempt.path)
        held = self._lock
        if not held.stands_for(self.attempt.lock):
            self._lock = _hold(self.attempt)
            held.release()
            self._write_manifest()
            if self._closed:  # while this lock was taken
                self._lock.release()
        for name, stream in list(self._streams.items()):
            pointer = self.attempt.stream(name).ring_pointer
            if stream.memory.exists() and not pointer.exists():
                files.make_folder(pointer.parent)
                stream.publish(pointer)

    def _warn_of_failures(self) -> None:
        for name, stream in list(self._streams.items()):
            if stream.failing and name not in self._warned:
                self._warned.add(name)
                _log.warning(
                    "stream %r cannot be written (%s); training goes on, "
                    "rows are kept in memory while there is room",
                    name,
                    stream.failure,
                )

    def _sum_up(self) -> None:
        for name, stream in self._streams.items():
            why = stream.failure or "nobody drained the ring"
            if stream.lost:
                _log.warning("stream %r: %d rows were lost (%s)", name, stream.lost, why)
            if stream.undrained:
                _log.warning(
                    "stream %r: the last %d rows are not on the disk yet (%s); "
                    "they stay in %s, from where the next reader takes them",
                    name,
                    stream.undrained,
                    why,
                    stream.memory,
                )


def _begin_attempt(run: Path, name: str | None) -> AttemptFolder:
    if name is None:
        return new_attempt(run)
    attempt = named_attempt(run, name)
    if files.is_locked(attempt.lock):
        raise AttemptInUseError(attempt.path)
    if attempt.manifest.exists():
        raise RecordingError(f"attempt {name!r} of {run} has ended: start the next one")
    files.make_folder(attempt.path)
    return attempt


def _hold(attempt: AttemptFolder) -> files.Lock:
    held = files.lock(attempt.lock)
    if held is None:
        raise AttemptInUseError(attempt.path)
    return held
