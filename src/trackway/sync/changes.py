"""What a run's folder holds that a store does not have yet.

Every file is one of three: it is replaced as a whole (JSON, models, sealed segments: published by
a rename), it grows (open segments, logs), or it is nobody else's business (locks, rings, what is
being written). Nothing is told of files that are gone: a store keeps them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trackway.errors import FormatError
from trackway.format.segment import Damage, frames, open_segment
from trackway.storage.file_names import segments_in

_LOCAL = frozenset({"lock", "writer.lock", "archive.lock", "training.lock", "ring", "ring.json"})
_SET_ASIDE = re.compile(r"(realtime_data)/set_aside/\d+/(.+/.+)")
_LIVE_STREAMS = frozenset({"episodes", "starts", "updates", "system", "events"})
_OPEN, _SEALED, _PART, _STORED = ".open", ".seg", ".parquet", ".stored"


@dataclass(frozen=True)
class Change:
    """Bytes to ship: those of `path` from `start` up to `end`; then its new name, if it got one.

    Attributes:
        grows: Whether they are appended to what was shipped before, rather than a whole file.
        mtime_ns: Tells whether a whole file has changed since.
        renamed: What the file is called now; a segment that grew and was sealed.
    """

    path: str
    start: int
    end: int
    grows: bool = False
    mtime_ns: int = 0
    renamed: str = ""

    @property
    def source(self) -> str:
        """Where the bytes lie."""
        return self.renamed or self.path


@dataclass
class Shipped:
    """What the store has acknowledged.

    Attributes:
        files: Of whole files, size and time of change when they were shipped.
        grown: Of files that grow, how many bytes.
        counts: Of every lane, how many shipments.
        segments: By stream's folder, numbers of the sealed segments whose rows are there.
    """

    files: dict[str, tuple[int, int]] = field(default_factory=dict)
    grown: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    segments: dict[str, set[int]] = field(default_factory=dict)

    def take(self, change: Change) -> None:
        if change.grows and not change.renamed:
            self.grown[change.path] = change.end
            return
        if change.renamed:
            self.grown.pop(change.path, None)
            self.files.pop(change.path, None)
        self.files[change.source] = (change.end, change.mtime_ns)
        folder, _, name = change.source.rpartition("/")
        if numbers := segments_in(name):
            self.segments.setdefault(folder, set()).update(numbers)

    def has_rows_of(self, path: str) -> bool:
        """Whether a file is a part, and the store has all that it was made from."""
        folder, _, name = path.rpartition("/")
        numbers = segments_in(name) if path.endswith(_PART) else range(0)
        return bool(numbers) and self.segments.get(folder, set()).issuperset(numbers)


def lane_of(path: str) -> str:
    """In which sequence of shipments a file goes."""
    first, _, rest = path.partition("/")
    if first == "realtime_data":
        folder, _, below = rest.partition("/")
        if folder == "streams":
            parts = below.split("/")
            return "live" if len(parts) < 3 or parts[1] in _LIVE_STREAMS else "steps"
        return "models" if folder == "checkpoints" else "live"
    return "models" if first in ("checkpoints", "videos") or path.endswith(".zip") else "live"


class Scanner:
    """Looks through one run's folder, again and again."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._salts: dict[str, tuple[int, int]] = {}

    def changes(self, shipped: Shipped, most_bytes: int) -> dict[str, list[Change]]:
        """What is new, by lane, in an order in which no record comes before what it names.

        Args:
            shipped: What the store has.
            most_bytes: About as much of a growing file is told of at once.
        """
        found: dict[str, list[Change]] = {}
        # Records are listed before the models that they name: whatever a record that was seen
        # names is seen as well.
        tops = [path.name for path in self._run.iterdir()]
        tops.sort(key=lambda name: name != "realtime_data")
        for path, entry in (item for top in tops for item in self._walk(top)):
            change = self._change(path, entry, shipped, most_bytes)
            if change is not None and change.end >= change.start:
                found.setdefault(lane_of(path), []).append(change)
        for changes in found.values():
            changes.sort(key=_rank)
        return found

    def _walk(self, name: str) -> Iterator[tuple[str, os.stat_result]]:
        if name.startswith(".") or name == "sync":
            return
        stack = [name]
        while stack:
            path = stack.pop()
            full = self._run / path
            try:
                if full.is_dir():
                    stack += [
                        f"{path}/{below.name}"
                        for below in full.iterdir()
                        if not below.name.startswith(".") and below.name not in _LOCAL
                    ]
                else:
                    yield path, full.stat()
            except FileNotFoundError:
                continue  # renamed or packed meanwhile: seen under its new name the next time

    def _change(
        self, path: str, stat: os.stat_result, shipped: Shipped, most_bytes: int
    ) -> Change | None:
        if path.endswith(_STORED):
            return None  # of what lies there, and not here
        size, mtime_ns = stat.st_size, stat.st_mtime_ns
        if path.endswith(_OPEN):
            start = shipped.grown.get(path, 0)
            end = self._whole_frames(path, start, size, most_bytes)
            return Change(path, start, end, grows=True) if end > start else None
        if path.endswith(".log"):
            start = shipped.grown.get(path, 0)
            end = min(size, start + most_bytes)
            return Change(path, start, end, grows=True) if size > start else None
        if shipped.files.get(path) == (size, mtime_ns) or shipped.has_rows_of(path):
            return None
        moved = _SET_ASIDE.fullmatch(path)
        old = f"{moved[1]}/{moved[2]}" if moved else ""
        if old in shipped.files and not (self._run / old).exists():
            # Records that made room for those that are made again: they make room there as well.
            return Change(old, 0, 0, grows=True, renamed=path)
        before = path.removesuffix(_SEALED) + _OPEN
        if path.endswith(_SEALED) and 0 < shipped.grown.get(before, 0) <= size:
            self._salts.pop(before, None)
            return Change(before, shipped.grown[before], size, True, mtime_ns, renamed=path)
        return Change(path, 0, size, mtime_ns=mtime_ns)

    def _whole_frames(self, path: str, start: int, size: int, most_bytes: int) -> int:
        """How far an open segment can be shipped: a torn frame may yet be cut off."""
        if size == start:
            return start
        try:
            with (self._run / path).open("rb") as file:
                if path not in self._salts:
                    opening = open_segment(file.read(1 << 20))
                    self._salts[path] = (opening.size, opening.salt)
                begin, salt = self._salts[path]
                offset = max(start, begin)
                file.seek(offset)
                data = file.read(most_bytes)
        except (FormatError, FileNotFoundError):
            return start  # just being made, or just sealed
        end = 0
        for part in frames(data, 0, salt):
            if isinstance(part, Damage):
                break
            end = part.end
        if end == 0 and len(data) == most_bytes:
            return self._whole_frames(path, start, size, 2 * most_bytes)
        return offset + end


def _rank(change: Change) -> tuple[bool, str]:
    # What names others comes last: a checkpoint's record after its zip, a manifest after its parts.
    return change.source.endswith(".json"), change.source
