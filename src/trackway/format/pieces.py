"""Records of free form as rows: JSON cut into pieces that fit the slots of a ring.

{"event": "checkpoint", ...}  ->  | first, 240 bytes | 240 bytes | last, 17 bytes |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway.format.schema import Field, Schema

KIND: Final = "json"
PIECE_BYTES: Final = 240
FIRST: Final = 1
LAST: Final = 2

_HEAD: Final = struct.Struct("<BH")  # flags, size

SCHEMA: Final = Schema(
    Field("flags", "uint8", unit="1", description="1: first piece of a record, 2: its last"),
    Field("size", "uint16", unit="B", description="how much of `data` counts"),
    Field("data", "uint8", (PIECE_BYTES,), unit="1", description="a piece of JSON, UTF-8"),
)


def cut(record: Mapping[str, Any]) -> Iterator[tuple[int, bytes]]:
    """The pieces of a record: flags and bytes.

    Values that JSON does not have are written as text; NaN and infinities become null.
    """
    text = orjson.dumps(
        dict(record), default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    )
    for start in range(0, len(text), PIECE_BYTES):
        flags = FIRST * (start == 0) | LAST * (start + PIECE_BYTES >= len(text))
        yield flags, text[start : start + PIECE_BYTES]


def rows(record: Mapping[str, Any]) -> Iterator[bytes]:
    """The pieces of a record as rows of `SCHEMA`; beyond its piece `data` is zero.

    Digests are of what was recorded, not of what a slot of the ring held before.
    """
    for flags, piece in cut(record):
        yield _HEAD.pack(flags, len(piece)) + piece.ljust(PIECE_BYTES, b"\0")


_Array = npt.NDArray[Any]


class Joiner:
    """Puts pieces together again, over as many calls as they come in."""

    def __init__(self) -> None:
        # Of a record whose last piece is still to come.
        self._rest: tuple[_Array, ...] | None = None

    def join(
        self, rows: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]
    ) -> list[dict[str, Any]]:
        """Records that these rows complete. What lacks an end, beside a gap, is dropped."""
        return [record for _, record in self.join_numbered(rows, columns)]

    def join_numbered(
        self, rows: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]
    ) -> list[tuple[int, dict[str, Any]]]:
        """The same, each with the number of the row that holds its first piece."""
        given: tuple[_Array, ...] = (
            rows,
            *(columns[name][:, 0] for name in ("flags", "size", "data")),
        )
        if self._rest is not None:
            given = tuple(np.concatenate(both) for both in zip(self._rest, given, strict=True))
        rows, flags, sizes, data = given
        first, last = np.flatnonzero(flags & FIRST), np.flatnonzero(flags & LAST)
        self._rest = None
        if len(first) and (not len(last) or last[-1] < first[-1]):
            self._rest = tuple(part[first[-1] :].copy() for part in given)
        # The last piece of each, where no row between is lost and the next record begins after it.
        at = np.searchsorted(last, first)
        first, at = first[at < len(last)], at[at < len(last)]
        last = last[at]
        unbroken = rows[last] - rows[first] == last - first
        whole = unbroken & (last < np.append(first[1:], len(rows)))
        first, last = first[whole], last[whole]
        begins, ends = first * PIECE_BYTES, last * PIECE_BYTES + sizes[last]
        # `cut` fills all pieces but the last: then the text of a record lies in one stretch of memory.
        if (sizes[(flags & LAST) == 0] < PIECE_BYTES).any():
            data, begins, ends = _closed_up(data, sizes, first, last)
        text = memoryview(data.tobytes())
        return [
            (row, orjson.loads(text[begin:end]))
            for row, begin, end in zip(
                rows[first].tolist(), begins.tolist(), ends.tolist(), strict=True
            )
        ]


def _closed_up(data: _Array, sizes: _Array, first: _Array, last: _Array) -> tuple[_Array, ...]:
    """What counts of each piece, without gaps, and where in it records begin and end."""
    kept = np.arange(PIECE_BYTES) < sizes[:, None]
    edges = np.append(0, np.cumsum(sizes, dtype=np.int64))
    return data[kept], edges[first], edges[last + 1]
