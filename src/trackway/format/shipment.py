"""A shipment, as bytes: what became of some files of a run, in order, in one immutable object.

    | magic, version, byte order, header's size, CRC | header: JSON | payload |

The header names the entries; the payload holds their bytes one after the other. An entry is one of
`file` (a whole file, which replaces what its path named), `append` (further bytes of a file that
grows) and `rename`. None removes: what a machine lets go to make room stays in the store. Bytes that are large lie in blobs of their own, which the entry
names by their digests. `docs/reference/store-layout.md` is the specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from trackway.errors import FormatError

MAGIC: Final = b"\x89TWSHIP\n"
VERSION: Final = 1
_FIXED: Final = struct.Struct("<8sHHI")
_CRC: Final = struct.Struct("<I")
_BYTE_ORDER: Final = 0xFEFF
# A header is read in one request, unless it is longer than this.
HEADER_GUESS: Final = 1 << 16


@dataclass(frozen=True)
class Entry:
    """What became of one file.

    Attributes:
        path: Relative to the run's folder, with slashes.
        kind: See the module.
        offset: Where an append begins.
        size: Bytes of the file, or of the append.
        sha256: Of these bytes.
        blobs: Digests of the blobs that hold them, in order; empty where the payload does.
        old: What a rename renames.
    """

    path: str
    kind: Literal["file", "append", "rename"]
    offset: int = 0
    size: int = 0
    sha256: str = ""
    blobs: tuple[str, ...] = ()
    old: str = ""

    @property
    def payload_bytes(self) -> int:
        return 0 if self.blobs else self.size


@dataclass(frozen=True)
class ShipmentHeader:
    """Who shipped what.

    Attributes:
        writer: Identity of the folder that is shipped.
        session: The process that shipped it.
        epoch: Who holds the run counts epochs; see `sync/lease.py`.
        lane: A sequence of shipments of its own.
        number: Its place in the lane, from 0 on without a gap.
    """

    writer: str
    session: str
    epoch: int
    lane: str
    number: int
    created_unix: float
    entries: tuple[Entry, ...] = field(default_factory=tuple)


def encode(header: ShipmentHeader, payload: Sequence[bytes | memoryview]) -> bytes:
    return b"".join([encode_header(header), *payload])


def encode_header(header: ShipmentHeader) -> bytes:
    """What stands before the payload."""
    body = orjson.dumps(header)
    fixed = _FIXED.pack(MAGIC, VERSION, _BYTE_ORDER, len(body))
    return fixed + _CRC.pack(zlib.crc32(body, zlib.crc32(fixed))) + body


def header_size(data: bytes) -> int:
    """How many bytes of a shipment its header takes, told by the first of them.

    Raises:
        FormatError: This is no shipment, or a later Trackway wrote it.
    """
    if len(data) < _FIXED.size or data[: len(MAGIC)] != MAGIC:
        raise FormatError("this is no shipment")
    _, version, byte_order, size = _FIXED.unpack_from(data)
    if byte_order != _BYTE_ORDER:
        raise FormatError("this shipment is not little-endian")
    if version > VERSION:
        raise FormatError(f"this shipment has version {version}: update Trackway to read it")
    return _FIXED.size + _CRC.size + int(size)


def decode_header(data: bytes) -> ShipmentHeader:
    """The header, from the beginning of a shipment.

    Raises:
        FormatError: This is no shipment, or its header is damaged.
    """
    end = header_size(data)
    body = data[_FIXED.size + _CRC.size : end]
    (crc,) = _CRC.unpack_from(data, _FIXED.size)
    if len(data) < end or zlib.crc32(body, zlib.crc32(data[: _FIXED.size])) != crc:
        raise FormatError("the header of this shipment is damaged")
    told: dict[str, Any] = orjson.loads(body)
    entries = tuple(Entry(**{**entry, "blobs": tuple(entry["blobs"])}) for entry in told["entries"])
    return ShipmentHeader(**{**told, "entries": entries})


def decode(data: bytes) -> tuple[ShipmentHeader, list[memoryview]]:
    """The header, and for every entry its bytes; none for those that lie in blobs.

    Raises:
        FormatError: The shipment is damaged or cut short.
    """
    header = decode_header(data)
    view, start, parts = memoryview(data), header_size(data), []
    for entry in header.entries:
        end = start + entry.payload_bytes
        parts.append(view[start:end])
        start = end
    if start != len(data):
        raise FormatError(f"this shipment has {len(data)} bytes; its header tells of {start}")
    return header, parts
