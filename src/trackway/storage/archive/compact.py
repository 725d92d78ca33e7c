"""Compaction: sealed segments, or small parts, become one part; then they go.

The part is written under a temporary name, read back, compared with the digests that its
segments were sealed with, published, and only then its sources are removed. Its name says which
segments it replaces: whoever finds both believes the part, so being killed at any instant loses
and doubles nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import FormatError, StreamError
from trackway.format import pieces
from trackway.format.part import EXACT, RESIM, PartHeader
from trackway.storage import ring
from trackway.storage.archive import plan, texts
from trackway.storage.archive.encoding import Encodings
from trackway.storage.archive.layout import Layout
from trackway.storage.archive.part import open_part
from trackway.storage.archive.plan import PART_BYTES, File
from trackway.storage.archive.precision import bounds_for, bounds_of, wanted_precision
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.archive.sources import Source, find_source, joined
from trackway.storage.archive.write import write_columns, write_table
from trackway.storage.places import AttemptFolder, PartFile, StreamFolder, attempts

Rows = npt.NDArray[np.int64]

_log = logging.getLogger(__name__)
_SUFFIX: Final = ".parquet"
_TEXT_ENCODINGS: Final = Encodings(encodings={"row": "DELTA_BINARY_PACKED"})


@dataclass(frozen=True)
class Made:
    """A part that was made."""

    path: Path
    rows: int
    before_bytes: int
    after_bytes: int


def compact_run(run: Path, *, least_bytes: int = 0) -> list[Made]:
    """Compact every attempt of a run; one that another process compacts just now is left out."""
    return [
        made
        for attempt in attempts(run)
        for made in compact_attempt(attempt, least_bytes=least_bytes)
    ]


def compact_attempt(
    attempt: AttemptFolder,
    *,
    least_bytes: int = 0,
    patience_s: float = 0.0,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Made]:
    """Compact the streams of an attempt; while it is recorded, only what fills parts.

    Args:
        attempt: Its folder.
        least_bytes: Leave streams alone that have less to compact.
        patience_s: How long to wait while another process compacts it.
        clock: Lets time pass.

    Returns:
        What was made; nothing where another process goes on compacting it.

    Raises:
        OSError: The disk refused; everything is as before.
    """
    made: list[Made] = []
    deadline_s = clock.monotonic_s() + patience_s
    while (held := files.lock(attempt.archive_lock)) is None:
        if clock.monotonic_s() >= deadline_s:
            return made
        clock.sleep_s(0.5)
    try:
        precision = wanted_precision(attempt)
        for stream in attempt.streams():
            files.remove_leftovers(stream.path, _SUFFIX)
            made += _compact_stream(stream, least_bytes)
            bounds = bounds_of(precision.get(stream.name, EXACT))
            if bounds is not None:
                _round(stream, bounds)
    finally:
        held.release()
    return made


def _compact_stream(stream: StreamFolder, least_bytes: int) -> list[Made]:
    source = ring.find_ring(stream.ring_pointer)
    if source is not None and source.spec.limits.any:
        return []  # its oldest segments go by themselves
    contents = stream.contents()
    for file in contents.superseded:
        files.remove(file.path)
    found = contents.files
    recording = stream.ring_pointer.exists()
    if recording:
        found = found[:-1]  # a writer goes on from there
    if not plan.waiting(found, least_bytes):
        return []
    made: list[Made] = []
    # Merging may leave enough of the next size to be merged.
    while todo := plan.jobs(found, everything=not recording, part_bytes=PART_BYTES):
        before = len(made)
        for group in todo:
            made += _make_parts(stream, group)
        if len(made) == before:
            break
        newest = found[-1].last
        found = [file for file in stream.contents().files if file.last <= newest]
    return made


def _round(stream: StreamFolder, bounds: Mapping[str, float]) -> None:
    for file in stream.parts():
        try:
            with open_part(file.path) as part:
                header = part.header
            if header.kind != pieces.KIND and header.tier != RESIM:
                rewrite(stream, file, bounds=bounds_for(header.schema, bounds))
        except (FormatError, StreamError) as error:
            _log.warning("%s stays exact: %s", file.path, error)


def _make_parts(stream: StreamFolder, group: Sequence[File]) -> list[Made]:
    """Make one part of a group, or several where something keeps its files apart."""
    made: list[Made] = []
    sources: list[Source] = []
    for file in group:
        source = find_source(file)
        if sources and (source is None or not sources[-1].joins(source)):
            made += _make_part(stream, sources)
            sources = []
        if source is not None:
            sources.append(source)
    return made + _make_part(stream, sources)


def _make_part(stream: StreamFolder, sources: list[Source]) -> list[Made]:
    """Write a part, prove and publish it, and remove what it replaces."""
    if not sources or (len(sources) == 1 and isinstance(sources[0].file, PartFile)):
        return []
    header = joined(sources)
    rows = np.concatenate([source.rows for source in sources])
    if not len(rows):
        return []
    # A name without a revision promises everything that was recorded.
    revision = max(s.file.revision if isinstance(s.file, PartFile) else 0 for s in sources)
    path = stream.part(sources[0].file.number, sources[-1].file.last, revision)
    try:
        with files.building(path) as temporary:
            if header.kind == pieces.KIND:
                _write_texts(temporary, header, rows, sources)
            else:
                _write_columns(temporary, header, rows, sources)
            _prove(temporary, rows)
    except (FormatError, FileNotFoundError) as error:
        # The journal stays as it is; `trackway verify` looks at every byte of it.
        _log.warning("%s is not compacted: %s", stream.path, error)
        return []
    before = sum(source.file.path.stat().st_size for source in sources)
    for source in sources:
        files.remove(source.file.path)
    return [Made(path, header.rows, before, path.stat().st_size)]


def _write_columns(path: Path, header: PartHeader, rows: Rows, sources: list[Source]) -> None:
    layout, at = Layout(header.schema), 0
    columns = layout.empty(header.num_envs, len(rows))
    for source in sources:
        for block in source.take():
            for field, values in block.items():
                layout.put(field, values, columns, at)
            at += len(values)
    write_columns(path, header, layout, rows, columns)
    if header.tier == EXACT:
        return  # its digests prove it
    with open_part(path) as part:
        for field, names in layout.names.items():
            (found,) = part.values([field], slice(0, len(rows)))
            given = layout.values(field, {name: columns[name] for name in names})
            if found.tobytes() != given.tobytes():
                raise FormatError(f"what was read back of {field} is not what was merged")


def _write_texts(path: Path, header: PartHeader, rows: Rows, sources: list[Source]) -> None:
    blocks = [
        {name: values.copy() for name, values in block.items()}
        for source in sources
        for block in source.take()
    ]
    found = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    write_table(path, header, texts.to_lines(rows, found), _TEXT_ENCODINGS)


def _prove(path: Path, rows: Rows) -> None:
    """Read a part back.

    Raises:
        FormatError: It does not hold what was recorded.
    """
    with open_part(path) as part:
        wrong, damaged = part.wrong_fields()
        if wrong or damaged:
            raise FormatError(f"what was read back is not what was recorded: {[*wrong, *damaged]}")
        if not np.array_equal(part.rows, rows):
            raise FormatError("the numbers of the rows read back are not those that were recorded")
