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


class Joiner:
    """Puts pieces together again, over as many calls as they come in."""

    def __init__(self) -> None:
        self._text: bytearray | None = None
        self._first_row = 0
        self._next_row = 0

    def join(
        self, rows: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]
    ) -> list[dict[str, Any]]:
        """Records that these rows complete. What lacks an end, beside a gap, is dropped."""
        return [record for _, record in self.join_numbered(rows, columns)]

    def join_numbered(
        self, rows: npt.NDArray[np.int64], columns: Mapping[str, npt.NDArray[Any]]
    ) -> list[tuple[int, dict[str, Any]]]:
        """The same, each with the number of the row that holds its first piece."""
        done: list[tuple[int, dict[str, Any]]] = []
        flags, sizes = columns["flags"][:, 0].tolist(), columns["size"][:, 0].tolist()
        data = columns["data"].tobytes()
        for i, row in enumerate(rows.tolist()):
            if flags[i] & FIRST:
                self._text, self._first_row = bytearray(), row
            elif row != self._next_row:
                self._text = None
            self._next_row = row + 1
            if self._text is None:
                continue
            self._text += data[i * PIECE_BYTES : i * PIECE_BYTES + sizes[i]]
            if flags[i] & LAST:
                done.append((self._first_row, orjson.loads(self._text)))
                self._text = None
        return done
