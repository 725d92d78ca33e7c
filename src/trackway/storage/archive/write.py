"""Writing a part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from trackway.errors import FormatError
from trackway.format.crc import crc32
from trackway.format.part import KEY, MAGIC, Checks, PartHeader
from trackway.storage.archive.encoding import LEVEL, ROUNDED_LEVEL, Encodings, choose, row_groups
from trackway.storage.archive.layout import Array, Layout

_TABLE_ROWS: Final = 512


@dataclass(frozen=True)
class Gaps:
    """What a part does without.

    Attributes:
        missing: By column, `[num_envs, rows]`, where values are left out.
        keys: Columns of what they are made again from, a line for every line of the part.
    """

    missing: Mapping[str, Array] = field(default_factory=dict)
    keys: pa.Table = field(default_factory=lambda: pa.table({}))


def write_columns(
    path: Path,
    header: PartHeader,
    layout: Layout,
    rows: npt.NDArray[np.int64],
    columns: Mapping[str, Array],
    gaps: Gaps | None = None,
) -> None:
    """Write rows, in columns `[num_envs, rows, …]`, as a part; syncing is the caller's."""
    gaps = gaps or Gaps()
    arrow = pa.schema([*layout.with_gaps(gaps.missing), *gaps.keys.schema])
    order = pq.SortingColumn.from_ordering(arrow, [("env", "ascending"), ("row", "ascending")])
    encodings = choose(layout.arrow, columns)
    lists = [told.name for told in gaps.keys.schema if pa.types.is_list(told.type)]
    encodings.encodings |= {f"{name}.list.element": "BYTE_STREAM_SPLIT" for name in lists}
    level = ROUNDED_LEVEL if header.bounds else LEVEL
    with _writer(path, arrow, encodings, order, level) as writer:
        for chosen in row_groups(header.num_envs * len(rows), header.schema.row_bytes(1)):
            table = layout.lines(rows, columns, chosen, gaps.missing)
            for told in gaps.keys.schema:
                keys = gaps.keys[told.name].slice(chosen.start, len(table))
                table = table.append_column(told, keys)
            writer.write_table(table, 1 << 30)
        writer.add_key_value_metadata({KEY: header.encode()})
    add_checks(path)


def write_table(path: Path, header: PartHeader, table: pa.Table, encodings: Encodings) -> None:
    """Write a table as a part, in row groups of so many lines that one is read in a millisecond or two."""
    order = pq.SortingColumn.from_ordering(table.schema, [("row", "ascending")])
    with _writer(path, table.schema, encodings, order) as writer:
        writer.write_table(table, _TABLE_ROWS)
        writer.add_key_value_metadata({KEY: header.encode()})
    add_checks(path)


def _writer(
    path: Path,
    schema: pa.Schema,
    encodings: Encodings,
    order: tuple[pq.SortingColumn, ...],
    level: int = LEVEL,
) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=level,
        use_dictionary=encodings.dictionaries,
        column_encoding=encodings.encodings,
        data_page_version="2.0",
        data_page_size=64 << 20,  # a chunk is one page: byte planes stay together
        max_rows_per_page=1 << 30,
        write_batch_size=1 << 20,
        sorting_columns=order,
    )


def add_checks(path: Path) -> None:
    """Put the checksums of a Parquet file's chunks and footer before its footer.

    Readers find the footer from the file's end, everything else by offsets from its beginning.
    """
    metadata = pq.read_metadata(path)
    sizes, crcs = [], []
    with path.open("r+b") as file:
        place = file.seek(len(MAGIC))
        for start, size in _chunks(metadata):
            if start != place:
                raise FormatError(f"{path}: column chunks do not follow each other")
            crcs.append(crc32(file.read(size)))
            sizes.append(size)
            place += size
        end = file.read()
        file.seek(place)
        file.write(Checks(tuple(sizes), tuple(crcs)).encode(end[:-8]) + end)


def _chunks(metadata: pq.FileMetaData) -> Iterator[tuple[int, int]]:
    """Offset and size of every column chunk, row group by row group."""
    for group in range(metadata.num_row_groups):
        told = metadata.row_group(group)
        for i in range(metadata.num_columns):
            column = told.column(i)
            places = [column.data_page_offset]
            if column.dictionary_page_offset is not None:
                places.append(column.dictionary_page_offset)
            yield min(places), column.total_compressed_size
