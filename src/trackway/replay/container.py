"""A JSON header and the arrays it speaks of, in one piece: what a scene and an episode travel in.

    4 bytes magic | uint16 version | uint16 zero | uint32 size of the header | header, padded to 4 | data

Little-endian. An array is told in the header as `{"at": offset in the data, "dtype": …, "shape": […]}`.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from trackway.errors import FormatError

_FIXED: Final = struct.Struct("<4sHHI")


class Packer:
    """Collects what follows the header."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, data: bytes) -> int:
        """Keep bytes; where they begin."""
        at = self._size
        padded = data + bytes(-len(data) % 4)
        self._parts.append(padded)
        self._size += len(padded)
        return at

    def array(self, values: NDArray[Any]) -> dict[str, Any]:
        """Keep an array; how the header tells of it."""
        values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        at = self.add(values.tobytes())
        return {"at": at, "dtype": values.dtype.name, "shape": list(values.shape)}

    def pack(self, magic: bytes, version: int, header: dict[str, Any]) -> bytes:
        """Header and data in one piece."""
        body = orjson.dumps(header, option=orjson.OPT_SERIALIZE_NUMPY)
        body += b" " * (-len(body) % 4)
        return b"".join([_FIXED.pack(magic, version, 0, len(body)), body, *self._parts])


def unpack(data: bytes, magic: bytes, version: int) -> tuple[dict[str, Any], memoryview]:
    """Header and data.

    Raises:
        FormatError: It is something else, or of a later version.
    """
    if len(data) < _FIXED.size or data[:4] != magic:
        raise FormatError(f"this does not begin with {magic.decode()}")
    _, found, _, size = _FIXED.unpack_from(data)
    if found > version:
        raise FormatError(f"this is of version {found}: update Trackway to read it")
    start = _FIXED.size + size
    if len(data) < start:
        raise FormatError("its header is cut short")
    return orjson.loads(data[_FIXED.size : start]), memoryview(data)[start:]
