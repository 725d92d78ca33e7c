"""The writer process: drains the rings of an attempt into its journals, and outlives the trainer.

    python -m trackway.recorder.stream_writer ATTEMPT_FOLDER SYNC_S

It says `ready` on its standard output once it holds the writer lock, and ends by itself: when
every stream is closed and sealed, or when the trainer is gone and what it left is sealed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.recorder.child import become_writer
from trackway.recorder.compactor import Compaction
from trackway.storage.drain import LOOK_S, AttemptDrain
from trackway.storage.places import AttemptFolder

_EAGER_NAP_S: Final = 0.0005
_LOOK_AROUND_S: Final = 0.1
_COMPACT_S: Final = 5.0
# How long a disk that refuses is asked again after the trainer has gone. The ring stays.
_PATIENCE_S: Final = 60.0


def drain_attempt(attempt: AttemptFolder, sync_s: float, clock: Clock) -> None:
    """Drain until the recorder has closed, or the trainer has died."""
    drain = AttemptDrain(attempt, sync_s, clock)
    trainer = files.LockView(attempt.lock)
    compaction, compacted_s = Compaction(attempt), clock.monotonic_s()
    looked_s, gone_s = -1.0, None
    while True:
        now_s = clock.monotonic_s()
        if now_s - looked_s >= _LOOK_AROUND_S:
            looked_s = now_s
            # In this order: no stream can begin any more that is not seen now.
            gone = not trainer.held()
            drain.discover()
            if gone:
                drain.finish("trainer died")
                gone_s = now_s if gone_s is None else gone_s
                if drain.streams == 0 or now_s - gone_s > _PATIENCE_S:
                    break
        if now_s - compacted_s >= _COMPACT_S:
            compacted_s = now_s
            compaction.look()
        drain.step()
        drain.finish()
        clock.sleep_s(LOOK_S if sync_s > 0 else _EAGER_NAP_S)
    drain.close()
    trainer.close()
    compaction.look(ended=True)


def main(attempt: AttemptFolder, sync_s: float) -> int:
    become_writer(10)  # not more: the ring holds seconds, then training waits
    held = files.lock(attempt.writer_lock)
    if held is None:
        return 0  # somebody else is at it
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    drain_attempt(attempt, sync_s, SYSTEM_CLOCK)
    held.release()
    return 0


if __name__ == "__main__":
    sys.exit(main(AttemptFolder(Path(sys.argv[1])), float(sys.argv[2])))
