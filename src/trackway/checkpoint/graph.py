"""Take Python objects apart into plain values and arrays, whatever refers to what.

    env ──▶ {"nodes": [{"k": "object", "c": "toy:Ball", "d": {"height": 1.5, "rng": {"r": 1}}}, …]}
            arrays: {"0": …}

A scalar stands where it is; everything that can be referred to twice is a node and is referred to
by its number, so shared objects stay shared and cycles end. Attributes are read, no method of the
object is called (`pickle` calls them, and Gymnasium's `EzPickle` answers by forgetting the state).
What cannot be taken apart is named in `unsupported`, with its path. `rebuild` is the way back.
"""

from __future__ import annotations

import collections
import enum
import functools
import math
import pathlib
import random
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trackway.checkpoint import mujoco_objects
from trackway.checkpoint.layout import address_of, attributes_of, has_plain_layout
from trackway.checkpoint.rules import is_kept, is_left_alone
from trackway.checkpoint.stateful import is_stateful

FORMAT = 1
_CODE = (
    type,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.ModuleType,
    types.WrapperDescriptorType,
    functools._lru_cache_wrapper,
    np.ufunc,
)


# A place, from the outside in: (the place around it, how it is written, the key); spelled when it must be told.
Path = str | tuple["Path", str, object]


class OpaqueError(Exception):
    """A part whose state cannot be taken; its text says where and why."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{spelled(path)} {why}")


def spelled(path: Path) -> str:
    """As Python writes it: `env.env.items[3]`."""
    if isinstance(path, str):
        return path
    around, form, key = path
    return spelled(around) + form.format(key)


@dataclass
class Graph:
    """Objects taken apart.

    Attributes:
        roots: Name → value, as in nodes.
        nodes: What the numbers refer to; JSON.
        arrays: What `{"a": name}` in a node refers to; copies.
        unsupported: What is missing, sentences.
    """

    roots: dict[str, Any] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it."""
        return {
            "format": FORMAT,
            "roots": self.roots,
            "nodes": self.nodes,
            "unsupported": self.unsupported,
        }


class Capture:
    """Takes objects apart into one `Graph`.

    Args:
        externals: Objects that are somebody else's: named, not looked into.
        boundaries: Classes whose attributes stand for themselves: where one cannot be taken
            whole, it is left out and named, and the others are taken.
        adapters: Class → function that gives the object's state as a value that can be taken apart;
            `Rebuild` has the way back.
    """

    def __init__(
        self,
        externals: Mapping[str, object] | None = None,
        boundaries: tuple[type, ...] = (),
        adapters: Mapping[type, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.graph = Graph()
        # By id: how an object is referred to.
        self._known: dict[int, dict[str, Any]] = {
            id(thing): {"x": name} for name, thing in (externals or {}).items()
        }
        self._boundaries, self._adapters = boundaries, dict(adapters or {})
        self._foreign: list[tuple[dict[str, Any], dict[str, Any], int, Path]] = []
        self._told = False
        self.originals: list[Any] = []  # of each node; so no id is given away meanwhile

    def add(self, name: str, thing: object) -> None:
        """Take an object in, under a name.

        Raises:
            OpaqueError: It cannot be taken, and nothing around it can do without it.
        """
        self.graph.roots[name] = self._value(thing, name)

    def finish(self) -> Graph:
        """Say which simulation's memory an array looks at, and return what was taken."""
        if self._foreign:
            memory = [
                (start, size, number, name)
                for number, x in enumerate(self.originals)
                if mujoco_objects.is_one(x)
                for name, (start, size) in mujoco_objects.memory_of(x).items()
            ]
            for node, layout, address, path in self._foreign:
                for start, size, number, name in memory:
                    if start <= address < start + size:
                        del self.graph.arrays[node.pop("a")]
                        place = {"field": name, "offset": address - start, **layout}
                        node |= {"k": "simulation's", "of": {"r": number}, **place}
                        break
                else:
                    message = f"{spelled(path)} is a view of memory that belongs to nobody here"
                    self.graph.unsupported.append(message)
            self._foreign.clear()
        return self.graph

    # -- values -----------------------------------------------------------------------------

    def _value(self, x: Any, path: Path) -> Any:
        kind = type(x)
        if kind in _AS_IT_IS:
            return x
        if kind is float:
            return x if math.isfinite(x) else {"f": repr(x)}
        if (known := self._known.get(id(x))) is not None:
            return known
        if (take := _TAKERS.get(kind)) is None:
            if isinstance(x, np.generic) and x.dtype.kind in "biuf":
                return {"s": x.dtype.str, "v": x.tobytes().hex()}
            if isinstance(x, enum.Enum):
                return {"e": code_name(kind, path), "v": x.name}
            if isinstance(x, _CODE):
                return {"c": code_name(x, path)}
            take = Capture._other
        nodes = self.graph.nodes
        number = len(nodes)
        self._known[id(x)] = reference = {"r": number}
        self.originals.append(x)
        nodes.append(None)
        nodes[number] = take(self, x, path)
        return reference

    def _other(self, x: Any, path: Path) -> dict[str, Any]:
        kind = type(x)
        for base, adapter in self._adapters.items():
            if isinstance(x, base):
                told = self._telling(adapter(x), path)
                return {"k": "adapted", "c": code_name(kind, path), "v": told}
        if isinstance(x, tuple) and hasattr(kind, "_fields"):
            items = [self._value(v, (path, ".{}", f)) for f, v in zip(kind._fields, x, strict=True)]
            return {"k": "namedtuple", "c": code_name(kind, path), "v": items}
        if isinstance(x, np.dtype):
            return {"k": "plain", "t": "dtype", "v": x.str}
        if isinstance(x, pathlib.PurePath):
            return {"k": "path", "v": str(x)}
        if isinstance(x, np.random.Generator | np.random.RandomState | random.Random):
            return self._generator(x, path)
        if mujoco_objects.is_one(x):
            return self._simulation(x, path)
        if _is_tensor(x):
            return self._tensor(x)
        return self._object(x, kind, path)

    # -- containers ---------------------------------------------------------------------------

    def _sequence(self, x: Any, path: Path) -> dict[str, Any]:
        value = self._value
        # Most items are plain values: it pays not to call for them.
        items = [
            v if type(v) in _AS_IT_IS else value(v, (path, "[{}]", i)) for i, v in enumerate(x)
        ]
        return {"k": type(x).__name__, "v": items}

    def _set(self, x: Any, path: Path) -> dict[str, Any]:
        if not _order_returns(x):
            raise OpaqueError(path, "is a set whose order is another one in another process")
        return self._sequence(x, path)

    def _deque(self, x: Any, path: Path) -> dict[str, Any]:
        return {**self._sequence(x, path), "max": x.maxlen}

    def _mapping(self, x: Any, path: Path) -> dict[str, Any]:
        value = self._value
        pairs = [
            [
                k if type(k) in _AS_IT_IS else value(k, path),
                v if type(v) in _AS_IT_IS else value(v, (path, "[{!r:.40}]", k)),
            ]
            for k, v in x.items()
        ]
        content = {"k": type(x).__name__, "v": pairs}
        if type(x) is collections.defaultdict:
            content["default"] = value(x.default_factory, path)
        return content

    def _bytes(self, x: Any, path: Path) -> dict[str, Any]:
        return {"k": type(x).__name__, "a": self._keep(np.frombuffer(bytes(x), np.uint8))}

    def _steps(self, x: Any, path: Path) -> dict[str, Any]:
        return {"k": "plain", "t": type(x).__name__, "v": [x.start, x.stop, x.step]}

    # -- arrays -----------------------------------------------------------------------------

    def _keep(self, array: np.ndarray[Any, Any]) -> str:
        name = str(len(self.graph.arrays))
        self.graph.arrays[name] = array
        return name

    def _array(self, x: np.ndarray[Any, Any], path: Path) -> dict[str, Any]:
        kind = x.dtype
        if kind not in _NUMBERS:
            if kind.kind != "O":
                raise OpaqueError(path, f"is an array of {kind}")
            items = [self._value(v, (path, ".flat[{}]", i)) for i, v in enumerate(x.flat)]
            return {"k": "objects", "shape": list(x.shape), "v": items}
        base: Any = x
        while isinstance(base.base, np.ndarray):
            base = base.base
        own = (base is x and x.base is None) or isinstance(base.base, bytes)
        # What torch made of a tensor counts by its values, as it does in `telling`.
        if own or self._told or _is_tensor(base.base):
            node: dict[str, Any] = {"k": "array", "a": self._keep(x.copy())}
            return node if x.flags.writeable else {**node, "readonly": True}
        offset = address_of(x) - address_of(base)
        layout = {"t": kind.str, "shape": list(x.shape), "strides": list(x.strides)}
        if base.base is None and type(base) is np.ndarray and base.flags.c_contiguous:
            return {"k": "view", "of": self._value(base, path), "offset": offset, **layout}
        node = {"k": "array", "a": self._keep(x.copy())}
        self._foreign.append((node, layout, address_of(x), path))
        return node

    def _tensor(self, x: Any) -> dict[str, Any]:
        plain = x.detach().cpu()
        bits = plain.dtype.is_floating_point and plain.element_size() == 2
        kind = str(plain.dtype).removeprefix("torch.")
        copied = (plain.view(sys.modules["torch"].int16) if bits else plain).numpy().copy()
        learns = {"learns": True} if x.requires_grad else {}
        return {"k": "tensor", "a": self._keep(copied), "t": kind, **learns}

    def _generator(self, x: Any, path: Path) -> dict[str, Any]:
        if isinstance(x, random.Random):
            if type(x) is not random.Random:
                raise OpaqueError(path, f"is a {type(x).__name__}, which keeps no state")
            return {"k": "random.Random", "v": self._value(x.getstate(), path)}
        bits = x._bit_generator if isinstance(x, np.random.RandomState) else x.bit_generator
        node = {
            "k": type(x).__name__,
            "bits": type(bits).__name__,
            "v": self._value(bits.state, path),
        }
        seeds = getattr(bits, "seed_seq", None)
        if isinstance(seeds, np.random.SeedSequence):  # `spawn` counts its children there
            node["seeds"] = self._value(seeds.state, path)
        return node

    # -- objects ----------------------------------------------------------------------------

    def _function(self, x: types.FunctionType, path: Path) -> dict[str, Any]:
        cells = x.__closure__ or ()
        contents = []
        for name, cell in zip(x.__code__.co_freevars, cells, strict=True):
            try:
                contents.append(self._value(cell.cell_contents, (path, ".<{}>", name)))
            except ValueError:
                contents.append({"empty": True})
        own = self._value(dict(vars(x)), path) if vars(x) else None
        return {
            "k": "function",
            "c": f"{x.__module__}:{x.__qualname__}",
            "cells": contents,
            "d": own,
        }

    def _method(self, x: types.MethodType, path: Path) -> dict[str, Any]:
        return {"k": "method", "of": self._value(x.__self__, path), "name": x.__func__.__name__}

    def _partial(self, x: functools.partial[Any], path: Path) -> dict[str, Any]:
        parts = [self._value(v, path) for v in (x.func, x.args, x.keywords)]
        return {"k": "partial", "v": parts}

    def _simulation(self, x: Any, path: Path) -> dict[str, Any]:
        try:
            kind, arrays = mujoco_objects.take(x)
        except ValueError as error:
            raise OpaqueError(path, str(error)) from error
        return {"k": kind, "arrays": {name: self._keep(a) for name, a in arrays.items()}}

    def _object(self, x: Any, kind: type, path: Path) -> dict[str, Any]:
        if is_stateful(x) and not _is_torch(kind):
            return {
                "k": "own",
                "c": code_name(kind, path),
                "v": self._telling(x.state_dict(), path),
            }
        if is_kept(kind):
            return {"k": "kept", "c": code_name(kind, path)}
        if not has_plain_layout(kind):
            raise OpaqueError(path, f"is a {code_name(kind, path)}, whose state is hidden")
        strict = not isinstance(x, self._boundaries)
        attributes: dict[str, Any] = {}
        left_out: list[str] = []
        for name, part in attributes_of(x):
            if is_left_alone(kind, name):
                left_out.append(name)
            elif strict:
                attributes[name] = self._value(part, (path, ".{}", name))
            else:
                taken, node = self._attempt(part, (path, ".{}", name))
                if taken:
                    attributes[name] = node
                else:
                    left_out.append(name)
        return {"k": "object", "c": code_name(kind, path), "d": attributes, "kept": left_out}

    def _telling(self, state: Any, path: Path) -> Any:
        """Take what an object tells of itself: arrays count by their values, wherever they lie."""
        before, self._told = self._told, True
        try:
            return self._value(state, path)
        finally:
            self._told = before

    def _attempt(self, part: Any, path: Path) -> tuple[bool, Any]:
        """Take a part, or leave no trace of it but a sentence."""
        nodes, arrays = len(self.graph.nodes), len(self.graph.arrays)
        foreign = len(self._foreign)
        try:
            return True, self._value(part, path)
        except OpaqueError as error:
            self.graph.unsupported.append(str(error))
        except RecursionError:
            self.graph.unsupported.append(f"{spelled(path)} is nested too deeply")
        del self.graph.nodes[nodes:], self.originals[nodes:], self._foreign[foreign:]
        self._known = {key: at for key, at in self._known.items() if at.get("r", -1) < nodes}
        for name in list(self.graph.arrays)[arrays:]:
            del self.graph.arrays[name]
        return False, None


_AS_IT_IS = frozenset({type(None), bool, int, str})
_NUMBERS = frozenset(map(np.dtype, "?bBhHiIlLqQefd"))
_TAKERS: dict[type, Callable[[Capture, Any, Path], dict[str, Any]]] = {
    **dict.fromkeys((list, tuple), Capture._sequence),
    **dict.fromkeys((set, frozenset), Capture._set),
    collections.deque: Capture._deque,
    **dict.fromkeys(
        (dict, collections.OrderedDict, collections.Counter, collections.defaultdict),
        Capture._mapping,
    ),
    **dict.fromkeys((bytes, bytearray), Capture._bytes),
    **dict.fromkeys((range, slice), Capture._steps),
    np.ndarray: Capture._array,
    types.FunctionType: Capture._function,
    types.MethodType: Capture._method,
    functools.partial: Capture._partial,
}


def code_name(x: Any, path: Path) -> str:
    """`module:qualname` of a class or function; of a module its name."""
    if isinstance(x, types.ModuleType):
        return x.__name__
    if isinstance(x, types.BuiltinFunctionType) and not isinstance(
        x.__self__, types.ModuleType | None
    ):
        raise OpaqueError(path, f"is {x.__name__} of an object written in C")
    module = getattr(x, "__module__", None) or "builtins"
    name = getattr(x, "__qualname__", None) or getattr(x, "__name__", None)
    if name is None:
        raise OpaqueError(path, f"is a {type(x).__name__} without a name")
    return f"{module}:{name}"


def _order_returns(x: Any) -> bool:
    """Whether a set with these elements is gone through in the same order elsewhere."""
    return len(x) < 2 or (all(type(v) is int for v in x) and list(type(x)(list(x))) == list(x))


def _is_tensor(x: Any) -> bool:
    torch: Any = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _is_torch(kind: type) -> bool:
    return any(base.__module__.startswith("torch.") for base in kind.__mro__)
