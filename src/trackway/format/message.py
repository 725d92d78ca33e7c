"""How the trainer speaks to its writer process: one dict of plain values and arrays, as bytes.

Both ends are the same interpreter and the same release, so `marshal` will do: it takes the
buffers of arrays as they are, which makes encoding the only copy on the training thread.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from typing import Any

import numpy as np

from trackway.format.columns import Columns
from trackway.format.jsonable import jsonable

Message = dict[str, Any]
_NUMBERS = frozenset("?bBhHiIlLqQefd")


def encode(message: Mapping[str, Any], columns: Columns | None = None) -> bytes:
    """Copy a message into bytes.

    Args:
        message: Plain values, as `jsonable` returns them; `bytes` are allowed.
        columns: Arrays with leading dimension num_envs, or lists of that length.
    """
    packed = [_pack(path, column) for path, column in (columns or {}).items()]
    return marshal.dumps((dict(message), packed))


def decode(data: bytes) -> tuple[Message, dict[str, Any]]:
    """The message and its columns."""
    message, packed = marshal.loads(data)
    return message, {path: _unpack(*rest) for path, *rest in packed}


def _pack(path: str, column: Any) -> tuple[Any, ...]:
    if type(column) is np.ndarray:
        dtype = column.dtype
        if dtype.isnative and dtype.char in _NUMBERS:
            return (path, dtype.char, column.shape, column.tobytes())
    return (path, None, None, jsonable(column))


def _unpack(dtype: str | None, shape: tuple[int, ...] | None, data: Any) -> Any:
    if dtype is None or shape is None:
        return data
    return np.frombuffer(data, dtype).reshape(shape)
