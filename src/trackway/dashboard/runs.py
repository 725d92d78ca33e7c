"""Which runs there are. A run is looked up by its name; a name never becomes a path."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import UnknownRunError
from trackway.run import RunFolder
from trackway.storage.places import streams_folder

_LOOK_S: Final = 1.0


class Runs:
    """The runs of a folder: what holds a manifest, or recorded streams."""

    def __init__(self, models: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self.models = models
        self._clock, self._lock = clock, Lock()
        self._found: dict[str, RunFolder] = {}
        self._looked_s = -_LOOK_S

    def all(self) -> list[RunFolder]:
        """Every run, by name; looked for again at most once a second."""
        with self._lock:
            if self._clock.monotonic_s() - self._looked_s >= _LOOK_S:
                self._found = {folder.name: folder for folder in _look(self.models)}
                self._looked_s = self._clock.monotonic_s()
            return list(self._found.values())

    def find(self, name: str) -> RunFolder:
        """The run of this name.

        Raises:
            UnknownRunError: There is none.
        """
        if name not in self._found:
            self.all()
        found = self._found.get(name)
        if found is None or not found.path.is_dir():
            raise UnknownRunError(name)
        return found


def _look(models: Path) -> list[RunFolder]:
    try:
        folders = sorted(path for path in models.iterdir() if path.is_dir())
    except OSError:
        return []
    runs = [RunFolder(path) for path in folders]
    return [run for run in runs if run.manifest.is_file() or streams_folder(run.path).is_dir()]
