"""What is learned once of a part, which never changes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pyarrow.parquet as pq

from trackway.format.part import KEY, PartHeader
from trackway.storage.archive.checked import CheckedFile
from trackway.storage.archive.layout import Layout


@dataclass(frozen=True)
class Known:
    """A part's description.

    Attributes:
        chunks: By offset, size and CRC of every column chunk.
        edges: Where each row group begins, and the last one ends.
    """

    chunks: dict[int, tuple[int, int]]
    metadata: pq.FileMetaData
    header: PartHeader
    layout: Layout
    edges: list[int]


def look(file: CheckedFile) -> Known:
    """Prove a part's footer, and read it.

    Raises:
        FormatError: It is damaged, or no part.
    """
    file.read_checks()
    metadata = pq.read_metadata(file)
    header = PartHeader.decode((metadata.metadata or {}).get(KEY))
    counts = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    edges = [0, *itertools.accumulate(counts)]
    return Known(file.chunks, metadata, header, Layout(header.schema), edges)
