"""Iterators of Python's own, as `itertools.cycle(levels)`: what they go through and how far they are; and put back."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

import numpy as np

from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)

_DEQUE: type = type(iter(deque[Any]()))
_THEMSELVES: tuple[type, ...] = (
    *(enumerate, filter, map, reversed, zip, _DEQUE),
    *(itertools.accumulate, itertools.chain, itertools.count, itertools.cycle),
    *(itertools.islice, itertools.repeat),
)
_OF_CONTAINERS: tuple[Any, ...] = (
    *([], (), {}, {}.values(), {}.items(), set(), range(0), range(1 << 70), "", "é", b""),
    *(bytearray(), reversed(()), np.empty(0)),
)
KINDS: tuple[type, ...] = (
    *_THEMSELVES,
    *{type(iter(container)) for container in _OF_CONTAINERS} - set(_THEMSELVES),
    type(reversed([])),
)
# What makes one; a file names no other.
_MAKERS: dict[str, Any] = {"iter": iter} | {kind.__name__: kind for kind in _THEMSELVES}


def take_iterator(capture: Capturing, x: Any, path: Path) -> Node:
    try:
        maker, arguments, *state = x.__reduce__()
    except TypeError:  # itertools' no longer tell it from Python 3.14 on
        raise OpaqueError(
            path, f"is a {type(x).__name__}, whose state is hidden", type(x)
        ) from None
    parts = [capture.value(part, path) for part in arguments]
    return {"k": "iterator", "f": maker.__name__, "v": parts, "s": capture.value(state, path)}


def make_iterator(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    if (maker := _MAKERS.get(node["f"])) is None:
        raise DoesNotFitError(f"{path} is made by {node['f']}, which this Trackway does not know")
    made = maker(*rebuild.values(node["v"], NOTHING, path))
    for state in rebuild.value(node["s"], NOTHING, path):
        made.__setstate__(state)
    return made
