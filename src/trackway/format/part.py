"""What a part of the archive says of itself, and the checksums of its bytes.

    | PAR1 | column chunks … | checks | Parquet's footer, its size | PAR1 |

A part is a Parquet file that any engine opens. Two things are ours: the header, JSON under the
key `trackway` of the footer's metadata, and the checks, a block that other readers pass over:
the CRC of every column chunk and of the footer, since Parquet has none for its footer and the
headers of its pages. `docs/reference/archive-format.md` is the specification.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from trackway.errors import FormatError
from trackway.format.crc import crc32
from trackway.format.resim import Resim
from trackway.format.schema import Schema

KEY: Final = b"trackway"
FORMAT: Final = "trackway-part"
VERSION: Final = 2
MAGIC: Final = b"PAR1"
# More than most footers: the checks before them come with the first look.
END_BYTES: Final = 1 << 18
_CHECKS_MAGIC: Final = b"TWCK"
_TAIL: Final = struct.Struct("<I4s")  # size of the footer, PAR1
_FIXED: Final = struct.Struct("<II4s")  # CRC of the footer, count of chunks, TWCK
_CRC: Final = struct.Struct("<I")  # of the block before it
_CHUNK_BYTES: Final = 12  # a chunk's size and CRC
# A key and the type of its value, as Thrift's compact protocol writes strings in a footer.
_KEY_IN_FOOTER: Final = b"\x18" + bytes([len(KEY)]) + KEY + b"\x18"
# How much of what was recorded a part still holds: everything, what everything can be simulated from,
# values within bounds, some rows.
EXACT: Final = "exact"
RESIM: Final = "resim"
ANALYSIS: Final = "analysis"
SAMPLED: Final = "sampled"
# The note of rows that were to be simulated again, and stay exact.
NOT_RESIM: Final = "not resim"


@dataclass(frozen=True)
class CompactedSegment:
    """A segment whose rows are in a part; `digests` are those of its seal."""

    number: int
    first_row: int
    next_row: int
    rows: int
    created_unix: float
    digests: Mapping[str, str]


@dataclass(frozen=True)
class PartHeader:
    """What a part holds.

    Attributes:
        segments: The segments that became this part, without a number missing.
        previous: Digests before the first of them.
        notes: What befell the stream: the segments' notes, each with the `row` that it stands before.
        tier: `exact`, `resim` (values are simulated again), `analysis` (values within `bounds`) or
            `sampled` (some rows were let go).
        bounds: By field, how far a value may be from what was recorded.
        sampled_rows: How many rows are left where some were let go.
        resim: How values are made again that are not there; only of the tier `resim`.
    """

    attempt: str
    stream: str
    kind: str
    num_envs: int
    schema: Schema
    segments: Sequence[CompactedSegment]
    previous: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[Mapping[str, Any]] = ()
    tier: str = EXACT
    bounds: Mapping[str, float] = field(default_factory=dict)
    sampled_rows: int | None = None
    resim: Resim | None = None

    @property
    def rows(self) -> int:
        if self.sampled_rows is not None:
            return self.sampled_rows
        return sum(segment.rows for segment in self.segments)

    @property
    def first_row(self) -> int:
        return self.segments[0].first_row

    @property
    def next_row(self) -> int:
        return self.segments[-1].next_row

    @property
    def digests(self) -> Mapping[str, str]:
        """Of every field up to this part's end."""
        return self.segments[-1].digests

    def encode(self) -> bytes:
        again = {"resim": self.resim.to_json()} if self.resim else {}
        return orjson.dumps(
            {
                "format": FORMAT,
                # An earlier Trackway reads every part that needs no simulation.
                "version": 2 if again else 1,
                "attempt": self.attempt,
                "stream": self.stream,
                "kind": self.kind,
                "num_envs": self.num_envs,
                "first_row": self.first_row,
                "next_row": self.next_row,
                "rows": self.rows,
                "tier": self.tier,
                "bounds": dict(self.bounds),
                "sampled_rows": self.sampled_rows,
                "schema": self.schema.to_json(),
                "segments": [vars(segment) for segment in self.segments],
                "previous": dict(self.previous),
                "notes": list(self.notes),
                **again,
            }
        )

    @classmethod
    def decode(cls, data: bytes | None) -> PartHeader:
        """Read back what `encode` gave.

        Raises:
            FormatError: It is something else, or a later Trackway wrote it.
        """
        told = orjson.loads(data) if data else {}
        if told.get("format") != FORMAT:
            raise FormatError("this Parquet file is no part of a stream")
        if told["version"] > VERSION:
            raise FormatError(
                f"this part has version {told['version']}: update Trackway to read it"
            )
        names = CompactedSegment.__dataclass_fields__
        return cls(
            attempt=told["attempt"],
            stream=told["stream"],
            kind=told["kind"],
            num_envs=told["num_envs"],
            schema=Schema.from_json(told["schema"]),
            segments=[
                CompactedSegment(**{name: segment[name] for name in names})
                for segment in told["segments"]
            ],
            previous=told["previous"],
            notes=told["notes"],
            tier=told["tier"],
            bounds=told["bounds"],
            sampled_rows=told.get("sampled_rows"),
            resim=Resim.from_json(told["resim"]) if told.get("resim") else None,
        )


@dataclass(frozen=True)
class Checks:
    """Size and CRC of every column chunk, as they follow each other in the file."""

    sizes: tuple[int, ...]
    crcs: tuple[int, ...]

    def encode(self, footer: bytes) -> bytes:
        """The block that stands before this footer."""
        count = len(self.sizes)
        table = struct.pack(f"<{count}Q{count}I", *self.sizes, *self.crcs)
        fixed = _FIXED.pack(crc32(footer), count, _CHECKS_MAGIC)
        return table + fixed + _CRC.pack(crc32(fixed, crc32(table)))


def footer_size(end: bytes) -> int:
    """The size of a Parquet file's footer, from the file's last bytes.

    Raises:
        FormatError: No Parquet file ends so.
    """
    if len(end) < _TAIL.size or end[-len(MAGIC) :] != MAGIC:
        raise FormatError("its end is missing or damaged")
    size: int = _TAIL.unpack(end[-_TAIL.size :])[0]
    return size


def read_checks(data: bytes) -> Checks:
    """The checks of a part, and proof that its footer is whole.

    Args:
        data: The whole file, or a last part of it that holds the checks.

    Raises:
        FormatError: Footer or checks are not as they were written.
    """
    end = len(data) - _TAIL.size
    start = end - footer_size(data)
    fixed_start = start - _CRC.size - _FIXED.size
    if fixed_start < 0:
        raise FormatError("its end is missing or damaged")
    footer, count, magic = _FIXED.unpack_from(data, fixed_start)
    begin = fixed_start - count * _CHUNK_BYTES
    if magic != _CHECKS_MAGIC or begin < 0:
        raise FormatError("its checksums are missing or damaged")
    if crc32(data[begin : start - _CRC.size]) != _CRC.unpack_from(data, start - _CRC.size)[0]:
        raise FormatError("its checksums are damaged")
    if crc32(data[start:end]) != footer:
        raise FormatError("its footer is damaged")
    numbers = struct.unpack_from(f"<{count}Q{count}I", data, begin)
    return Checks(numbers[:count], numbers[count:])


def read_header(data: bytes) -> PartHeader:
    """The header of a part, told without a library for Parquet: that takes 40 MB and a third of a second.

    Args:
        data: The whole file, or a last part of it that holds checks and footer.

    Raises:
        FormatError: They are damaged, or this is no part.
    """
    read_checks(data)
    end = len(data) - _TAIL.size
    # The value holds no such byte, for it is JSON; whatever comes before it may.
    at = data.rfind(_KEY_IN_FOOTER, end - footer_size(data), end)
    if at < 0:
        raise FormatError("this Parquet file is no part of a stream")
    at += len(_KEY_IN_FOOTER)
    size, shift = 0, 0
    while data[at] & 0x80:
        size |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    size |= data[at] << shift
    return PartHeader.decode(data[at + 1 : at + 1 + size])
