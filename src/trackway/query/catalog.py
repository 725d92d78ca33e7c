"""The catalog: an index over the runs of a folder, which can be deleted and is made again.

    catalog = Catalog(Path("models"))
    for run in catalog.runs: print(run.name, run.status, run.return_mean)
    catalog.refresh()

A run is looked into when something of it changed, which three `stat`s tell. Those that may tell
something new at any time are looked into at every refresh, and not kept in the index.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError
from trackway.query.facts import NAMES, Look, RunFacts
from trackway.run import RunFolder, check_folder, meant
from trackway.storage.cache import cache_file, keep
from trackway.storage.places import streams_folder

VERSION: Final = 1
Mark = list[int]
# What of a run changes when there is something new to tell: a new attempt, another status, a tag.
_RUN: Final = RunFolder(Path())
_MARKED: Final = (_RUN.manifest, streams_folder(_RUN.path), _RUN.notes, _RUN.checkpoints)


@dataclass
class _Entry:
    mark: Mark
    facts: RunFacts


class Catalog:
    """The runs of one folder, oldest first.

    A folder is a run when it holds a manifest or recorded streams.
    """

    def __init__(self, models: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Read the index and look for what changed since.

        Raises:
            RunError: There is no such folder.
        """
        self.models, self._clock = models, clock
        self._file = cache_file("catalogs", models.resolve())
        self._entries = self._load()
        self._looks: dict[str, Look] = {}  # at runs that may tell something new
        self.refresh()

    @property
    def runs(self) -> list[RunFacts]:
        """All runs, oldest first by name."""
        return [self._entries[name].facts for name in sorted(self._entries)]

    def __len__(self) -> int:
        return len(self._entries)

    def refresh(self) -> bool:
        """Look for runs that came, went or changed; whether there was something.

        Raises:
            RunError: There is no such folder.
        """
        marks = self._marks()
        changed = settled = False
        for name in self._entries.keys() - marks.keys():
            del self._entries[name]
            self._looks.pop(name, None)
            changed = settled = True
        for name, mark in marks.items():
            known = self._entries.get(name)
            if known is not None and known.mark == mark and not known.facts.live:
                continue
            look = self._looks.pop(name, None) or Look(RunFolder(self.models / name), self._clock)
            facts = look.facts()
            if facts.live:
                self._looks[name] = look
            changed |= known is None or known.facts != facts
            settled |= not facts.live
            self._entries[name] = _Entry(mark, facts)
        if settled:
            self._save()
        return changed

    def run(self, name: str) -> RunFacts:
        """The run of that name, the one that begins or ends so, or `latest`.

        Raises:
            RunError: No run or more than one answers to it.
        """
        return self._entries[meant(name, sorted(self._entries), self.models)].facts

    def _marks(self) -> dict[str, Mark]:
        """By name of each run, what changes when it does."""
        check_folder(self.models)
        marks: dict[str, Mark] = {}
        try:
            with os.scandir(self.models) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except OSError as error:
            raise RunError(f"{self.models} cannot be looked into: {error}") from error
        for name in names:
            manifest, streams, *others = (_stat(f"{self.models}/{name}/{part}") for part in _MARKED)
            if manifest or streams:
                marks[name] = [*manifest, *streams, *(n for mark in others for n in mark)]
        return marks

    def _load(self) -> dict[str, _Entry]:
        try:
            kept = orjson.loads(self._file.read_bytes())
            if kept["format"] != "trackway-catalog" or kept["version"] != VERSION:
                return {}
            if kept["fields"] != list(NAMES):
                return {}
            return {
                name: _Entry(mark, RunFacts.of(values))
                for name, (mark, values) in kept["runs"].items()
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}  # none yet, damaged, or of another version: it is made again

    def _save(self) -> None:
        runs: dict[str, Any] = {
            name: (entry.mark, [getattr(entry.facts, field) for field in NAMES])
            for name, entry in self._entries.items()
            if not entry.facts.live
        }
        index = {
            "format": "trackway-catalog",
            "version": VERSION,
            "models": str(self.models.resolve()),
            "fields": NAMES,
            "runs": runs,
        }
        keep(self._file, orjson.dumps(index, option=orjson.OPT_NON_STR_KEYS))


def _stat(path: str) -> Mark:
    try:
        found = os.stat(path)  # noqa: PTH116 -- a Path for each of forty thousand takes longer
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size, found.st_ino]
