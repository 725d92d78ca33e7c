"""A backup that keeps up with a run while it is recorded, and ends with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import BackupError
from trackway.run import RunFolder
from trackway.storage.backup import Backup
from trackway.storage.places import attempts
from trackway.storage.retention.cuts import is_written

LOOK_S: Final = 5.0
# Between a writer's end and the beginning of the last compaction nobody holds a lock.
_QUIET_LOOKS: Final = 3

_log = logging.getLogger(__name__)


def follow_run(run: RunFolder, backup: Path, clock: Clock = SYSTEM_CLOCK) -> None:
    """Copy finished files as they are finished, until nobody writes into the run.

    A disk that refuses is asked again at every look, and complained of once.
    """
    quiet, said = 0, ""
    while quiet < _QUIET_LOOKS:
        busy = is_written(run) or any(files.is_locked(a.archive_lock) for a in attempts(run.path))
        try:
            Backup(run.path, backup).copy()
            said = ""
        except (OSError, BackupError) as error:
            if str(error) != said:
                said = str(error)
                _log.warning("the backup in %s is behind: %s", backup, error)
        quiet = 0 if busy else quiet + 1
        clock.sleep_s(LOOK_S)
