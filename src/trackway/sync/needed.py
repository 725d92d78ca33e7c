"""What a run needs to go on here, fetched from its store; a note or a list of everything else.

A training of days has gigabytes in the store, and goes on from the last of them: the newest whole
checkpoint with its replay buffer, what was recorded beyond it, and the manifests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from trackway import files
from trackway.checkpoint.assemble import REPLAY_FOLDER
from trackway.checkpoint.choose import choose
from trackway.checkpoint.read import Checkpoint
from trackway.errors import FormatError
from trackway.format.part import read_header
from trackway.format.segment import open_segment
from trackway.format.stored import StoredRows
from trackway.run import RunFolder
from trackway.storage.file_names import is_reduced, segments_in
from trackway.storage.line import begin_timestep
from trackway.storage.places import AttemptFolder, attempts
from trackway.sync.acknowledged import Acknowledgements, acknowledged_file
from trackway.sync.changes import Change, Shipped, lane_of
from trackway.sync.holdings import Holdings
from trackway.sync.layout import LANES
from trackway.sync.lease import Epoch
from trackway.sync.left import Left, write_left
from trackway.sync.store import Store

_CHECKPOINT: Final = re.compile(r"checkpoints/checkpoint_[^/]*\.zip")
_STAMP: Final = re.compile(r"\d{8}_\d{6}")
_HEAD_BYTES: Final = 1 << 16
_AT_ONCE: Final = 16


@dataclass(frozen=True)
class _Rows:
    """A file of a stream: its first row, the row after its last where it tells, and environments."""

    path: str
    first: int
    end: int | None
    num_envs: int


def fetch_needed(run: RunFolder, store: Store, prefix: str, epoch: Epoch) -> None:
    """Make of a run in a store what its training needs to go on here.

    The manifest comes last: without it, this is done again.

    Args:
        run: Its folder here.
        store: Where it was shipped.
        prefix: Of the run's rank in it.
        epoch: In which this machine ships; nothing of it yet.

    Raises:
        SyncError: What the store has is damaged.
        UnreachableError: It cannot be reached; try again.
        OSError: The disk refused.
    """
    held = Holdings(store, prefix)
    arriving = _Arriving(run, store, held)
    checkpoint = arriving.checkpoint()
    arriving.fetch(path for path in held.files if _is_small(path) and path != "run.json")
    arriving.fetch(path for path in [*held.files, *held.growing] if _begins(path))
    arriving.records(checkpoint)
    arriving.steps(checkpoint)
    _acknowledge(run, store, held, epoch)
    write_left(run, Left(store.url, arriving.left()))
    arriving.fetch(["run.json"] if "run.json" in held.files else [])


class _Arriving:
    """Fetches, and keeps count of what is here and what is noted."""

    def __init__(self, run: RunFolder, store: Store, held: Holdings) -> None:
        self._run, self._store, self._held = run, store, held
        self._here: set[str] = set()
        self._noted: set[str] = set()

    def fetch(self, paths: Iterable[str]) -> None:
        wanted = [path for path in dict.fromkeys(paths) if path not in self._here]
        for path, data in self._held.fetch(wanted):
            files.publish(self._run.path / path, data, mtime_ns=self._held.mtime_ns(path))
            self._here.add(path)

    def checkpoint(self) -> Checkpoint | None:
        """The newest whole one that was shipped, with the rows of its replay buffer."""
        shipped = [path for path in self._held.files if _CHECKPOINT.fullmatch(path)]
        while shipped:
            self.fetch([shipped.pop()])
            found = choose(self._run.checkpoints).checkpoint
            if found is not None:
                replay = f"checkpoints/{REPLAY_FOLDER}"
                self.fetch(f"{replay}/{name}" for name in found.manifest.get("replay", ()))
                return found
        return None

    def records(self, checkpoint: Checkpoint | None) -> None:
        """Records that may tell of steps beyond the checkpoint, to be put aside; all without one."""
        since = self._made_after(checkpoint) if checkpoint else lambda path: True
        self.fetch(path for path in self._held.files if _is_record(path) and since(path))

    def steps(self, checkpoint: Checkpoint | None) -> None:
        """What the newest attempt recorded beyond the checkpoint; notes of everything before."""
        streams = {
            folder: paths
            for folder, paths in self._held.streams().items()
            if lane_of(paths[0]) == LANES[-1]
        }
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            known = {f: list(pool.map(self._rows, paths)) for f, paths in streams.items()}
        last = next(
            (a for a in reversed(attempts(self._run.path)) if self._in(a, known)),
            None,
        )
        for folder, told in known.items():
            kept = {told[-1].path}  # it tells what the stream is, and where it goes on
            if last is not None and checkpoint is not None and folder in self._in(last, known):
                beyond = self._beyond(told, last, checkpoint.timestep or 0)
                self.fetch(beyond)
                kept.update(beyond)
            self._note(folder, told, kept)

    def left(self) -> list[str]:
        """What is neither here nor noted, nor in another file as well."""
        streams = self._held.streams()
        found = []
        for path in [*self._held.files, *self._held.growing]:
            if path in self._here or path in self._noted or path == "run.json":
                continue
            folder, _, name = path.rpartition("/")
            rows = segments_in(name.replace(".open", ".seg"))
            if not rows or is_reduced(PurePosixPath(name)) or path in streams.get(folder, ()):
                found.append(path)
        return found

    def _made_after(self, checkpoint: Checkpoint) -> Callable[[str], bool]:
        """Tells of a record whether it was written after a checkpoint, by the clock that both have.

        A record is shipped after it was written; where local time was set back, names lie.
        """
        own = checkpoint.path.relative_to(self._run.path).as_posix()
        epoch, unix_s = self._held.pieces(own)[-1].epoch, checkpoint.manifest.get("timestamp", 0.0)

        def after(path: str) -> bool:
            piece = self._held.pieces(path)[-1]
            if piece.epoch != epoch:  # of two machines' clocks nobody knows which one is wrong
                return piece.epoch > epoch
            return piece.created_unix >= unix_s or _stamp(path) >= _stamp(own)

        return after

    def _in(self, attempt: AttemptFolder, streams: Iterable[str]) -> list[str]:
        folder = attempt.path.relative_to(self._run.path).as_posix()
        return [stream for stream in streams if stream.rpartition("/")[0] == folder]

    def _rows(self, path: str) -> _Rows:
        if path.endswith(".parquet"):
            try:
                part = read_header(self._held.ending(path))
            except FormatError:  # its end came in a piece that is too small
                ((_, data),) = self._held.fetch([path])
                part = read_header(data)
            return _Rows(path, part.first_row, part.next_row, part.num_envs)
        try:
            header = open_segment(self._held.beginning(path, _HEAD_BYTES)).header
        except FormatError:
            header = open_segment(self._held.beginning(path, 1 << 30)).header
        return _Rows(path, header.first_row, None, header.num_envs)

    def _beyond(self, told: Sequence[_Rows], attempt: AttemptFolder, timestep: int) -> list[str]:
        """The files of a stream that hold rows beyond a timestep."""
        begin = begin_timestep(attempt)
        if begin > timestep:
            return []
        return [
            file.path
            for file, end in _ends(told)
            if end is None or begin + end * file.num_envs > timestep
        ]

    def _note(self, folder: str, told: Sequence[_Rows], kept: set[str]) -> None:
        for file, end in _ends(told):
            if file.path in kept or end is None:
                continue
            numbers = segments_in(file.path.rpartition("/")[2])
            note = StoredRows(
                self._store.url,
                self._run.name,
                (file.path,),
                file.first,
                end,
                self._held.size(file.path),
            )
            name = f"{numbers[0]:06d}-{numbers[-1]:06d}.stored"
            files.publish(self._run.path / folder / name, note.encode())
            self._noted.add(file.path)


def _ends(told: Sequence[_Rows]) -> Iterator[tuple[_Rows, int | None]]:
    """Files with the row after their last, by themselves or by their successor; None: not known."""
    following = [*(file.first for file in told[1:]), None]
    for file, first in zip(told, following, strict=True):
        yield file, first if file.end is None else file.end


def _is_small(path: str) -> bool:
    """Whether it is one of the files that a run has one of: manifests, histories, settings."""
    folder, _, _ = path.rpartition("/")
    return folder in ("", "realtime_data", "realtime_data/hyperparameters")


def _begins(path: str) -> bool:
    """Whether it tells of an attempt what it was and where it began."""
    parts = path.split("/")
    return parts[:2] == ["realtime_data", "streams"] and (len(parts) == 4 or parts[3] == "events")


def _is_record(path: str) -> bool:
    parts = path.split("/")
    return len(parts) == 3 and parts[0] == "realtime_data" and path.endswith(".json")


def _stamp(path: str) -> str:
    found = _STAMP.search(path)
    return found[0] if found else ""


def _acknowledge(run: RunFolder, store: Store, held: Holdings, epoch: Epoch) -> None:
    """Note what the store has, for the shipper: nothing of it goes there again."""
    shipped = Shipped(counts=dict.fromkeys(LANES, 0))
    for path in held.files:
        shipped.take(Change(path, 0, held.size(path), mtime_ns=held.mtime_ns(path)))
    for path in held.growing:
        shipped.take(Change(path, 0, held.size(path), grows=True))
    name = f"{epoch.writer}/{epoch.number}"
    Acknowledgements(acknowledged_file(run, store.url), name, shipped).close()
