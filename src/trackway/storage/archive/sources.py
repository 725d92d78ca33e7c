"""What a part is made from: whole sealed segments and smaller parts, seen alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.errors import FormatError
from trackway.format.part import RESIM, CompactedSegment, PartHeader
from trackway.format.segment import NOTE, ROWS, SEAL, split
from trackway.storage.archive.part import open_part
from trackway.storage.archive.plan import File
from trackway.storage.places import PartFile
from trackway.storage.segments import read_opening, walk

Array = npt.NDArray[Any]


@dataclass
class Source:
    """A file, what its part would say, and the numbers of its rows."""

    file: File
    header: PartHeader
    rows: npt.NDArray[np.int64]

    def joins(self, following: Source) -> bool:
        """Whether one part can hold both: the digests of one continue those of the other."""
        here, there = self.header, following.header
        return (
            following.file.number == self.file.last + 1
            and (there.schema, there.num_envs, there.kind)
            == (here.schema, here.num_envs, here.kind)
            and (there.tier, there.bounds) == (here.tier, here.bounds)
            and here.tier != RESIM
            and there.previous == here.digests
            and there.first_row >= here.next_row
        )

    def take(self) -> Iterator[dict[str, Array]]:
        """Its rows, some at a time, `[n, num_envs, *shape]` by field; valid until the next.

        Raises:
            FormatError: It is not as it was.
        """
        names = [field.name for field in self.header.schema]
        if isinstance(self.file, PartFile):
            with open_part(self.file.path) as part:
                for start, end in part.stripes():
                    yield dict(zip(names, part.values(names, slice(start, end)), strict=True))
            return
        with self.file.path.open("rb", buffering=0) as file:
            for frame in walk(file, read_opening(file)):
                if frame.kind == ROWS:
                    yield split(self.header.schema, self.header.num_envs, frame)


def find_source(file: File) -> Source | None:
    """The source that a file is, or None: what is not whole stays for `verify` to name."""
    try:
        if isinstance(file, PartFile):
            with open_part(file.path) as part:
                return Source(file, part.header, part.rows)
        return _from_segment(file)
    except (FormatError, FileNotFoundError):
        return None


def joined(sources: list[Source]) -> PartHeader:
    """What a part made of these says of itself."""
    first = sources[0].header
    return PartHeader(
        attempt=first.attempt,
        stream=first.stream,
        kind=first.kind,
        num_envs=first.num_envs,
        schema=first.schema,
        segments=[segment for source in sources for segment in source.header.segments],
        previous=first.previous,
        notes=[note for source in sources for note in source.header.notes],
        tier=first.tier,
        bounds=first.bounds,
        sampled_rows=sum(len(s.rows) for s in sources) if first.sampled_rows is not None else None,
    )


def _from_segment(file: File) -> Source | None:
    numbers, notes, seal = [np.empty(0, np.int64)], [], None
    with file.path.open("rb", buffering=0) as opened:
        opening = read_opening(opened)
        header = opening.header
        for frame in walk(opened, opening):
            if frame.kind == ROWS:
                numbers.append(np.arange(frame.first_row, frame.first_row + frame.count))
            elif frame.kind == NOTE:
                notes.append({"row": frame.first_row, **frame.json()})
            seal = (frame.first_row, frame.json()) if frame.kind == SEAL else None
    rows = np.concatenate(numbers)
    if seal is None or len(rows) != seal[1]["rows"] or (np.diff(rows) <= 0).any():
        return None
    compacted = CompactedSegment(
        number=header.number,
        first_row=header.first_row,
        next_row=seal[0],
        rows=len(rows),
        created_unix=header.created_unix,
        digests=seal[1]["digests"],
    )
    told = PartHeader(
        attempt=header.attempt,
        stream=header.stream,
        kind=header.kind,
        num_envs=header.num_envs,
        schema=header.schema,
        segments=[compacted],
        previous=header.previous,
        notes=notes,
    )
    return Source(file, told, rows)
