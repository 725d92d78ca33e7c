"""When sealed segments of a run become parts, and how: beside the training, by its least important child.

The child ends once nothing is left to do, and may be killed at any instant. A run whose recorder was
told `compact=False` is left alone.
"""

from __future__ import annotations

import importlib.util
import subprocess
from typing import Final

import orjson

from trackway.format.part import RESIM
from trackway.recorder.child import start_child
from trackway.storage import ring
from trackway.storage.archive import plan
from trackway.storage.archive.precision import wanted_precision
from trackway.storage.places import AttemptFolder, StreamFolder

# Of a stream that has ended: less would gain nothing, a part's own description takes 50 kB.
LEAST_BYTES: Final = 1 << 20
# Of one that goes on: to start a child costs half of what a part does.
PARTS_AT_ONCE: Final = 4
# A program of a room above this one: it also makes what pages draw long runs from.
_CHILD: Final = "trackway.query.upkeep"
_PATIENCE_S: Final = 600.0


class Compaction:
    """Starts a child when enough is sealed, one at a time."""

    def __init__(self, attempt: AttemptFolder) -> None:
        self._attempt = attempt
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = is_wanted(attempt) and importlib.util.find_spec("pyarrow") is not None
        # Of these parts are made anew once training has ended.
        self._resim = [n for n, told in wanted_precision(attempt).items() if told == RESIM]

    @property
    def busy(self) -> bool:
        """Whether its child is at it."""
        return self._child is not None and self._child.poll() is None

    def look(self, *, ended: bool = False) -> None:
        """Start one if some parts can be filled; when training has ended, for what is left."""
        if not self._wanted or (self.busy and not ended):
            return
        enough = LEAST_BYTES if ended else PARTS_AT_ONCE * plan.PART_BYTES
        if any(
            _can_fill(stream, enough) or (ended and stream.name in self._resim and stream.parts())
            for stream in self._attempt.streams()
        ):
            with self._attempt.writer_log.open("ab") as log:
                self._child = start_child(_CHILD, str(self._attempt.run), errors=log)


def _can_fill(stream: StreamFolder, enough_bytes: int) -> bool:
    """Whether something is to be done; the segments of a stream with limits stay what they are."""
    if not plan.waiting(stream.contents().files, enough_bytes):
        return False
    source = ring.find_ring(stream.ring_pointer)
    return source is None or not source.spec.limits.any


def is_wanted(attempt: AttemptFolder) -> bool:
    """Whether the recorder of this attempt left compaction on."""
    try:
        told = orjson.loads(attempt.manifest.read_bytes())
        return bool(told.get("compact", True))
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return True


def compact(attempt: AttemptFolder) -> None:
    """Make parts of what is sealed, on one core; needs pyarrow."""
    import pyarrow as pa  # here: it takes a while, and the writer imports this module

    from trackway.storage.archive.compact import compact_attempt

    pa.set_cpu_count(1)
    # One that was started while training went on may still be at it.
    compact_attempt(attempt, least_bytes=LEAST_BYTES, patience_s=_PATIENCE_S)
