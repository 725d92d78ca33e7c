"""Objects of a program's classes: taken apart by attributes, or asked for their state; and put back."""

from __future__ import annotations

import contextlib
import functools
import types
from collections.abc import Callable, Mapping
from typing import Any

from trackway.checkpoint.containers import AS_IT_IS
from trackway.checkpoint.functions import code_name, found
from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)
from trackway.checkpoint.layout import attributes_of, has_plain_layout, slots_of
from trackway.checkpoint.rules import is_kept, is_learner, is_left_alone, is_live
from trackway.checkpoint.stateful import is_stateful


def take_object(capture: Capturing, x: Any, path: Path) -> Node:
    kind: type = type(x)
    if is_stateful(x) and not _is_torch(kind):
        return {"k": "own", "c": code_name(kind, path), "v": capture.telling(x.state_dict(), path)}
    if is_kept(kind):
        return {"k": "kept", "c": code_name(kind, path)}
    if is_learner(kind):
        raise OpaqueError(path, f"is a learner ({kind.__name__}) beside the one that trains")
    if not has_plain_layout(kind):
        raise OpaqueError(path, f"is a {code_name(kind, path)}, whose state is hidden", kind)
    strict = not isinstance(x, capture.boundaries)
    attributes: dict[str, Any] = {}
    left_out: list[str] = []
    for name, part in attributes_of(x):
        if is_left_alone(kind, name, part):
            left_out.append(name)
        elif strict:
            plain = type(part) in AS_IT_IS
            attributes[name] = part if plain else capture.value(part, (path, ".{}", name))
        else:
            taken, node = capture.attempt(part, (path, ".{}", name))
            if taken:
                attributes[name] = node
            else:
                left_out.append(name)
    node = {"k": "object", "c": code_name(kind, path), "d": attributes, "kept": left_out}
    return node | named(capture, x)


def named(capture: Capturing, x: Any) -> Node:
    """Of an object that a module or class holds: under which name."""
    name = capture.constants.name_of(x) if capture.constants is not None else None
    return {} if name is None else {"global": name}


def make_object(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    kind, original = found(node["c"], type(fresh), path), rebuild.original(number)
    if not isinstance(kind, type) or not has_plain_layout(kind):
        raise DoesNotFitError(f"{path} is a {node['c']}, which is no class of plain attributes")
    made = claim(rebuild, node, fresh, kind)
    if made is None and original is None and issubclass(kind, rebuild.boundaries):
        _same(node, fresh, path)
    if is_new := made is None:
        made = kind.__new__(kind) if kind is types.SimpleNamespace else object.__new__(kind)
        known: Mapping[str, Any] = {}
    else:
        known = dict(attributes_of(made))
    rebuild.made[number] = made
    kept = known if original is None else dict(attributes_of(original))
    attributes = {n: kept[n] for n in node["kept"] if n in kept}
    if original is None:
        # Also what was not there when the state was taken: a recorder that taps it here.
        attributes |= {n: v for n, v in known.items() if is_left_alone(kind, n, v)}
    for name, value in node["d"].items():
        attributes[name] = rebuild.value(value, known.get(name, NOTHING), f"{path}.{name}")
    if is_new:
        set_attributes(made, attributes)  # nobody has it yet, and a dict may ask for its hash
    else:
        rebuild.writes.append(lambda: set_attributes(made, attributes))
    return made


def take_adapted(capture: Capturing, x: Any, adapter: Callable[[Any], Any], path: Path) -> Node:
    told = capture.telling(adapter(x), path)
    return {"k": "adapted", "c": code_name(type(x), path), "v": told}


def make_adapted(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    rebuild.made[number] = _same(node, fresh, path)
    state = rebuild.value(node["v"], NOTHING, path)
    for kind, adapter in rebuild.adapters.items():
        if isinstance(fresh, kind):
            rebuild.writes.append(functools.partial(adapter, fresh, state))
            return fresh
    raise DoesNotFitError(f"{path} is a {node['c']}, and nobody here knows it")


def make_own(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    rebuild.made[number] = _same(node, fresh, path)
    state = rebuild.value(node["v"], NOTHING, path)
    rebuild.writes.append(lambda: fresh.load_state_dict(state))
    return fresh


def make_kept(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    return rebuild.original(number) if rebuild.originals is not None else _same(node, fresh, path)


def claim(rebuild: Rebuilding, node: Node, fresh: Any, kind: type) -> Any:
    """The fresh object that may be written into: of that class, and nobody else's; None if there is none."""
    if rebuild.originals is None and "global" in node:
        with contextlib.suppress(DoesNotFitError):
            fresh = found(node["global"], NOTHING, "")
    elif rebuild.originals is None and fresh in rebuild.constants and not is_live(kind):
        return None
    if type(fresh) is not kind or id(fresh) in rebuild.claimed:
        return None
    rebuild.claimed[id(fresh)] = fresh
    return fresh


def _same(node: Node, fresh: Any, path: str) -> Any:
    name = f"{type(fresh).__module__}:{type(fresh).__qualname__}"
    if name != node["c"]:
        there = "nothing" if fresh is NOTHING else f"a {name}"
        raise DoesNotFitError(f"{path} was a {node['c']}; now there is {there}")
    return fresh


def _is_torch(kind: type) -> bool:
    return any(base.__module__.startswith("torch.") for base in kind.__mro__)


def set_attributes(made: Any, attributes: Mapping[str, Any]) -> None:
    kind: type = type(made)
    slots = set(slots_of(kind))
    if kind.__dictoffset__:
        own = vars(made)
        own.clear()
        own.update({n: v for n, v in attributes.items() if n not in slots})
    for name in slots & attributes.keys():
        object.__setattr__(made, name, attributes[name])
