"""How the trainer speaks to its writer process: one dict of plain values and arrays, as bytes.

Both ends are the same interpreter and the same release, so `marshal` will do: it takes the
buffers of arrays as they are, which makes encoding the only copy on the training thread.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from trackway.format.columns import Columns
from trackway.format.jsonable import jsonable

Message = dict[str, Any]
_LENGTH_BYTES = 8
# The last version that does not look whether an object came before: records are trees, and to look
# takes longer than to write, on both sides.
_VERSION = 2
_NUMBERS = frozenset("?bBhHiIlLqQefd")


def encode(seq: int, message: Mapping[str, Any], columns: Columns | None = None) -> bytes:
    """Copy a message into bytes.

    Args:
        seq: Its number.
        message: Plain values, as `jsonable` returns them; `bytes` are allowed.
        columns: Arrays with leading dimension num_envs, or lists of that length.
    """
    packed = [_pack(path, column) for path, column in columns.items()] if columns else []
    return marshal.dumps((seq, dict(message), packed), _VERSION)


def decode(data: bytes) -> tuple[int, Message, dict[str, Any]]:
    """The message's number, the message, and its columns."""
    seq, message, packed = marshal.loads(data)
    return seq, message, {path: _unpack(*rest) for path, *rest in packed}


def bundle(messages: Iterable[bytes]) -> bytes:
    """Encoded messages, one behind the other, to be sent at once."""
    return b"".join(
        part for data in messages for part in (len(data).to_bytes(_LENGTH_BYTES, "little"), data)
    )


def unbundle(data: bytes) -> Iterator[bytes]:
    """The messages of a bundle."""
    start = 0
    while start < len(data):
        begin = start + _LENGTH_BYTES
        start = begin + int.from_bytes(data[start:begin], "little")
        yield data[begin:start]


def _pack(path: str, column: Any) -> tuple[Any, ...]:
    if type(column) is np.ndarray:
        kind = column.dtype.char
        if kind in _NUMBERS and column.dtype.isnative:
            # The buffer itself where it lies in one piece: marshal then makes the only copy.
            whole = column.flags.c_contiguous
            return (path, kind, column.shape, column if whole else column.tobytes())
    return (path, None, None, jsonable(column))


def _unpack(dtype: str | None, shape: tuple[int, ...] | None, data: Any) -> Any:
    if dtype is None or shape is None:
        return data
    return np.frombuffer(data, dtype).reshape(shape)
