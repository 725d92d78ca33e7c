"""What a policy lets go of: which rows of which files, why, and how much that frees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from trackway import files
from trackway.errors import FormatError, StreamError
from trackway.format import pieces
from trackway.run import RunFolder, list_runs
from trackway.storage.cursor import read_header
from trackway.storage.packs import KEPT, KINDS
from trackway.storage.parts import open_part, part_header
from trackway.storage.places import AttemptFolder, PartFile, SegmentFile, StreamFolder, attempts
from trackway.storage.reader import describe
from trackway.storage.retention.pins import Pin, is_pinned, pins
from trackway.storage.retention.policy import Policy, policy_of
from trackway.storage.segments import read_seal

DAY_S: Final = 86_400.0
# A stream so small, such as `system`, stays.
_SMALL_BYTES: Final = 1 << 18


class Stage(IntEnum):
    """How far a run has gone."""

    FULL = 0
    SAMPLED = 1
    PINNED = 2


@dataclass(frozen=True)
class Cut:
    """A stream of which rows are let go.

    Attributes:
        before_bytes, after_bytes: What it takes, and about what it will.
        pins: Rows that stay at full rate.
    """

    stream: StreamFolder
    stage: Stage
    every: int
    why: str
    before_bytes: int
    after_bytes: int
    pins: Sequence[Pin] = field(default=())

    def chosen(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Places of the rows that stay."""
        return _chosen(rows, self.stage, self.every, self.pins)


def plan(models: Path, of_folder: Policy, now_unix: float) -> tuple[list[Cut], list[str]]:
    """What the policies of a folder of runs let go of now.

    Returns:
        The cuts, and a sentence for everything that stays although a policy would let it go.
    """
    said: list[str] = []
    staged: dict[Path, tuple[RunFolder, Policy, Stage, str]] = {}
    ages: dict[Path, float] = {}
    for run in list_runs(models):
        policy = policy_of(run, of_folder)
        age_days = (now_unix - last_unix(run)) / DAY_S
        stage, why = _by_age(policy, age_days)
        staged[run.path], ages[run.path] = (run, policy, stage, why), age_days
    cuts = {path: _cuts(*told, said) for path, told in staged.items()}
    if of_folder.budget_gb is None:
        return [cut for found in cuts.values() for cut in found], said
    sizes = {path: _size(path) for path in staged}

    def total() -> int:
        freed = sum(cut.before_bytes - cut.after_bytes for found in cuts.values() for cut in found)
        return sum(sizes.values()) - freed

    budget = int(of_folder.budget_gb * 1e9)
    why = f"the runs take {total() / 1e9:,.2f} GB of {of_folder.budget_gb:g}"
    oldest = sorted(staged, key=lambda path: -ages[path])
    for stage in (Stage.SAMPLED, Stage.PINNED):
        if stage is Stage.PINNED:
            why += f", sampled {total() / 1e9:,.2f}"
        for path in oldest:
            if total() <= budget:
                break
            run, policy, reached, _ = staged[path]
            if reached < stage:
                found = _cuts(run, policy, stage, why, [])
                if found:
                    cuts[path] = found
    if total() > budget:
        said.append(
            f"{models} will still take {total() / 1e9:,.2f} GB of {of_folder.budget_gb:g}: "
            "what is left is running, pinned, or episodes and checkpoints"
        )
    return [cut for found in cuts.values() for cut in found], said


def to_pack(models: Path, of_folder: Policy, now_unix: float) -> list[Path]:
    """Folders of JSON files of runs that ended so long ago that they are packed."""
    folders = []
    for run in list_runs(models):
        days = policy_of(run, of_folder).packed_days
        if days is None or (now_unix - last_unix(run)) / DAY_S <= days or is_written(run):
            continue
        folders += [run.realtime_data / kind for kind in KINDS]
    return [folder for folder in folders if len(list(folder.glob("*.json"))) > KEPT + 1]


def is_written(run: RunFolder) -> bool:
    """Whether a process still records into a run."""
    locks = [path for one in attempts(run.path) for path in (one.lock, one.writer_lock)]
    folders = [run.realtime_data] if run.realtime_data.is_dir() else []
    return any(files.is_locked(path) for path in [*locks, run.lock, *folders])


def last_unix(run: RunFolder) -> float:
    """When the run's youngest file of steps was begun; compaction does not change it."""
    found = [0.0]
    for attempt in attempts(run.path):
        for stream in attempt.streams():
            for file in stream.contents().files[-1:]:
                if isinstance(file, PartFile):
                    part = part_header(file.path)
                    found.append(part.segments[-1].created_unix if part else 0.0)
                else:
                    header = read_header(file.path)
                    found.append(header.created_unix if header else 0.0)
    return max(found) or run.manifest.stat().st_mtime


def _by_age(policy: Policy, age_days: float) -> tuple[Stage, str]:
    if policy.sampled_days is not None and age_days > policy.sampled_days:
        return Stage.PINNED, f"{age_days:.0f} days old, kept sampled for {policy.sampled_days:g}"
    if policy.full_days is not None and age_days > policy.full_days:
        return Stage.SAMPLED, f"{age_days:.0f} days old, kept whole for {policy.full_days:g}"
    return Stage.FULL, ""


def _cuts(run: RunFolder, policy: Policy, stage: Stage, why: str, said: list[str]) -> list[Cut]:
    if stage is Stage.FULL:
        return []
    if is_pinned(run):
        said.append(f"{run.name} stays: it is pinned")
        return []
    found = []
    for attempt in attempts(run.path):
        if files.is_locked(attempt.lock) or files.is_locked(attempt.writer_lock):
            said.append(f"{run.name} stays: it is being recorded")
            return []
        kept = pins(run, attempt)
        for stream in column_streams(attempt):
            cut = _cut(stream, stage, policy.every, why, kept)
            if cut is not None:
                found.append(cut)
    return found


def column_streams(attempt: AttemptFolder) -> Iterator[StreamFolder]:
    """Streams that policies may touch; those of records always stay."""
    for stream in attempt.streams():
        try:
            if describe(stream)[2] != pieces.KIND:
                yield stream
        except StreamError:
            continue


def _cut(
    stream: StreamFolder, stage: Stage, every: int, why: str, kept: Sequence[Pin]
) -> Cut | None:
    before = after = 0
    for file in stream.contents().files:
        size = file.path.stat().st_size
        rows = _rows(file)
        left = len(_chosen(rows, stage, every, kept))
        before += size
        after += size if not len(rows) else size * left // len(rows)
    if before < _SMALL_BYTES or after == before:
        return None
    return Cut(stream, stage, every, why, before, after, kept)


def _rows(file: PartFile | SegmentFile) -> npt.NDArray[np.int64]:
    """Numbers of a file's rows; none where it cannot be read, so that it stays."""
    none = np.empty(0, np.int64)
    if isinstance(file, PartFile):
        try:
            with open_part(file.path) as part:
                return part.rows
        except FormatError:
            return none
    found = read_seal(file.path)
    return none if found is None else np.arange(found[0].first_row, found[1])


def _chosen(
    rows: npt.NDArray[np.int64], stage: Stage, every: int, kept: Sequence[Pin]
) -> npt.NDArray[np.int64]:
    stays = np.zeros(len(rows), bool)
    stays[[0, -1] if len(rows) else []] = True  # where the part begins and ends stays told
    if stage is Stage.SAMPLED:
        stays |= rows % every == 0
    for pin in kept:
        stays |= (rows >= pin.first) & (rows <= pin.last)
    return np.flatnonzero(stays)


def _size(run: Path) -> int:
    return sum(path.stat().st_size for path in run.rglob("*") if path.is_file())
