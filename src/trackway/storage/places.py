"""Where the streams of a run lie; only this module spells these paths.

<run>/realtime_data/streams/
└── 001-3f9a2c/              an attempt: one process's life within the run
    ├── attempt.json         who records, since when, how often it syncs
    ├── lock                 held by the trainer
    ├── writer.lock          held by whoever drains the rings
    ├── archive.lock         held by whoever turns segments into parts
    ├── writer.log           what the writer process had to say
    └── steps/               a stream
        ├── ring.json        where its ring lies, while there is one
        ├── 000000-000003.parquet   a part of the archive: segments 0 to 3
        ├── 000004-000007.stored    in their place, where a store has them: whose they are, and where
        ├── 000008.seg       sealed segments
        └── 000009.open      the segment that grows
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trackway import files
from trackway.errors import RecordingError, StreamError
from trackway.storage.file_names import PART, SEGMENT, STORED

_NAME = re.compile(r"[^/\\\0.][^/\\\0]{0,99}")
_ATTEMPT = re.compile(r"(\d{3,})-.+")


@dataclass(frozen=True)
class SegmentFile:
    number: int
    sealed: bool
    path: Path

    @property
    def last(self) -> int:
        return self.number


@dataclass(frozen=True)
class PartFile:
    """Segments `number` to `last` in one file of the archive."""

    number: int
    last: int
    revision: int
    path: Path


@dataclass(frozen=True)
class StoredFile:
    """A note that segments `number` to `last` lie in a store."""

    number: int
    last: int
    path: Path


@dataclass(frozen=True)
class Contents:
    """The files of a stream.

    Attributes:
        parts, segments: Those that count, in order.
        superseded: Those whose rows are in a part that counts.
        stored: Notes of what lies in a store, and not here, in order.
    """

    parts: list[PartFile]
    segments: list[SegmentFile]
    superseded: list[PartFile | SegmentFile]
    stored: list[StoredFile]

    @property
    def files(self) -> list[PartFile | SegmentFile]:
        """All that count, in the order of their rows."""
        both: list[PartFile | SegmentFile] = [*self.parts, *self.segments]
        return sorted(both, key=lambda file: file.number)


@dataclass(frozen=True)
class StreamFolder:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def attempt(self) -> AttemptFolder:
        return AttemptFolder(self.path.parent)

    @property
    def ring_pointer(self) -> Path:
        return self.path / "ring.json"

    @property
    def own_ring(self) -> Path:
        """Where the ring lies when shared memory is too small and the run on a local disk."""
        return self.path / "ring"

    def open_segment(self, number: int) -> Path:
        return self.path / f"{number:06d}.open"

    def sealed_segment(self, number: int) -> Path:
        return self.path / f"{number:06d}.seg"

    def torn(self, path: Path, offset: int) -> Path:
        """Where bytes are kept that were cut off a segment at `offset`."""
        return path.with_name(f"{path.stem}.torn-{offset}")

    def damaged(self, path: Path) -> Path:
        """Where a segment is kept from which a whole one was made."""
        return path.with_name(f"{path.name}.damaged")

    def part(self, number: int, last: int, revision: int = 0) -> Path:
        """Where a part lies that holds the segments `number` to `last`."""
        suffix = f".r{revision}" if revision else ""
        return self.path / f"{number:06d}-{last:06d}{suffix}.parquet"

    def stored(self, number: int, last: int) -> Path:
        """Where is noted that a store has the segments `number` to `last`."""
        return self.path / f"{number:06d}-{last:06d}.stored"

    def segments(self) -> list[SegmentFile]:
        """Every segment that is in no part, in order; of one being sealed, the sealed name."""
        return self.contents().segments

    def parts(self) -> list[PartFile]:
        """Every part of the archive that counts, in order."""
        return self.contents().parts

    def contents(self) -> Contents:
        """Parts and segments as they are at this moment."""
        names = self._names()
        # Of parts that begin alike the longest, then the latest revision comes first.
        written = sorted(_parts(self.path, names), key=lambda p: (p.number, -p.last, -p.revision))
        parts: list[PartFile] = []
        superseded: list[PartFile | SegmentFile] = []
        for part in written:
            covered = parts and part.last <= parts[-1].last
            (superseded if covered else parts).append(part)
        found: dict[int, SegmentFile] = {}
        for name in names:
            match = SEGMENT.fullmatch(name)
            if match:
                number, sealed = int(match[1]), match[2] == "seg"
                if sealed or number not in found:
                    found[number] = SegmentFile(number, sealed, self.path / name)
        segments: list[SegmentFile] = []
        for number in sorted(found):
            covered = any(part.number <= number <= part.last for part in parts)
            (superseded if covered else segments).append(found[number])
        stored = _stored(self.path, names)
        if stored:
            both: list[PartFile | SegmentFile] = [*parts, *segments]
            here = {number for file in both for number in range(file.number, file.last + 1)}
            stored = [f for f in stored if not here.issuperset(range(f.number, f.last + 1))]
        return Contents(parts, segments, superseded, stored)

    def _names(self) -> set[str]:
        """What the folder holds; never without both a segment and the part that replaces it."""
        names = {path.name for path in self.path.iterdir()}
        # A listing may miss a name that comes and one that goes while it is made.
        while (again := {path.name for path in self.path.iterdir()}) != names:
            names = again
        return names


def _parts(folder: Path, names: Iterable[str]) -> Iterator[PartFile]:
    for name in names:
        match = PART.fullmatch(name)
        if match and int(match[1]) <= int(match[2]):
            yield PartFile(int(match[1]), int(match[2]), int(match[3] or 0), folder / name)


def _stored(folder: Path, names: Iterable[str]) -> list[StoredFile]:
    noted = (name for name in names if name.endswith(".stored"))
    matches = (match for name in noted if (match := STORED.fullmatch(name)))
    found = [StoredFile(int(m[1]), int(m[2]), folder / m[0]) for m in matches]
    return sorted(found, key=lambda file: file.number)


@dataclass(frozen=True)
class AttemptFolder:
    path: Path

    @property
    def run(self) -> Path:
        """The folder of its run."""
        return self.path.parents[2]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def manifest(self) -> Path:
        return self.path / "attempt.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def writer_lock(self) -> Path:
        return self.path / "writer.lock"

    @property
    def archive_lock(self) -> Path:
        return self.path / "archive.lock"

    @property
    def writer_log(self) -> Path:
        return self.path / "writer.log"

    def stream(self, name: str) -> StreamFolder:
        """The folder of a stream, whether it exists or not.

        Raises:
            RecordingError: The name could not be a folder's.
        """
        if not _NAME.fullmatch(name):
            raise RecordingError(
                f"{name!r} cannot name a stream: use up to 100 characters, no slash, no dot first"
            )
        return StreamFolder(self.path / name)

    def streams(self) -> list[StreamFolder]:
        """Streams that were begun, by name."""
        return [StreamFolder(path) for path in sorted(self.path.glob("*/")) if path.is_dir()]


def scenes_folder(run: Path) -> Path:
    """Where the simulated models lie, each under its digest."""
    return run / "realtime_data" / "scenes"


def streams_folder(run: Path) -> Path:
    return run / "realtime_data" / "streams"


def attempts(run: Path) -> list[AttemptFolder]:
    """Every attempt of a run, oldest first."""
    found = [path for path in streams_folder(run).glob("*/") if _ATTEMPT.fullmatch(path.name)]
    return [AttemptFolder(path) for path in sorted(found, key=_order)]


def _order(path: Path) -> tuple[int, str]:
    match = _ATTEMPT.fullmatch(path.name)
    return (int(match[1]) if match else 0, path.name)


def new_attempt(run: Path) -> AttemptFolder:
    """Make the folder of the run's next attempt.

    The number tells the order; the letters keep two machines from making the same one.
    """
    folder = streams_folder(run)
    files.make_folder(folder)
    number = max((_order(attempt.path)[0] for attempt in attempts(run)), default=0) + 1
    path = folder / f"{number:03d}-{secrets.token_hex(3)}"
    files.make_folder(path)
    return AttemptFolder(path)


def named_attempt(run: Path, name: str) -> AttemptFolder:
    """The folder of an attempt that the caller names, whether it exists or not.

    Raises:
        RecordingError: The name does not tell the order.
    """
    if not _ATTEMPT.fullmatch(name) or "/" in name:
        raise RecordingError(f"{name!r} cannot name an attempt: use a number and a word, 001-a")
    return AttemptFolder(streams_folder(run) / name)


def find_stream(run: Path, name: str, attempt: str | None = None) -> StreamFolder:
    """A stream of an attempt; without one, of the latest attempt that has it.

    Raises:
        StreamError: There is no such stream; the message lists those that exist.
    """
    candidates = [a for a in attempts(run) if attempt is None or a.name == attempt]
    for candidate in reversed(candidates):
        for stream in candidate.streams():
            if stream.name == name:
                return stream
    known = sorted({stream.name for a in candidates for stream in a.streams()})
    where = run if attempt is None else f"attempt {attempt} of {run}"
    raise StreamError(
        f"{where} has no stream {name!r}; it has: {', '.join(known)}"
        if known
        else f"{where} holds no recorded streams"
    )
