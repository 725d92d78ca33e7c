"""A part written anew with less in it: values rounded, rows left out. What is given up is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway import files
from trackway.errors import FormatError
from trackway.format.part import ANALYSIS, EXACT, SAMPLED, PartHeader
from trackway.storage.archive.layout import Columns
from trackway.storage.archive.part import ColumnPart, open_part
from trackway.storage.archive.precision import rounded, within
from trackway.storage.archive.write import write_columns
from trackway.storage.places import PartFile, StreamFolder

Places = npt.NDArray[np.int64]


def rewrite(
    stream: StreamFolder,
    file: PartFile,
    *,
    bounds: Mapping[str, float] | None = None,
    places: Places | None = None,
    note: Mapping[str, Any] | None = None,
    anyway: bool = False,
) -> Path | None:
    """Write a part's next revision, read it back, compare every value, and let the old one go.

    Whoever calls it holds the attempt's archive lock.

    Args:
        stream: Its stream.
        file: The part.
        bounds: By field, how far a value may be from what it is.
        places: Which rows stay; all where not given.
        note: What the journal's notes should say of it.
        anyway: Write it also where nothing is given up, with every value in it that was simulated again.

    Returns:
        The new file, or None where nothing would be given up.

    Raises:
        FormatError: The part is damaged, or what was written was not what was meant.
        OSError: The disk refused. The part is as it was.
    """
    with open_part(file.path) as part:
        header = part.header
        if not isinstance(part, ColumnPart):
            raise FormatError(f"{file.path} holds records: they are kept as they are")
        new = {f: b for f, b in (bounds or {}).items() if b > header.bounds.get(f, 0.0)}
        if not anyway and not new and (places is None or len(places) == header.rows):
            return None
        rows, columns = part.rows, part.columns(part.layout.arrow.names[2:], slice(0, header.rows))
        layout = part.layout
    if places is not None:
        rows, columns = rows[places], {name: c[:, places] for name, c in columns.items()}
    bound_of = {name: new[f] for f, names in layout.names.items() if f in new for name in names}
    written = {n: rounded(c, bound_of[n]) if n in bound_of else c for n, c in columns.items()}
    told = _header(header, new, None if places is None else len(rows), note)
    path = stream.part(file.number, file.last, file.revision + 1)
    with files.building(path) as temporary:
        write_columns(temporary, told, layout, rows, written)
        with open_part(temporary) as part:
            _prove(part, rows, columns, bound_of)
            if told.tier == EXACT and any(part.wrong_fields()):
                raise FormatError(f"what was read back of {path} is not what was recorded")
    files.remove(file.path)
    return path


def _header(
    header: PartHeader,
    bounds: Mapping[str, float],
    sampled_rows: int | None,
    note: Mapping[str, Any] | None,
) -> PartHeader:
    if sampled_rows is None:
        sampled_rows = header.sampled_rows
    # Rounded twice, both errors may add up.
    total = {**header.bounds, **{f: b + header.bounds.get(f, 0.0) for f, b in bounds.items()}}
    tier = SAMPLED if sampled_rows is not None else ANALYSIS if total else EXACT
    notes = [*header.notes, *([note] if note else [])]
    return replace(
        header, bounds=total, sampled_rows=sampled_rows, tier=tier, notes=notes, resim=None
    )


def _prove(
    part: ColumnPart | Any, rows: Places, columns: Columns, bounds: Mapping[str, float]
) -> None:
    if not np.array_equal(part.rows, rows):
        raise FormatError("the numbers of the rows read back are not those that were to stay")
    for name, column in columns.items():
        found = part.columns([name], slice(0, len(rows)))[name]
        near = (
            within(column, found, bounds[name]).all()
            if name in bounds
            else found.tobytes() == np.ascontiguousarray(column).tobytes()
        )
        if not near:
            raise FormatError(f"what was read back of column {name!r} is not what was meant")
