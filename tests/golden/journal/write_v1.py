"""Wrote `v1.seg`, once. The file stays as it is; a new version of the format gets a new file."""

import sys

import numpy as np

from trackway.format.schema import DTYPES, Field, Schema
from trackway.format.segment import (
    Digests,
    SegmentHeader,
    encode_note,
    encode_rows,
    encode_seal,
    open_segment,
)

SCHEMA = Schema(
    *(Field(f"a.{dtype}", dtype, (2,), unit="m", description="every dtype") for dtype in DTYPES),
    Field("이름", "float64", unit="rad", description="a name beyond ASCII, and a number's shape"),
)


def columns(first: int, count: int) -> list[np.ndarray]:
    made = []
    for field in SCHEMA:
        values = np.arange(first * 6, (first + count) * 6, dtype=np.float64)[: count * 3 * 2]
        if not field.shape:
            values = values[: count * 3]
        if field.dtype.startswith("float"):
            values = values / 3
            values[0], values[-1] = np.nan, -np.inf
        made.append(values.astype(field.dtype).reshape(count, 3, *field.shape))
    return made


def golden() -> bytes:
    head = SegmentHeader(
        "001-abcdef", "steps", 4, 100, 3, SCHEMA,
        created_unix=1735700000.5, previous={"a.bool": "00" * 16},
    )  # fmt: skip
    data = head.encode()
    salt = open_segment(data).salt
    digests = Digests(SCHEMA, 3, head.previous)
    first = 100
    for count in (1, 4):
        rows = columns(first, count)
        digests.update(b"".join(column.tobytes() for column in rows), count)
        data += encode_rows(salt, first, count, rows)
        first += count
    data += encode_note(salt, first, {"note": "gap", "first": 105, "count": 2, "reason": "ENOSPC"})
    return data + encode_seal(salt, first + 2, 5, digests.hex())


if __name__ == "__main__":
    sys.stdout.buffer.write(golden())
