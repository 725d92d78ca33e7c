"""Sequences, mappings, bytes and other plain things: taken apart, and put back."""

from __future__ import annotations

import collections
import contextlib
import enum
import math
import pathlib
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from trackway.checkpoint.functions import code_name, found
from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    Path,
    Rebuilding,
)

AS_IT_IS = frozenset({type(None), bool, int, str})
_PLAIN = AS_IT_IS | {float}
_MANY = 16


def take_sequence(capture: Capturing, x: Any, path: Path) -> Node:
    if len(x) >= _MANY and type(next(iter(x))) is dict and (rows := _take_rows(capture, x)):
        return {"k": type(x).__name__, "rows": rows}
    value, kinds = capture.value, set(map(type, x))
    # Most items are plain values: it pays not to call for them.
    if kinds <= AS_IT_IS or (kinds == {float} and math.isfinite(sum(x))):
        return {"k": type(x).__name__, "v": list(x)}
    items = [v if type(v) in AS_IT_IS else value(v, (path, "[{}]", i)) for i, v in enumerate(x)]
    return {"k": type(x).__name__, "v": items}


def _take_rows(capture: Capturing, x: Any) -> tuple[int, tuple[str, ...], list[Any]] | None:
    """Dicts of equal keys and plain values, as the infos of episodes are (`packed`); None if not so.

    All of it in calls that loop below Python: the training waits.
    """
    if set(map(type, x)) != {dict}:
        return None
    keys, each = list(chain.from_iterable(x)), tuple(next(iter(x)))
    if keys != list(each) * len(x) or set(map(type, keys)) != {str}:
        return None
    values = list(chain.from_iterable(map(dict.values, x)))
    if not _PLAIN.issuperset(map(type, values)) or (first := capture.number_all(x)) is None:
        return None
    return first, each, values


def take_namedtuple(capture: Capturing, x: Any, path: Path) -> Node:
    names = type(x)._fields
    items = [capture.value(v, (path, ".{}", f)) for f, v in zip(names, x, strict=True)]
    return {"k": "namedtuple", "c": code_name(type(x), path), "v": items}


def take_deque(capture: Capturing, x: Any, path: Path) -> Node:
    return {**take_sequence(capture, x, path), "max": x.maxlen}


def make_sequence(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    kind = node["k"]
    if kind == "list":
        made: Any = []
        rebuild.made[number] = made
        made += rebuild.values(node["v"], fresh, path)
        return made
    if kind == "deque":
        made = collections.deque(maxlen=node["max"])
        rebuild.made[number] = made
        old = list(fresh) if isinstance(fresh, collections.deque) else ()
        made.extend(rebuild.values(node["v"], old, path))
        return made
    if kind == "namedtuple":
        kind = found(node["c"], type(fresh), path)
        return tuple.__new__(kind, rebuild.values(node["v"], fresh, path))
    return _SEQUENCES[kind](rebuild.values(node["v"], fresh, path))


def take_mapping(capture: Capturing, x: Any, path: Path) -> Node:
    value = capture.value
    pairs = [
        [
            k if type(k) in AS_IT_IS else value(k, path),
            v if type(v) in AS_IT_IS else value(v, (path, "[{!r:.40}]", k)),
        ]
        for k, v in x.items()
    ]
    content = {"k": type(x).__name__, "v": pairs}
    if type(x) is collections.defaultdict:
        content["default"] = value(x.default_factory, path)
    return content


def make_mapping(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    made: Any = MAPPINGS[node["k"]]()
    rebuild.made[number] = made
    if "default" in node:
        old = fresh.default_factory if isinstance(fresh, collections.defaultdict) else NOTHING
        made.default_factory = rebuild.value(node["default"], old, path)
    parts = fresh if isinstance(fresh, dict) else {}
    for key_value, value in node["v"]:
        key = rebuild.value(key_value, NOTHING, path)
        made[key] = rebuild.value(value, parts.get(key, NOTHING), f"{path}[{key!r:.40}]")
    return made


def take_bytes(capture: Capturing, x: Any, path: Path) -> Node:
    return {"k": type(x).__name__, "a": capture.keep(np.frombuffer(bytes(x), np.uint8))}


def make_bytes(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    content = rebuild.arrays[node["a"]].tobytes()
    return content if node["k"] == "bytes" else bytearray(content)


def take_steps(capture: Capturing, x: Any, path: Path) -> Node:
    return {"k": "plain", "t": type(x).__name__, "v": [x.start, x.stop, x.step]}


def make_plain(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    if node["t"] == "dtype":
        return np.dtype(node["v"])
    return (range if node["t"] == "range" else slice)(*node["v"])


def is_member(x: Any) -> bool:
    """Whether it is one of an enum of C++, such as MuJoCo's."""
    members = getattr(type(x), "__members__", None)
    return isinstance(members, dict) and getattr(x, "name", None) in members


def take_member(x: Any, path: Path) -> dict[str, Any]:
    kind: Any = type(x)
    # Flags together are a member by their bits alone.
    return {"e": code_name(kind, path), "v": x.name if x.name in kind.__members__ else x.value}


def make_member(value: dict[str, Any], fresh: Any, path: str) -> Any:
    kind, member = found(value["e"], type(fresh), path), value["v"]
    members = getattr(kind, "__members__", {})
    if member in members:
        return members[member]
    if isinstance(kind, enum.EnumType) and issubclass(kind, enum.Flag) and type(member) is int:
        with contextlib.suppress(ValueError):
            return kind(member)
    raise DoesNotFitError(f"{path} was {member} of {value['e']}, which this program does not have")


def make_path(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    return pathlib.Path(node["v"])


_SEQUENCES: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
MAPPINGS: dict[str, Callable[[], Any]] = {
    "dict": dict,
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
    "defaultdict": collections.defaultdict,
}
