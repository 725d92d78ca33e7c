"""Arrays, views of them, and simulations: taken apart, and put back."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from trackway.checkpoint import mujoco_objects, torch_objects
from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Graph,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
    spelled,
)
from trackway.checkpoint.layout import address_of, axes_of

_NUMBERS = frozenset(map(np.dtype, "?bBhHiIlLqQefd"))
# Kept as bytes: words, times, complex and long numbers.
_BYTES = frozenset("SUMmcf")


def take_array(capture: Capturing, x: np.ndarray[Any, Any], path: Path) -> Node:
    kind = x.dtype
    if kind not in _NUMBERS:
        if kind.kind == "O":
            if x.base is not None and not capture.told:
                raise OpaqueError(path, "is a view of an array of objects")
            items = [capture.value(v, (path, ".flat[{}]", i)) for i, v in enumerate(x.flat)]
            return {"k": "objects", "shape": list(x.shape), "v": items}
        if kind.kind not in _BYTES and not _is_record(kind):
            raise OpaqueError(path, f"is an array of {kind}")
    base: Any = x
    if not (own := capture.told or x.base is None):
        while isinstance(base.base, np.ndarray):
            base = base.base
        own = isinstance(base.base, bytes) or torch_objects.is_tensor(base.base)
    if own:
        node = _copied(capture, x)
        if not x.flags.writeable:
            node["readonly"] = True
        if not capture.told and torch_objects.is_tensor(base.base):
            capture.of_torch.append((node, x, path))
        return node
    offset = address_of(x) - address_of(base)
    layout = {"t": _told(kind), "shape": list(x.shape), "strides": list(x.strides)}
    if base.base is None and type(base) is np.ndarray and base.flags.c_contiguous:
        return {"k": "view", "of": capture.value(base, path), "offset": offset, **layout}
    node = _copied(capture, x)
    capture.foreign.append((node, layout, address_of(x), path))
    return node


def _copied(capture: Capturing, x: np.ndarray[Any, Any]) -> Node:
    turned: dict[str, Any] = {}
    if not x.flags.c_contiguous and (axes := axes_of(x.strides)) != sorted(axes):
        x, turned = x.transpose(axes), {"axes": axes}  # sums go through memory in its order
    if x.dtype in _NUMBERS:
        return {"k": "array", "a": capture.keep(x.copy()), **turned}
    content = np.frombuffer(x.tobytes(), np.uint8)
    facts = {"t": _told(x.dtype), "shape": list(x.shape)}
    return {"k": "array", "a": capture.keep(content), **facts, **turned}


def _is_record(kind: np.dtype[Any]) -> bool:
    """Whether it has named fields of numbers and words, in their order."""
    if kind.names is None or kind.hasobject:
        return False
    with warnings.catch_warnings(action="ignore"):  # that fields overlap
        return _dtype(np.lib.format.dtype_to_descr(kind)) == kind


def _told(kind: np.dtype[Any]) -> Any:
    return kind.str if kind.names is None else np.lib.format.dtype_to_descr(kind)


def _dtype(told: Any) -> np.dtype[Any]:
    """What `_told` told, also if JSON has made lists of tuples."""

    def tuples(x: Any) -> Any:
        return tuple(map(tuples, x)) if isinstance(x, list | tuple) else x

    def fields(x: Any) -> Any:
        if isinstance(x, str):
            return x
        return [(tuples(name), fields(form), *tuples(shape)) for name, form, *shape in x]

    return np.lib.format.descr_to_dtype(fields(told))


def find_owners(
    graph: Graph, foreign: Iterable[tuple[Node, Node, int, Path]], originals: Sequence[Any]
) -> None:
    """Write those views whose memory is a captured simulation's as views of it; name the others."""
    memory = [
        (start, size, number, name)
        for number, x in enumerate(originals)
        if mujoco_objects.is_one(x)
        for name, (start, size) in mujoco_objects.memory_of(x).items()
    ]
    for node, layout, address, path in foreign:
        for start, size, number, name in memory:
            if start <= address < start + size:
                del graph.arrays[node.pop("a")]
                place = {"field": name, "offset": address - start, **layout}
                node |= {"k": "simulation's", "of": {"r": number}, **place}
                break
        else:
            graph.hidden.append(np.ndarray)
            message = f"{spelled(path)} is a view of memory that belongs to nobody here"
            graph.unsupported.append(message)


def make_array(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    made = np.array(rebuild.arrays[node["a"]])
    if "t" in node:
        made = made.view(_dtype(node["t"])).reshape(node["shape"])
    if "axes" in node:
        made = made.transpose(np.argsort(node["axes"]))
    made.flags.writeable = not node.get("readonly", False)
    return made


def make_objects(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    made = np.empty(tuple(node["shape"]), object)
    rebuild.made[number] = made
    for i, value in enumerate(rebuild.values(node["v"], (), path)):
        made.flat[i] = value
    return made


def make_view(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    buffer = rebuild.value(node["of"], NOTHING, path)
    if node["k"] == "simulation's":
        buffer = mujoco_objects.array_of(buffer, node["field"])
    if torch_objects.is_tensor(buffer):
        buffer = buffer.detach().numpy()
    dtype, shape, strides = _dtype(node["t"]), tuple(node["shape"]), tuple(node["strides"])
    made = np.ndarray(shape, dtype, buffer, node["offset"], strides)
    made.flags.writeable &= not node.get("readonly", False)
    return made


def take_simulation(capture: Capturing, x: Any, path: Path) -> Node:
    try:
        kind, arrays = mujoco_objects.take(x)
    except ValueError as error:
        raise OpaqueError(path, str(error)) from error
    return {"k": kind, "arrays": {name: capture.keep(a) for name, a in arrays.items()}}


def make_simulation(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    arrays = {name: rebuild.arrays[key] for name, key in node["arrays"].items()}
    if rebuild.originals is not None:
        fresh = mujoco_objects.twin(rebuild.original(number))
    if not mujoco_objects.is_one(fresh):
        raise DoesNotFitError(f"{path} was a {node['k']}; now there is none")
    if id(fresh) in rebuild.claimed:  # the program's current one is another one of several now
        fresh = mujoco_objects.twin(fresh)
    rebuild.claimed[id(fresh)] = fresh
    try:
        mujoco_objects.check(fresh, arrays)
    except ValueError as error:
        raise DoesNotFitError(f"{path}: {error}") from error
    rebuild.writes.append(lambda: mujoco_objects.put(fresh, arrays))
    return fresh
