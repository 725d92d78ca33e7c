"""What a part is made from: whole sealed segments and smaller parts, seen alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.errors import FormatError
from trackway.format.part import CompactedSegment, PartHeader
from trackway.format.segment import NOTE, split
from trackway.storage.archive.part import open_part
from trackway.storage.archive.plan import File
from trackway.storage.places import PartFile
from trackway.storage.segments import Segment, load

Array = npt.NDArray[Any]


@dataclass
class Source:
    """A file, what its part would say, and the numbers of its rows."""

    file: File
    header: PartHeader
    rows: npt.NDArray[np.int64]
    segment: Segment | None = None

    def joins(self, following: Source) -> bool:
        """Whether one part can hold both: the digests of one continue those of the other."""
        here, there = self.header, following.header
        return (
            following.file.number == self.file.last + 1
            and (there.schema, there.num_envs, there.kind)
            == (here.schema, here.num_envs, here.kind)
            and (there.tier, there.bounds) == (here.tier, here.bounds)
            and there.previous == here.digests
            and there.first_row >= here.next_row
        )

    def take(self) -> Iterator[dict[str, Array]]:
        """Its rows, some at a time, `[n, num_envs, *shape]` by field; only once.

        Raises:
            FormatError: It is not as it was.
        """
        names = [field.name for field in self.header.schema]
        if self.segment is None:
            with open_part(self.file.path) as part:
                for start, end in part.stripes():
                    yield dict(zip(names, part.values(names, slice(start, end)), strict=True))
            return
        for frame in self.segment.rows:
            yield split(self.header.schema, self.header.num_envs, frame)
        self.segment = None  # 64 MB of memory


def find_source(file: File) -> Source | None:
    """The source that a file is, or None: what is not whole stays for `verify` to name."""
    try:
        if isinstance(file, PartFile):
            with open_part(file.path) as part:
                return Source(file, part.header, part.rows)
        return _from_segment(file, load(file.path))
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


def _from_segment(file: File, segment: Segment) -> Source | None:
    header, seal = segment.header, segment.seal
    if segment.damage or seal is None:
        return None
    numbers = [np.arange(f.first_row, f.first_row + f.count) for f in segment.rows]
    rows = np.concatenate([np.empty(0, np.int64), *numbers])
    if len(rows) != seal["rows"] or (np.diff(rows) <= 0).any():
        return None
    compacted = CompactedSegment(
        number=header.number,
        first_row=header.first_row,
        next_row=segment.next_row,
        rows=len(rows),
        created_unix=header.created_unix,
        digests=seal["digests"],
    )
    notes = [{"row": f.first_row, **f.json()} for f in segment.frames if f.kind == NOTE]
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
    return Source(file, told, rows, segment)
