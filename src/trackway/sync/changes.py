"""What a run's folder holds that a store does not have yet.

Every file is one of three: it is replaced as a whole (JSON, models, sealed segments: published by
a rename), it grows (open segments, logs), or it is nobody else's business (locks, rings, what is
being written). Nothing is told of files that are gone: a store keeps them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trackway.errors import FormatError
from trackway.format.segment import open_segment, read_frame
from trackway.storage.file_names import segments_in
from trackway.sync.buffer import Buffer

_LOCAL = frozenset({"lock", "writer.lock", "archive.lock", "training.lock", "ring", "ring.json"})
_SET_ASIDE = re.compile(r"(realtime_data)/set_aside/\d+/(.+/.+)")
_LIVE_STREAMS = frozenset({"episodes", "starts", "updates", "system", "events"})
_GROWING = (".open", ".log")
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


@dataclass(frozen=True)
class _Folder:
    """A folder as it was at the last look.

    Attributes:
        rests: Whether it has not changed since the look before, and nothing of it waits.
        folders, growing: What below it is looked at nevertheless.
    """

    mtime_ns: int
    rests: bool
    folders: Sequence[str]
    growing: Sequence[str]


class Scanner:
    """Looks through one run's folder, again and again."""

    def __init__(self, run: Path) -> None:
        self._run, self._root = run, str(run)
        self._salts: dict[str, tuple[int, int]] = {}
        self._folders: dict[str, _Folder] = {}
        self._buffer = Buffer()

    def changes(
        self, shipped: Shipped, most_bytes: int, thorough: bool = True
    ) -> dict[str, list[Change]]:
        """What is new, by lane, in an order in which no record comes before what it names.

        Args:
            shipped: What the store has.
            most_bytes: About as much of a growing file is told of at once.
            thorough: Whether every file is looked at. A run has thousands, published by renames,
                which their folder's time tells of; what a program changes in place is seen only so.
        """
        found: dict[str, list[Change]] = {}
        # Records are listed before the models that they name: whatever a record that was seen
        # names is seen as well.
        tops = sorted(os.scandir(self._run), key=lambda entry: entry.name != "realtime_data")
        for entry in tops:
            for path, stat in self._below(entry, shipped, thorough):
                change = self._change(path, stat, shipped, most_bytes)
                if change is not None and change.end >= change.start:
                    found.setdefault(lane_of(path), []).append(change)
        for changes in found.values():
            changes.sort(key=_rank)
        return found

    def _below(
        self, top: os.DirEntry[str], shipped: Shipped, thorough: bool
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Files that may have changed, of a folder or a file at the top of the run."""
        if top.name.startswith(".") or top.name in _LOCAL or top.name == "sync":
            return
        if not top.is_dir():
            with contextlib.suppress(FileNotFoundError):
                yield top.name, top.stat()
            return
        stack = [top.name]
        while stack:
            folder = stack.pop()
            full = f"{self._root}/{folder}"
            try:
                mtime_ns = _stat(full).st_mtime_ns
                known = self._folders.get(folder)
                same = known is not None and known.mtime_ns == mtime_ns
                if known is not None and same and known.rests and not thorough:
                    stack += known.folders
                    for path in known.growing:
                        with contextlib.suppress(FileNotFoundError):
                            yield path, _stat(f"{self._root}/{path}")
                    continue
                files, folders = _listed(folder, full)
            except FileNotFoundError:
                continue
            growing = [path for path, _ in files if path.endswith(_GROWING)]
            settled = all(
                path.endswith(_GROWING) or _is_there(path, stat, shipped) for path, stat in files
            )
            # Within one tick of the clock a folder may change twice: it has to be seen alike twice.
            rests = same and settled and _may_rest(folder)
            self._folders[folder] = _Folder(mtime_ns, rests, folders, growing)
            stack += folders
            yield from files

    def _change(
        self, path: str, stat: os.stat_result, shipped: Shipped, most_bytes: int
    ) -> Change | None:
        size, mtime_ns = stat.st_size, stat.st_mtime_ns
        if path.endswith(_OPEN):
            start = shipped.grown.get(path, 0)
            end = self._whole_frames(path, start, size, most_bytes)
            return Change(path, start, end, grows=True) if end > start else None
        if path.endswith(".log"):
            start = shipped.grown.get(path, 0)
            end = min(size, start + most_bytes)
            return Change(path, start, end, grows=True) if size > start else None
        if _is_there(path, stat, shipped):
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
                data = self._buffer.room(min(most_bytes, max(0, size - offset)))
                data = data[: file.readinto(data)]
        except (FormatError, FileNotFoundError):
            return start  # just being made, or just sealed
        end = 0
        while (frame := read_frame(data, end, salt)) is not None:
            end = frame.end
        if end == 0 and len(data) == most_bytes:
            return self._whole_frames(path, start, size, 2 * most_bytes)
        return offset + end


def _stat(path: str) -> os.stat_result:
    return os.stat(path)  # noqa: PTH116 - to make a Path takes longer than the call


def _listed(folder: str, full: str) -> tuple[list[tuple[str, os.stat_result]], list[str]]:
    """A folder's files as they are, and the folders in it; without what is nobody else's business."""
    files, folders = [], []
    with os.scandir(full) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _LOCAL:
                continue
            path = f"{folder}/{entry.name}"
            if entry.is_dir():
                folders.append(path)
                continue
            with contextlib.suppress(FileNotFoundError):
                # Renamed or packed meanwhile: seen under its new name the next time.
                files.append((path, entry.stat()))
    return files, folders


def _is_there(path: str, stat: os.stat_result, shipped: Shipped) -> bool:
    """Whether the store has a whole file as it is, or its rows, or is not told of it."""
    return (
        shipped.files.get(path) == (stat.st_size, stat.st_mtime_ns)
        or path.endswith(_STORED)
        or shipped.has_rows_of(path)
    )


def _may_rest(folder: str) -> bool:
    """Not those of models and their records: nothing may be overlooked that a record names."""
    return folder.startswith("realtime_data/") and lane_of(f"{folder}/x") != "models"


def _rank(change: Change) -> tuple[bool, str]:
    # What names others comes last: a checkpoint's record after its zip, a manifest after its parts.
    return change.source.endswith(".json"), change.source
