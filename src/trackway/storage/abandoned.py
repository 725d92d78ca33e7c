"""When trainer and writer were both killed, the next one who looks finishes their work."""

from __future__ import annotations

import logging

from trackway import files
from trackway.clock import Clock
from trackway.storage.drain import AttemptDrain
from trackway.storage.places import AttemptFolder

_log = logging.getLogger(__name__)


def finish_abandoned(attempt: AttemptFolder, clock: Clock) -> bool:
    """Drain what a dead trainer and a dead writer left in their rings, and seal the journals.

    Does nothing while either lives, on another machine, and where the folder cannot be written:
    readers see the ring's rows all the same.

    Returns:
        Whether something was sealed.
    """
    pointers = [stream.ring_pointer for stream in attempt.streams()]
    if not any(pointer.exists() for pointer in pointers) or files.is_locked(attempt.lock):
        return False
    try:
        held = files.lock(attempt.writer_lock)
    except OSError:
        return False
    if held is None:
        return False
    drain = AttemptDrain(attempt, 0.0, clock)
    try:
        drain.discover()
        begun = drain.streams
        drain.finish("trainer and writer died")
        if drain.failing:
            _log.warning(
                "%s could not be finished: the disk refuses; nothing is lost", attempt.path
            )
        return drain.streams < begun
    finally:
        drain.close()
        held.release()
