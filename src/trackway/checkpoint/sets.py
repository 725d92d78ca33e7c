"""Sets: taken only where another process makes the same one, which is gone through in the same order, and stays so.

The order in which a set is gone through is that of its table: what its elements' hashes are, and which others were there
when each was added. Words have another hash in each process; and where something was removed, a mark stays in the
table, and what is added later goes elsewhere than in a set that was made of the same elements.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from trackway.checkpoint.containers import take_sequence
from trackway.checkpoint.graph import Capturing, Node, OpaqueError, Path

_WORD = ctypes.sizeof(ctypes.c_ssize_t)


def take_set(capture: Capturing, x: Any, path: Path) -> Node:
    if len(x) > 1 and not all(map(_has_one_hash, x)):
        raise OpaqueError(path, "is a set whose order is another one in another process")
    table = _table(x)
    if table is None or table != _table(type(x)(list(x))):
        raise OpaqueError(path, "is a set whose order cannot be made again")
    return take_sequence(capture, x, path)


def _has_one_hash(x: Any) -> bool:
    """Whether every process gives it the same hash."""
    if type(x) is tuple:
        return all(map(_has_one_hash, x))
    return type(x) in (int, bool) or isinstance(x, np.integer) or (type(x) is float and x == x)


def _table(x: Any) -> tuple[int, int, bytes] | None:
    """The table of a set as CPython lays it out (`PySetObject`): its marks, where `pop` looks next, and its slots."""
    start = id(x) + object.__basicsize__
    fill, used, mask, table, _, finger = (ctypes.c_ssize_t * 6).from_address(start)
    if used != len(x) or not used <= fill <= mask:
        return None  # another Python
    return fill, finger, ctypes.string_at(table, 2 * _WORD * (mask + 1))
