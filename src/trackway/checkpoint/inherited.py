"""Objects of a program's classes that are containers themselves: taken apart, and put back.

    class Settings(dict): …        what it holds, and its attributes
    class History(deque): …

Its methods are not called: those of Python's own class see what it holds.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Any

from trackway.checkpoint import containers
from trackway.checkpoint.functions import code_name, found
from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    Path,
    Rebuilding,
)
from trackway.checkpoint.layout import adds_attributes, attributes_of
from trackway.checkpoint.objects import claim, named, set_attributes
from trackway.checkpoint.rules import is_kept
from trackway.checkpoint.stateful import is_stateful

# A class that adds to another one comes before it.
_BASES: tuple[Any, ...] = (
    *(collections.defaultdict, collections.OrderedDict, dict),
    *(list, collections.deque),
)
_NAMED = {base.__name__: base for base in _BASES}
# `class Settings(dict)` with `self.__dict__ = self`: what it holds are its attributes.
_ITSELF = "itself"


def is_inherited(x: Any) -> bool:
    """Whether its class adds nothing but attributes to one of Python's containers."""
    kind: type = type(x)
    return _base_of(kind) is not None and not is_stateful(x) and not is_kept(kind)


def take_inherited(capture: Capturing, x: Any, path: Path) -> Node:
    kind: type = type(x)
    base = _base_of(kind)
    if base is collections.deque:
        held: Any = collections.deque(_items(base, x), vars(base)["maxlen"].__get__(x))
        content = containers.take_deque(capture, held, path)
    elif base is list:
        content = containers.take_sequence(capture, list(_items(base, x)), path)
    elif base is collections.defaultdict:
        factory = vars(base)["default_factory"].__get__(x)
        held = collections.defaultdict(factory, _items(base, x))
        content = containers.take_mapping(capture, held, path)
    else:
        content = containers.take_mapping(capture, base(_items(base, x)), path)
    attributes: Any = _ITSELF
    if not _is_its_own_dict(x):
        attributes = {n: capture.value(v, (path, ".{}", n)) for n, v in attributes_of(x)}
    inherited = {"k": "inherited", "b": content["k"], "c": code_name(kind, path)}
    return {**content, **inherited, "d": attributes, **named(capture, x)}


def make_inherited(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    kind, base = found(node["c"], type(fresh), path), _NAMED.get(node["b"])
    if base is None or not isinstance(kind, type) or _base_of(kind) is not base:
        raise DoesNotFitError(f"{path} was a {node['c']}, which is no {node['b']} any more")
    made = claim(rebuild, node, fresh, kind)
    known: dict[str, Any] = {}
    old: list[Any] = []
    if is_new := made is None:
        made = base.__new__(kind)
    else:
        old = list(_items(base, made))
        known = {} if _is_its_own_dict(made) else dict(attributes_of(made))
    rebuild.made[number] = made
    if issubclass(kind, dict):
        parts, items = dict(old), list[Any]()
        for key_value, value in node["v"]:
            key = rebuild.value(key_value, NOTHING, path)
            part = parts.get(key, NOTHING)
            items.append((key, rebuild.value(value, part, f"{path}[{key!r:.40}]")))
    else:
        items = rebuild.values(node["v"], old, path)
    argument = rebuild.value(node.get("default", node.get("max")), NOTHING, path)
    attributes = node["d"]
    if attributes != _ITSELF:
        attributes = {
            name: rebuild.value(value, known.get(name, NOTHING), f"{path}.{name}")
            for name, value in attributes.items()
        }
    write = partial(_write, made, base, items, argument, attributes)
    if is_new:
        write()
    else:
        rebuild.writes.append(write)
    return made


def _write(made: Any, base: Any, items: Sequence[Any], argument: Any, attributes: Any) -> None:
    base.clear(made)
    if base is collections.deque:
        base.__init__(made, items, argument)
    elif base is collections.defaultdict:
        base.__init__(made, argument, items)
    elif base is list:
        base.extend(made, items)
    else:
        for key, value in items:
            base.__setitem__(made, key, value)
    if attributes == _ITSELF:
        object.__setattr__(made, "__dict__", made)
    else:
        set_attributes(made, attributes)


def _is_its_own_dict(x: Any) -> bool:
    kind: type = type(x)
    return kind.__dictoffset__ != 0 and vars(x) is x


def _items(base: Any, x: Any) -> Iterable[Any]:
    return base.items(x) if issubclass(base, dict) else base.__iter__(x)  # type: ignore[no-any-return]


@cache
def _base_of(kind: type) -> Any:
    base = next((base for base in _BASES if issubclass(kind, base)), None)
    return base if base is not None and kind is not base and adds_attributes(kind, base) else None
