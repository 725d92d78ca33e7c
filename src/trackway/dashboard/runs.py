"""Which runs there are. A run is looked up by its name; a name never becomes a path."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError, UnknownRunError
from trackway.query.catalog import Catalog
from trackway.query.facts import RunFacts
from trackway.run import RunFolder

_LOOK_S: Final = 1.0
# Of the time that passes, looking takes no more than this share, however long one look lasts.
_SHARE: Final = 0.05


class Runs:
    """The runs of a folder, as its catalog knows them."""

    def __init__(self, models: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        """Look for the first time.

        Raises:
            RunError: There is no such folder.
        """
        self.models = models
        self._clock, self._lock = clock, Lock()
        self._catalog = Catalog(models, clock=clock)
        self._next_look_s = clock.monotonic_s() + _LOOK_S

    def all(self) -> list[RunFacts]:
        """What is known of every run, newest first; looked for again at most once a second.

        Raises:
            RunError: The folder is gone.
        """
        with self._lock:
            if self._clock.monotonic_s() >= self._next_look_s:
                self._look()
            found = self._catalog.runs
        found.sort(key=lambda facts: (facts.created_unix or 0.0, facts.name), reverse=True)
        return found

    def facts(self, name: str) -> RunFacts:
        """What is known of one run.

        Raises:
            UnknownRunError: There is none of exactly this name.
        """
        with self._lock:
            found = self._known(name)
            if found is None:  # it may have begun a moment ago
                self._look()
                found = self._known(name)
        if found is None or not Path(found.path).is_dir():
            raise UnknownRunError(name)
        return found

    def find(self, name: str) -> RunFolder:
        """The folder of one run.

        Raises:
            UnknownRunError: There is none of exactly this name.
        """
        return RunFolder(Path(self.facts(name).path))

    def _look(self) -> None:
        begun_s = self._clock.monotonic_s()
        self._catalog.refresh()
        ended_s = self._clock.monotonic_s()
        self._next_look_s = ended_s + max(_LOOK_S, (ended_s - begun_s) / _SHARE)

    def _known(self, name: str) -> RunFacts | None:
        try:
            found = self._catalog.run(name)
        except RunError:
            return None
        return found if found.name == name else None  # it would take the end of a name as well
