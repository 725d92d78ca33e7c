"""Looks after a run beside its training: what pages draw it from, then its archive.

    python -m trackway.query.upkeep RUN_FOLDER

The recorder's writer starts it whenever a part can be filled, and at the end. So whoever opens a
long run for the first time does not wait until it is read. Pyramids come first: they are quick, and
segments are read faster than parts.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from trackway import files
from trackway.errors import TrackwayError
from trackway.format import pieces
from trackway.query.stream_view import StreamView
from trackway.recorder.child import become_writer
from trackway.recorder.compactor import compact, is_wanted
from trackway.storage.places import AttemptFolder, attempts

_log = logging.getLogger(__name__)


def keep_pyramids(attempt: AttemptFolder) -> None:
    """Make or extend the pyramids of an attempt's numbers.

    Arrays are left to whoever asks for one of their numbers: nothing charts them by itself, and they
    are most of what is recorded.
    """
    ended = not files.is_locked(attempt.lock)
    for folder in attempt.streams():
        try:
            view = StreamView(folder)
            if view.kind != pieces.KIND:
                view.follow(*(name for name, field in view.fields.items() if not field.shape))
                view.refresh()
                view.save(ended)
        except (TrackwayError, OSError) as error:
            _log.warning("%s is not looked at in advance: %s", folder.path, error)


def main(run: Path) -> int:
    become_writer(19)
    wanted = [attempt for attempt in attempts(run) if is_wanted(attempt)]
    for attempt in wanted:
        keep_pyramids(attempt)
    for attempt in wanted:
        compact(attempt)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
