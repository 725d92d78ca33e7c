"""Where the streams of a run lie; only this module spells these paths.

<run>/realtime_data/streams/
└── 001-3f9a2c/              an attempt: one process's life within the run
    ├── attempt.json         who records, since when, how often it syncs
    ├── lock                 held by the trainer
    ├── writer.lock          held by whoever drains the rings
    ├── writer.log           what the writer process had to say
    └── steps/               a stream
        ├── ring.json        where its ring lies, while there is one
        ├── 000000.seg       sealed segments
        └── 000001.open      the segment that grows
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from trackway import files
from trackway.errors import RecordingError, StreamError

_NAME = re.compile(r"[^/\\\0.][^/\\\0]{0,99}")
_SEGMENT = re.compile(r"(\d{6,})\.(seg|open)")
_ATTEMPT = re.compile(r"(\d{3,})-.+")


@dataclass(frozen=True)
class SegmentFile:
    number: int
    sealed: bool
    path: Path


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

    def segments(self) -> list[SegmentFile]:
        """Every segment, in order; of one that is being sealed, the sealed name."""
        found: dict[int, SegmentFile] = {}
        for path in self.path.iterdir():
            match = _SEGMENT.fullmatch(path.name)
            if match:
                number, sealed = int(match[1]), match[2] == "seg"
                if sealed or number not in found:
                    found[number] = SegmentFile(number, sealed, path)
        return [found[number] for number in sorted(found)]


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
