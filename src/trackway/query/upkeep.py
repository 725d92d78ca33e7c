"""Looks after a run beside its training: what pages draw it from, then its archive.

    python -m trackway.query.upkeep RUN_FOLDER
    python -m trackway.query.upkeep STREAM_FOLDER FIELD...

The recorder's writer starts it whenever some parts can be filled, and at the end. So whoever opens a
long run for the first time does not wait until it is read. Pyramids come first: they are quick, and
segments are read faster than parts. What a recorder wanted to be simulated again (`resim`) comes last,
once nobody records into the run: it takes longer than training did, so training shall not wait for it.

A server starts the second, for a run that was recorded elsewhere: pyramids of these fields alone.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trackway import files
from trackway.errors import TrackwayError
from trackway.format import pieces
from trackway.format.part import RESIM
from trackway.query.stream_view import StreamView
from trackway.recorder.child import become_writer
from trackway.recorder.compactor import compact, is_wanted
from trackway.storage.archive.precision import wanted_precision
from trackway.storage.places import AttemptFolder, StreamFolder, attempts

# Of another room of this floor, which knows MuJoCo; found by its name when a recorder was told so.
_RESIM: Final = "trackway.replay.resim"

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


def make_pyramids(folder: StreamFolder, fields: Sequence[str]) -> None:
    """Make those of these fields, for somebody who waits."""
    view = StreamView(folder)
    view.follow(*fields)
    view.refresh()
    view.save(ended=True)


def main(path: Path, *fields: str) -> int:
    if fields:
        make_pyramids(StreamFolder(path), fields)
        return 0
    become_writer(19)
    wanted = [attempt for attempt in attempts(path) if is_wanted(attempt)]
    for attempt in wanted:
        keep_pyramids(attempt)
    for attempt in wanted:
        compact(attempt)
    if any(RESIM in wanted_precision(attempt).values() for attempt in wanted):
        _simulate_again(path)
    return 0


def _simulate_again(run: Path) -> None:
    try:
        for part in importlib.import_module(_RESIM).settle(run):
            if part.why:
                _log.warning("%s stays exact: %s", part.path, part.why)
    except (TrackwayError, OSError, ModuleNotFoundError) as error:
        _log.warning("%s: what is not simulated again yet stays exact: %s", run, error)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
