"""JSON records as lines of a part: a record a line, not the pieces that a ring holds.

A record whose pieces lie in two segments, and so perhaps in two parts, is two fragments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trackway.errors import FormatError
from trackway.format.pieces import FIRST, LAST, PIECE_BYTES

Array = npt.NDArray[Any]

SCHEMA: Final = pa.schema(
    [
        pa.field("row", pa.int64(), False, {"description": "number of the record's first piece"}),
        pa.field("rows", pa.int32(), False, {"description": "pieces, one row of the stream each"}),
        pa.field("record", pa.string(), True, {"description": "JSON; null for a fragment"}),
        pa.field("flags", pa.uint8(), False, {"description": "1: its beginning, 2: its end"}),
        pa.field("fragment", pa.binary(), True, {"description": "what is here of a cut record"}),
    ]
)


def to_lines(rows: npt.NDArray[np.int64], pieces: Mapping[str, Array]) -> pa.Table:
    """Pieces of records, `[n, 1, …]` by field, as a table with a record a line."""
    lines = list(_lines(rows, pieces))
    return pa.Table.from_arrays(
        [pa.array([line[i] for line in lines], kind) for i, kind in enumerate(SCHEMA.types)],
        schema=SCHEMA,
    )


def _lines(
    rows: npt.NDArray[np.int64], pieces: Mapping[str, Array]
) -> Iterator[tuple[int, int, str | None, int, bytes | None]]:
    numbers = rows.tolist()
    flags = pieces["flags"][:, 0].tolist()
    sizes = pieces["size"][:, 0].tolist()
    data = pieces["data"][:, 0]
    start = 0
    for i, row in enumerate(numbers):
        following = numbers[i + 1] if i + 1 < len(numbers) else None
        if not flags[i] & LAST and following == row + 1 and not flags[i + 1] & FIRST:
            continue
        text = b"".join(data[j, : sizes[j]].tobytes() for j in range(start, i + 1))
        held = flags[start] & FIRST | flags[i] & LAST
        whole = held == FIRST | LAST
        yield (
            numbers[start],
            i + 1 - start,
            text.decode() if whole else None,
            held,
            None if whole else text,
        )
        start = i + 1


def to_pieces(table: pa.Table) -> tuple[npt.NDArray[np.int64], dict[str, Array]]:
    """What `to_lines` made it from: numbers of the rows, and their fields.

    Raises:
        FormatError: Text and number of pieces do not agree.
    """
    counts = np.array(table["rows"].to_pylist(), np.int64)
    total = int(counts.sum())
    rows = np.empty(total, np.int64)
    flags, sizes = np.zeros((total, 1), np.uint8), np.full((total, 1), PIECE_BYTES, np.uint16)
    data = np.zeros((total, 1, PIECE_BYTES), np.uint8)
    at = 0
    for line in table.to_pylist():
        text = line["fragment"] if line["record"] is None else line["record"].encode()
        count = line["rows"]
        end = at + count
        if -(-len(text) // PIECE_BYTES) != count:
            raise FormatError(f"record {line['row']} does not have {count} pieces")
        rows[at:end] = np.arange(line["row"], line["row"] + count)
        data[at:end].reshape(-1)[: len(text)] = np.frombuffer(text, np.uint8)
        sizes[end - 1] = len(text) - (count - 1) * PIECE_BYTES
        flags[at] |= line["flags"] & FIRST
        flags[end - 1] |= line["flags"] & LAST
        at = end
    return rows, {"flags": flags, "size": sizes, "data": data}
