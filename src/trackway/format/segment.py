"""One file of a journal, as bytes: a header, then frames, at its end the seal.

    | header: magic, version, CRC, JSON (stream, schema, first row ...) |
    | frame: rows 0..19 | frame: rows 20..39 | frame: note | ...        |
    | frame: seal (JSON: rows, digest of every field)                   |

A frame holds some rows column by column: `[count, num_envs, *shape]` of the first field, then of
the second, without padding. (Row by row, writing costs 11 ns per environment step instead of 29 to
37; but digests and readers want a field's bytes in one piece, a digest takes ten times that
anyway, and a column is read a fifth faster.) A frame's header has a checksum of its own, so that a length is believed
only when it was meant, and that checksum begins with the checksum of the segment's header: a
frame that an older file left on the same disk block does not pass for one of this file.

Everything is little-endian. `docs/reference/journal-format.md` is the specification.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from trackway.errors import FormatError
from trackway.format.crc import crc32
from trackway.format.schema import Schema

Array = npt.NDArray[Any]

MAGIC: Final = b"\x89TWSEG\r\n"
VERSION: Final = 1
_BYTE_ORDER: Final = 0xFEFF
_HEADER: Final = struct.Struct("<8sHHI")
_CRC: Final = struct.Struct("<I")

FRAME_MAGIC: Final = b"TWFR"
_FRAME: Final = struct.Struct("<4sB3xQIQI")  # magic, kind, first row, count, size, CRC of payload
FRAME_BYTES: Final = _FRAME.size + _CRC.size

ROWS: Final = 1
NOTE: Final = 2
SEAL: Final = 3


@dataclass(frozen=True)
class SegmentHeader:
    """What a segment says of itself; `kind` tells whether rows are columns or pieces of JSON."""

    attempt: str
    stream: str
    number: int
    first_row: int
    num_envs: int
    schema: Schema
    kind: str = "columns"
    created_unix: float = 0.0
    previous: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        body = orjson.dumps(
            {
                "attempt": self.attempt,
                "stream": self.stream,
                "number": self.number,
                "first_row": self.first_row,
                "num_envs": self.num_envs,
                "kind": self.kind,
                "created_unix": self.created_unix,
                "schema": self.schema.to_json(),
                "previous": dict(self.previous),
            }
        )
        fixed = _HEADER.pack(MAGIC, VERSION, _BYTE_ORDER, len(body))
        return fixed + _CRC.pack(crc32(body, crc32(fixed))) + body


@dataclass(frozen=True)
class Opening:
    """A decoded header, where the frames begin, and the checksum they continue."""

    header: SegmentHeader
    size: int
    salt: int


@dataclass(frozen=True)
class Frame:
    """One whole frame; `payload` looks into the bytes it was read from."""

    kind: int
    first_row: int
    count: int
    payload: memoryview
    start: int
    end: int

    def json(self) -> dict[str, Any]:
        """What a note or a seal says."""
        told: dict[str, Any] = orjson.loads(self.payload)
        return told


@dataclass(frozen=True, slots=True)
class FrameHead:
    """The fixed beginning of a frame."""

    kind: int
    first_row: int
    count: int
    size: int
    payload_crc: int


@dataclass(frozen=True)
class Damage:
    """Bytes from `start` up to `end` in which no frame could be read."""

    start: int
    end: int


def open_segment(data: bytes | memoryview) -> Opening:
    """Read a segment's header.

    Raises:
        FormatError: This is no segment, a later Trackway wrote it, or the header is damaged.
    """
    begin = _HEADER.size + _CRC.size
    if len(data) < begin or data[: len(MAGIC)] != MAGIC:
        raise FormatError("this is no segment of a journal")
    _, version, byte_order, size = _HEADER.unpack_from(data)
    if byte_order == 0xFFFE:
        raise FormatError("this segment is big-endian; segments are little-endian on every machine")
    if version > VERSION:
        raise FormatError(f"this segment has version {version}: update Trackway to read it")
    (crc,) = _CRC.unpack_from(data, _HEADER.size)
    body = data[begin : begin + size]
    if len(body) < size or crc32(body, crc32(data[: _HEADER.size])) != crc:
        raise FormatError("the header of this segment is damaged")
    told = orjson.loads(body)
    header = SegmentHeader(
        attempt=told["attempt"],
        stream=told["stream"],
        number=told["number"],
        first_row=told["first_row"],
        num_envs=told["num_envs"],
        kind=told["kind"],
        created_unix=told["created_unix"],
        schema=Schema.from_json(told["schema"]),
        previous=told["previous"],
    )
    return Opening(header, begin + size, crc)


class RowsEncoder:
    """Makes frames of rows in memory of its own, which is used again for the next."""

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def encode(self, salt: int, first_row: int, count: int, columns: Sequence[Array]) -> memoryview:
        """A frame of `count` rows: the columns in the schema's order, each `[count, num_envs, ...]`.

        It is valid until the next call.
        """
        end = FRAME_BYTES + sum(column.nbytes for column in columns)
        if end > len(self._buffer):
            self._buffer = np.empty(end, np.uint8)
        frame, start = self._buffer[:end], FRAME_BYTES
        for column in columns:
            # The one copy of the bytes on their way from shared memory to the file.
            place = np.ndarray(column.shape, column.dtype, frame.data, start)
            place[...] = column
            start += column.nbytes
        payload = frame.data[FRAME_BYTES:]
        frame[:FRAME_BYTES] = np.frombuffer(_head(salt, ROWS, first_row, count, payload), np.uint8)
        return frame.data


def encode_rows(salt: int, first_row: int, count: int, columns: Sequence[Array]) -> bytes:
    """A frame of `count` rows: the columns in the schema's order, each `[count, num_envs, ...]`."""
    return bytes(RowsEncoder().encode(salt, first_row, count, columns))


def encode_note(salt: int, at_row: int, note: Mapping[str, Any]) -> bytes:
    """A frame that tells what befell the stream before row `at_row`: a gap, a wait, a limit."""
    return _frame(salt, NOTE, at_row, 0, orjson.dumps(dict(note)))


def encode_seal(salt: int, next_row: int, rows: int, digests: Mapping[str, str]) -> bytes:
    """The last frame: the segment is whole and ends before `next_row`."""
    return _frame(salt, SEAL, next_row, 0, orjson.dumps({"rows": rows, "digests": dict(digests)}))


def _frame(salt: int, kind: int, first_row: int, count: int, payload: bytes) -> bytes:
    return _head(salt, kind, first_row, count, payload) + payload


def _head(salt: int, kind: int, first_row: int, count: int, payload: bytes | memoryview) -> bytes:
    fixed = _FRAME.pack(FRAME_MAGIC, kind, first_row, count, len(payload), crc32(payload))
    return fixed + _CRC.pack(crc32(fixed, salt))


def read_frame_head(data: bytes | memoryview, start: int, salt: int) -> FrameHead | None:
    """What the frame that begins at `start` says of itself, or None where none begins there.

    Its payload has not been looked at: it may be torn or damaged.
    """
    if start + FRAME_BYTES > len(data):
        return None
    magic, kind, first_row, count, size, payload_crc = _FRAME.unpack_from(data, start)
    (crc,) = _CRC.unpack_from(data, start + _FRAME.size)
    if magic != FRAME_MAGIC or crc32(data[start : start + _FRAME.size], salt) != crc:
        return None
    return FrameHead(kind, first_row, count, size, payload_crc)


def read_frame(data: memoryview, start: int, salt: int) -> Frame | None:
    """The frame that begins at `start`, or None where no whole frame begins there."""
    head = read_frame_head(data, start, salt)
    begin = start + FRAME_BYTES
    if head is None or begin + head.size > len(data):
        return None
    payload = data[begin : begin + head.size]
    if crc32(payload) != head.payload_crc:
        return None
    return Frame(head.kind, head.first_row, head.count, payload, start, begin + head.size)


def frames(data: bytes | memoryview, start: int, salt: int) -> Iterator[Frame | Damage]:
    """Every frame from `start` on; bytes between frames, or after the last one, as `Damage`.

    Damage at the very end is a torn tail: what was being written when the power went. Damage
    before it is passed over, since the next frame can be told by its checksum.
    """
    data = bytes(data)
    view = memoryview(data)
    while start < len(view):
        frame = read_frame(view, start, salt)
        if frame is None:
            frame = _next_frame(data, start + 1, salt)
            yield Damage(start, len(view) if frame is None else frame.start)
            if frame is None:
                return
        yield frame
        start = frame.end


def _next_frame(data: bytes, start: int, salt: int) -> Frame | None:
    view = memoryview(data)
    found = data.find(FRAME_MAGIC, start)
    while found >= 0:
        frame = read_frame(view, found, salt)
        if frame is not None:
            return frame
        found = data.find(FRAME_MAGIC, found + 1)
    return None


def split(schema: Schema, num_envs: int, frame: Frame) -> dict[str, Array]:
    """The columns of a frame of rows, `[count, num_envs, *shape]` each, without a copy."""
    if len(frame.payload) != frame.count * schema.row_bytes(num_envs):
        raise FormatError("a frame does not have the size that its schema says")
    columns: dict[str, Array] = {}
    offset = 0
    for spec in schema:
        size = frame.count * num_envs * spec.value_bytes
        dtype = np.dtype(spec.dtype).newbyteorder("<")
        flat = np.frombuffer(frame.payload[offset : offset + size], dtype)
        columns[spec.name] = flat.reshape(frame.count, num_envs, *spec.shape)
        offset += size
    return columns


def begin_digest(previous: str) -> hashlib.blake2b:
    """The digest of a field, to be given its raw bytes, after that of the segment before (hexadecimal)."""
    return hashlib.blake2b(bytes.fromhex(previous), digest_size=16)


class Digests:
    """A running digest of each field's raw bytes, in row order.

    It does not depend on how rows were cut into frames. A segment's digests begin with those of
    the segment before it, so that the last ones stand for the whole stream: two runs recorded
    the same values of a field exactly when these agree.
    """

    def __init__(self, schema: Schema, num_envs: int, previous: Mapping[str, str]) -> None:
        self._sizes = [num_envs * spec.value_bytes for spec in schema]
        self._hashes = {spec.name: hashlib.blake2b(digest_size=16) for spec in schema}
        for name, value in self._hashes.items():
            value.update(bytes.fromhex(previous.get(name, "")))

    def update(self, payload: bytes | memoryview, count: int) -> None:
        """Take in the payload of a frame of `count` rows."""
        view, offset = memoryview(payload), 0
        for size, value in zip(self._sizes, self._hashes.values(), strict=True):
            value.update(view[offset : offset + count * size])
            offset += count * size

    def hex(self) -> dict[str, str]:
        return {name: value.hexdigest() for name, value in self._hashes.items()}
