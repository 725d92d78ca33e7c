"""The compactor: a child of the stream writer that turns sealed segments of a run into parts.

    python -m trackway.recorder.compactor RUN_FOLDER

It is the least important process of the machine, ends once nothing is left to do, and may be
killed at any instant. A run whose recorder was told `compact=False` is left alone.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Final

import orjson

from trackway.recorder.child import become_writer, start_child
from trackway.storage.archive import plan
from trackway.storage.places import AttemptFolder, attempts

# Of a stream that has ended: less would gain nothing, a part's own description takes 50 kB.
LEAST_BYTES: Final = 1 << 20
_PATIENCE_S: Final = 600.0


class Compaction:
    """Starts a compactor when enough is sealed, one at a time."""

    def __init__(self, attempt: AttemptFolder) -> None:
        self._attempt = attempt
        self._child: subprocess.Popen[bytes] | None = None
        self._wanted = is_wanted(attempt) and importlib.util.find_spec("pyarrow") is not None

    def look(self, *, ended: bool = False) -> None:
        """Start a compactor if a part can be filled; when training has ended, for what is left."""
        busy = self._child is not None and self._child.poll() is None
        if not self._wanted or (busy and not ended):
            return
        enough = LEAST_BYTES if ended else plan.PART_BYTES
        streams = self._attempt.streams()
        if any(plan.waiting(stream.contents().files, enough) for stream in streams):
            with self._attempt.writer_log.open("ab") as log:
                self._child = start_child(
                    "trackway.recorder.compactor", str(self._attempt.run), errors=log
                )


def is_wanted(attempt: AttemptFolder) -> bool:
    """Whether the recorder of this attempt left compaction on."""
    try:
        told = orjson.loads(attempt.manifest.read_bytes())
        return bool(told.get("compact", True))
    except (OSError, orjson.JSONDecodeError, AttributeError):
        return True


def main(run: Path) -> int:
    become_writer(19)
    import pyarrow as pa  # here: it takes a while, and the writer imports this module

    from trackway.storage.archive.compact import compact_attempt

    pa.set_cpu_count(1)
    for attempt in attempts(run):
        if is_wanted(attempt):
            # One that was started while training went on may still be at it.
            compact_attempt(attempt, least_bytes=LEAST_BYTES, patience_s=_PATIENCE_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
