"""Parts of the tier `resim`: key frames and inputs, from which everything else is simulated again.

    recorded rows ─▶ simulate from every start ─▶ what comes out equal is left out ─▶ new part
                                                                                       │
    the exact part goes only when ◀── every digest of its segments is met ◀── read back, simulated
                                                                               from its key frames

What does not come out equal is kept, value by value. A part that would not be much smaller stays
exact, and its metadata say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np

from trackway import files
from trackway.errors import FormatError, SceneError, StreamError
from trackway.format.part import EXACT, NOT_RESIM, RESIM, PartHeader
from trackway.format.resim import Resim
from trackway.replay.recipe import find_scaled, same_bits
from trackway.replay.starts import Start, Starts, scenes
from trackway.replay.stretches import Stretches
from trackway.storage.archive.key_frames import keys_of
from trackway.storage.archive.part import ColumnPart, open_part
from trackway.storage.archive.precision import wanted_precision
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.archive.write import Gaps, write_columns
from trackway.storage.parts import part_header
from trackway.storage.places import PartFile, StreamFolder, attempts

# Of the exact part's size: one that is hardly smaller is not worth being simulated.
_WORTH: Final = 0.9


@dataclass(frozen=True)
class Converted:
    """What became of a part.

    Attributes:
        path: The part, as it is now.
        lines: In how many of its lines something is simulated when they are read.
        why: Why it is of the tier that it was; "" where it is of another now.
    """

    path: Path
    rows: int
    before_bytes: int
    after_bytes: int
    lines: int = 0
    why: str = ""


class _StaysExactError(Exception):
    """Simulating does not give what was recorded, or gains nothing."""


def settle(run: Path) -> Iterator[Converted]:
    """Turn the streams into this tier whose recorders were told so, once nobody records any more.

    It stops when somebody does again. Parts that were written a second time were tried, or somebody
    made them exact: they stay.

    Raises:
        StreamError: Another process works on the archive.
        OSError: The disk refused; what was not finished is as it was.
    """
    for attempt in attempts(run):
        for name, wanted in wanted_precision(attempt).items():
            stream = attempt.stream(name)
            if wanted == RESIM and stream.path.is_dir():
                yield from to_resim(
                    stream, lambda file: file.revision == 0 and not _is_recorded(run)
                )


def _is_recorded(run: Path) -> bool:
    return any(files.is_locked(attempt.lock) for attempt in attempts(run))


def to_resim(
    stream: StreamFolder, wanted: Callable[[PartFile], bool] = lambda _: True
) -> Iterator[Converted]:
    """Turn the exact parts of a stream into parts of the tier `resim`, one after the other.

    Whoever reads meanwhile, or after a kill at any instant, finds either the one or the other.

    Args:
        stream: Of columns.
        wanted: Which parts.

    Raises:
        StreamError: Another process works on the archive.
        OSError: The disk refused; what was not finished is as it was.
    """
    starts, told = Starts(stream.attempt), scenes(stream.attempt)
    for file in filter(wanted, _parts(stream)):
        try:
            yield _convert(stream, file, starts, told)
        except FormatError as error:
            yield _as_it_was(file, error)


def to_exact(stream: StreamFolder) -> Iterator[Converted]:
    """Simulate what parts of the tier `resim` do not hold, and keep it.

    A part of which that cannot be done here stays as it is.

    Raises:
        StreamError: Another process works on the archive.
        OSError: The disk refused; what was not finished is as it was.
    """
    for file in _parts(stream):
        try:
            with open_part(file.path) as part:
                header = part.header
            if header.tier == RESIM:
                before = file.path.stat().st_size
                path = rewrite(stream, file, anyway=True) or file.path
                yield Converted(path, header.rows, before, path.stat().st_size)
        except FormatError as error:
            yield _as_it_was(file, error)


def _as_it_was(file: PartFile, error: FormatError) -> Converted:
    size, header = file.path.stat().st_size, part_header(file.path)
    return Converted(file.path, header.rows if header else 0, size, size, why=str(error))


def _parts(stream: StreamFolder) -> Iterator[PartFile]:
    """The parts of a stream; while one is looked at, nobody else touches the archive."""
    for file in stream.parts():
        held = files.lock(stream.attempt.archive_lock)
        if held is None:
            raise StreamError(f"another process works on the archive of {stream.attempt.path}")
        try:
            files.remove_leftovers(stream.path, file.path.suffix)
            if file.path.exists():  # it may have been merged since
                yield file
        finally:
            held.release()


def _convert(
    stream: StreamFolder, file: PartFile, starts: Starts, told: Sequence[Mapping[str, Any]]
) -> Converted:
    path, before = file.path, file.path.stat().st_size
    with open_part(path) as part:
        header = part.header
        begun = starts.within(header.first_row, header.next_row)
        why = _refused(header)
        if isinstance(part, ColumnPart) and not why:
            try:
                if not told:
                    raise SceneError("no simulated model was recorded")
                path, lines = _write(stream, file, part, begun, told)
                return Converted(path, header.rows, before, path.stat().st_size, lines)
            except SceneError as error:
                why = str(error)
            except _StaysExactError as error:
                why = str(error)
                note = {"row": header.first_row, "note": NOT_RESIM, "why": why, **_place(header)}
                path = rewrite(stream, file, note=note, anyway=True) or path
    return Converted(path, header.rows, before, path.stat().st_size, why=why)


def _refused(header: PartHeader) -> str:
    """Why a part is not even tried; "" where it is."""
    if header.tier != EXACT:
        return f"it is of the tier {header.tier}"
    place = _place(header).items()
    tried = [n["why"] for n in header.notes if n["note"] == NOT_RESIM and place <= n.items()]
    return f"it was tried before: {tried[-1]}" if tried else ""


def _place(header: PartHeader) -> dict[str, int]:
    return {"first": header.first_row, "count": header.next_row - header.first_row}


def _write(
    stream: StreamFolder,
    file: PartFile,
    part: ColumnPart,
    begun: Mapping[int, Sequence[Start]],
    told: Sequence[Mapping[str, Any]],
) -> tuple[Path, int]:
    """Write the next revision, prove it, and let the exact part go; in how many lines it lacks something."""
    header, layout, rows = part.header, part.layout, part.rows
    columns = part.columns(layout.arrow.names[2:], slice(0, header.rows))
    stretches = Stretches(stream, layout, rows, columns, told)
    for env in range(header.num_envs):
        stretches.simulate(env, begun.get(env, []))
    if not stretches.simulated:
        raise _StaysExactError("no row came out of a simulation as it was recorded")
    scaled = find_scaled(layout, columns)
    missing = dict(stretches.missing)
    for name, given in scaled.items():
        missing[name] = same_bits(
            given.of(columns[given.column], columns[name].dtype), columns[name]
        )
    lines = int(np.logical_or.reduce(list(stretches.missing.values())).sum())
    resim = Resim(mujoco.__version__, told, stretches.inputs, lines, scaled, stretches.simulated)
    keys = keys_of(stretches.found, header.rows, header.num_envs * header.rows)
    path = stream.part(file.number, file.last, file.revision + 1)
    with files.building(path) as temporary:
        new = replace(header, tier=RESIM, resim=resim)
        write_columns(temporary, new, layout, rows, columns, Gaps(missing, keys))
        size, before = temporary.stat().st_size, file.path.stat().st_size
        if size > _WORTH * before:
            share = lines / (header.num_envs * header.rows)
            raise _StaysExactError(
                f"{share:.0%} of its lines came out of a simulation as they were recorded, and it "
                f"would take {size / before:.0%} of what it takes"
            )
        _prove(temporary, rows)
    files.remove(file.path)
    return path, lines


def _prove(path: Path, rows: Any) -> None:
    """Simulate a part again from what it holds, and compare with the digests of its segments."""
    with open_part(path) as part:
        wrong, damaged = part.wrong_fields()
        if wrong or damaged or not np.array_equal(part.rows, rows):
            raise _StaysExactError(f"read back it is not what was recorded: {[*wrong, *damaged]}")
