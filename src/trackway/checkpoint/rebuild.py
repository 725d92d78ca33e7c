"""Put a `Graph` back into objects that the program has built afresh.

An object is written into the one of the same class at the same place, where there is one, so that
whoever else holds it sees the state; only attributes are set, no method and no constructor is
called. Classes and functions are those that the program has imported already; a file cannot make
it import or call anything. First everything is worked out, then everything is written: where
something does not fit, nothing has been touched.
"""

from __future__ import annotations

import collections
import functools
import pathlib
import random
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from trackway.checkpoint import mujoco_objects
from trackway.checkpoint.graph import FORMAT
from trackway.checkpoint.layout import attributes_of, has_plain_layout, slots_of
from trackway.checkpoint.rules import is_left_alone

_NOTHING: Any = object()


class DoesNotFitError(Exception):
    """The program has built something else than what was taken; says what and where."""


class Rebuild:
    """Puts one document back.

    Args:
        document: Of a `Graph`.
        arrays: Its arrays; they are copied.
        externals: Name → object, as for `Capture`.
        adapters: Class → function that writes a state into an object of that class.
        originals: Where given, nothing built afresh is needed: everything is made new, and what is
            no state is shared with these, the objects that were taken.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray[Any, Any]],
        externals: Mapping[str, object] | None = None,
        adapters: Mapping[type, Callable[[Any, Any], None]] | None = None,
        originals: Sequence[Any] | None = None,
    ) -> None:
        if document["format"] != FORMAT:
            raise DoesNotFitError(f"its state has format {document['format']}, not {FORMAT}")
        self._roots, self._nodes, self._arrays = document["roots"], document["nodes"], arrays
        self._externals, self._adapters = dict(externals or {}), dict(adapters or {})
        self._originals = originals
        self._made: dict[int, Any] = {}
        self._claimed: dict[int, Any] = {}
        self._writes: list[Callable[[], None]] = []

    @property
    def roots(self) -> frozenset[str]:
        """Names under which something was taken."""
        return frozenset(self._roots)

    def root(self, name: str, fresh: Any = _NOTHING) -> Any:
        """Work out what was taken under a name, to be written into `fresh`.

        Raises:
            DoesNotFitError: `fresh` is something else.
        """
        return self._value(self._roots[name], fresh, name)

    def write(self) -> None:
        """Write everything that was worked out."""
        for write in self._writes:
            write()
        self._writes.clear()

    # -- values -----------------------------------------------------------------------------

    def _value(self, value: Any, fresh: Any, path: str) -> Any:
        if type(value) is not dict:
            return value
        (tag,) = list(value)[:1]
        match tag:
            case "r":
                return self._node(value["r"], fresh, path)
            case "f":
                return float(value["f"])
            case "s":
                return np.frombuffer(bytes.fromhex(value["v"]), value["s"])[0]
            case "x":
                return self._externals[value["x"]]
            case "e":
                return _found(value["e"], fresh, path)[value["v"]]
            case _:
                return _found(value["c"], fresh, path)

    def _node(self, number: int, fresh: Any, path: str) -> Any:
        if number not in self._made:
            node = self._nodes[number]
            original = None if self._originals is None else self._originals[number]
            self._made[number] = _NOTHING
            make = getattr(self, "_make_" + _MAKERS.get(node["k"], node["k"]))
            self._made[number] = make(number, node, fresh, path, original)
        made = self._made[number]
        if made is _NOTHING:
            raise DoesNotFitError(f"{path} contains itself")
        return made

    def _values(self, values: Sequence[Any], fresh: Any, path: str) -> list[Any]:
        parts = fresh if isinstance(fresh, list | tuple) else ()
        return [
            self._value(v, parts[i] if i < len(parts) else _NOTHING, f"{path}[{i}]")
            for i, v in enumerate(values)
        ]

    # -- containers -------------------------------------------------------------------------

    def _make_sequence(self, number: int, node: Any, fresh: Any, path: str, _: Any) -> Any:
        kind = node["k"]
        if kind == "list":
            made: Any = []
            self._made[number] = made
            made += self._values(node["v"], fresh, path)
            return made
        if kind == "deque":
            made = collections.deque(maxlen=node["max"])
            self._made[number] = made
            made.extend(
                self._values(node["v"], list(fresh) if _is(fresh, collections.deque) else (), path)
            )
            return made
        if kind == "namedtuple":
            return tuple.__new__(
                _found(node["c"], type(fresh), path), self._values(node["v"], fresh, path)
            )
        return _SEQUENCES[kind](self._values(node["v"], fresh, path))

    def _make_mapping(self, number: int, node: Any, fresh: Any, path: str, _: Any) -> Any:
        made: Any = _MAPPINGS[node["k"]]()
        self._made[number] = made
        if "default" in node:
            old = fresh.default_factory if _is(fresh, collections.defaultdict) else _NOTHING
            made.default_factory = self._value(node["default"], old, path)
        parts = fresh if isinstance(fresh, dict) else {}
        for key_value, value in node["v"]:
            key = self._value(key_value, _NOTHING, path)
            made[key] = self._value(value, parts.get(key, _NOTHING), f"{path}[{key!r:.40}]")
        return made

    def _make_bytes(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        content = self._arrays[node["a"]].tobytes()
        return content if node["k"] == "bytes" else bytearray(content)

    def _make_plain(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        if node["t"] == "dtype":
            return np.dtype(node["v"])
        return (range if node["t"] == "range" else slice)(*node["v"])

    def _make_path(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        return pathlib.Path(node["v"])

    # -- arrays and generators ----------------------------------------------------------------

    def _make_array(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        made = np.array(self._arrays[node["a"]])
        made.flags.writeable = not node.get("readonly", False)
        return made

    def _make_objects(self, number: int, node: Any, fresh: Any, path: str, _: Any) -> Any:
        made = np.empty(tuple(node["shape"]), object)
        self._made[number] = made
        for i, value in enumerate(self._values(node["v"], (), path)):
            made.flat[i] = value
        return made

    def _make_view(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        buffer = self._value(node["of"], _NOTHING, path)
        if node["k"] == "simulation's":
            buffer = mujoco_objects.array_of(buffer, node["field"])
        dtype, shape, strides = np.dtype(node["t"]), tuple(node["shape"]), tuple(node["strides"])
        return np.ndarray(shape, dtype, buffer, node["offset"], strides)

    def _make_tensor(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        torch: Any = sys.modules["torch"]
        made = torch.from_numpy(np.array(self._arrays[node["a"]]))
        kind = getattr(torch, node["t"])
        made = made if made.dtype == kind else made.view(kind)
        if isinstance(fresh, torch.Tensor):
            made = made.to(fresh.device)
        return made.requires_grad_() if node.get("learns") else made

    def _make_generator(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        state = self._value(node["v"], _NOTHING, path)
        if node["k"] == "random.Random":
            generator = random.Random()
            generator.setstate(state)
            return generator
        seeds = self._value(node.get("seeds"), _NOTHING, path)
        bits = getattr(np.random, node["bits"])(np.random.SeedSequence(**seeds) if seeds else 0)
        bits.state = state
        return getattr(np.random, node["k"])(bits)

    # -- code -------------------------------------------------------------------------------

    def _make_function(self, number: int, node: Any, fresh: Any, path: str, original: Any) -> Any:
        function = fresh if fresh is not _NOTHING else original
        if _code(function) != node["c"]:
            function = original if original is not None else _found(node["c"], fresh, path)
        if not node["cells"] and not node["d"]:
            return function
        if self._originals is not None:
            cells = tuple(types.CellType() for _ in node["cells"])
            function = types.FunctionType(
                function.__code__,
                function.__globals__,
                function.__name__,
                function.__defaults__,
                cells,
            )
            function.__kwdefaults__ = original.__kwdefaults__
        self._made[number] = function
        for cell, value in zip(function.__closure__ or (), node["cells"], strict=True):
            if value != {"empty": True}:
                content = self._value(value, _cell(cell), path)
                self._writes.append(functools.partial(setattr, cell, "cell_contents", content))
        if node["d"]:
            self._writes.append(
                functools.partial(vars(function).update, self._value(node["d"], _NOTHING, path))
            )
        return function

    def _make_method(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        owner = self._value(node["of"], getattr(fresh, "__self__", _NOTHING), path)
        function = getattr(type(owner), node["name"], None)
        if not isinstance(function, types.FunctionType):
            raise DoesNotFitError(f"{path} is a method {node['name']!r} that there is not")
        return types.MethodType(function, owner)

    def _make_partial(self, _: int, node: Any, fresh: Any, path: str, __: Any) -> Any:
        old = (fresh.func, fresh.args, fresh.keywords) if _is(fresh, functools.partial) else ()
        function, arguments, keywords = self._values(node["v"], old, path)
        return functools.partial(function, *arguments, **keywords)

    # -- objects ----------------------------------------------------------------------------

    def _make_object(self, number: int, node: Any, fresh: Any, path: str, original: Any) -> Any:
        kind = _found(node["c"], type(fresh), path)
        if not isinstance(kind, type) or not has_plain_layout(kind):
            raise DoesNotFitError(f"{path} is a {node['c']}, which is no class of plain attributes")
        made = self._claim(fresh, kind)
        if made is None:
            made = object.__new__(kind)
            known: Mapping[str, Any] = {}
        else:
            known = dict(attributes_of(made))
        self._made[number] = made
        kept = known if original is None else dict(attributes_of(original))
        attributes = {n: kept[n] for n in node["kept"] if n in kept}
        if original is None:
            # Also what was not there when the state was taken: a recorder that taps it here.
            attributes |= {n: v for n, v in known.items() if is_left_alone(kind, n)}
        for name, value in node["d"].items():
            attributes[name] = self._value(value, known.get(name, _NOTHING), f"{path}.{name}")
        self._writes.append(lambda: _set_attributes(made, attributes))
        return made

    def _claim(self, fresh: Any, kind: type) -> Any:
        """The fresh object, if it may be written into: of that class, and nobody else's."""
        if type(fresh) is not kind or id(fresh) in self._claimed or _is_global(fresh):
            return None
        self._claimed[id(fresh)] = fresh
        return fresh

    def _make_own(self, number: int, node: Any, fresh: Any, path: str, _: Any) -> Any:
        self._made[number] = _same(node, fresh, path)
        state = self._value(node["v"], _NOTHING, path)
        self._writes.append(lambda: fresh.load_state_dict(state))
        return fresh

    def _make_adapted(self, number: int, node: Any, fresh: Any, path: str, _: Any) -> Any:
        self._made[number] = _same(node, fresh, path)
        state = self._value(node["v"], _NOTHING, path)
        for kind, adapter in self._adapters.items():
            if isinstance(fresh, kind):
                self._writes.append(functools.partial(adapter, fresh, state))
                return fresh
        raise DoesNotFitError(f"{path} is a {node['c']}, and nobody here knows it")

    def _make_kept(self, _: int, node: Any, fresh: Any, path: str, original: Any) -> Any:
        return original if self._originals is not None else _same(node, fresh, path)

    def _make_simulation(self, number: int, node: Any, fresh: Any, path: str, original: Any) -> Any:
        arrays = {name: self._arrays[key] for name, key in node["arrays"].items()}
        if self._originals is not None:
            fresh = mujoco_objects.twin(original)
        if not mujoco_objects.is_one(fresh):
            raise DoesNotFitError(f"{path} was a {node['k']}; now there is none")
        try:
            mujoco_objects.check(fresh, arrays)
        except ValueError as error:
            raise DoesNotFitError(f"{path}: {error}") from error
        self._writes.append(lambda: mujoco_objects.put(fresh, arrays))
        return fresh


_SEQUENCES: dict[str, Callable[[Any], Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
_MAPPINGS: dict[str, Callable[[], Any]] = {
    "dict": dict,
    "OrderedDict": collections.OrderedDict,
    "Counter": collections.Counter,
    "defaultdict": collections.defaultdict,
}
_MAKERS = {
    **dict.fromkeys(("list", "tuple", "set", "frozenset", "deque", "namedtuple"), "sequence"),
    **dict.fromkeys(_MAPPINGS, "mapping"),
    **dict.fromkeys(("Generator", "RandomState", "random.Random"), "generator"),
    **dict.fromkeys(("MjModel", "MjData"), "simulation"),
    "bytearray": "bytes",
    "simulation's": "view",
}


def _is(fresh: Any, kind: type) -> bool:
    return isinstance(fresh, kind)


def _same(node: Any, fresh: Any, path: str) -> Any:
    name = f"{type(fresh).__module__}:{type(fresh).__qualname__}"
    if name != node["c"]:
        there = "nothing" if fresh is _NOTHING else f"a {name}"
        raise DoesNotFitError(f"{path} was a {node['c']}; now there is {there}")
    return fresh


def _code(x: Any) -> str | None:
    return f"{x.__module__}:{x.__qualname__}" if isinstance(x, types.FunctionType) else None


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _NOTHING


def _found(name: str, fresh: Any, path: str) -> Any:
    """A class, function or module that this program has imported; `fresh` first, if it is it."""
    module_name, _, qualname = name.partition(":")
    here = (getattr(fresh, "__module__", None), getattr(fresh, "__qualname__", None))
    if qualname and here in ((module_name, qualname), (None, qualname)):
        return fresh
    found: Any = sys.modules.get(module_name, _NOTHING)
    for part in qualname.split(".") if qualname else ():
        found = _NOTHING if part == "<locals>" else getattr(found, part, _NOTHING)
    if found is _NOTHING:
        raise DoesNotFitError(f"{path} needs {name}, which this program does not have")
    return found


def _is_global(x: Any) -> bool:
    """Whether a module holds it, directly or in a container: then it is not one place's alone."""
    module = sys.modules.get(type(x).__module__)
    for value in list(vars(module).values()) if module is not None else ():
        if value is x:
            return True
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple) and any(item is x for item in value):
            return True
    return False


def _set_attributes(made: Any, attributes: Mapping[str, Any]) -> None:
    kind: type = type(made)
    slots = set(slots_of(kind))
    if hasattr(made, "__dict__"):
        own = vars(made)
        own.clear()
        own.update({n: v for n, v in attributes.items() if n not in slots})
    for name in slots & attributes.keys():
        object.__setattr__(made, name, attributes[name])
