"""Take Python objects apart into a `Graph`.

Attributes are read, no method of the object is called (`pickle` calls them, and Gymnasium's
`EzPickle` answers by forgetting the state). What cannot be taken apart is named in `unsupported`,
with its path. `rebuild` is the way back.
"""

from __future__ import annotations

import collections
import enum
import itertools
import pathlib
import types
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import numpy as np

from trackway.checkpoint import (
    buffers,
    closures,
    containers,
    functions,
    generators,
    inherited,
    iterators,
    mujoco_objects,
    objects,
    sets,
    shared_memory,
    torch_objects,
    values,
)
from trackway.checkpoint.constants import Constants
from trackway.checkpoint.graph import Graph, Mark, Node, OpaqueError, Path, spelled, told_since
from trackway.checkpoint.packed import scalar


class Capture:
    """Takes objects apart into one `Graph`.

    Args:
        externals: Objects that are somebody else's: named, not looked into.
        boundaries: Classes whose attributes stand for themselves: where one cannot be taken
            whole, it is left out and named, and the others are taken.
        adapters: Class → function that gives the object's state as a value that can be taken apart;
            `Rebuild` has the way back.
        retold: By id of an object, a value that stands for its attributes, and goes to an adapter
            on the way back.
        constants: What modules and classes hold, to be told by its name.

    Attributes:
        originals: Of each node; so no id is given away meanwhile.
        code: Classes, modules and functions in C that were met, and written by their names.
    """

    def __init__(
        self,
        externals: Mapping[str, object] | None = None,
        boundaries: tuple[type, ...] = (),
        adapters: Mapping[type, Callable[[Any], Any]] | None = None,
        retold: Mapping[int, Any] | None = None,
        constants: Constants | None = None,
    ) -> None:
        self.graph = Graph()
        self.originals: list[Any] = []
        self.code: list[Any] = []
        self.boundaries, self._adapters = boundaries, dict(adapters or {})
        self._retold, self.constants = dict(retold or {}), constants
        self.foreign: list[tuple[Node, Node, int, Path]] = []
        self.of_torch: list[tuple[Node, Any, Path]] = []
        self._externals = externals or {}
        self.told = False
        # By id: an object's number, or its name.
        self._known: dict[int, int | str] = {
            id(thing): name for name, thing in (externals or {}).items()
        }

    def add(self, name: str, thing: object) -> None:
        """Take an object in, under a name.

        Raises:
            OpaqueError: It cannot be taken, and nothing around it can do without it. Nothing of it is kept.
        """
        mark = self.mark()
        try:
            self.graph.roots[name] = self.value(thing, name)
        except OpaqueError:
            self.rollback(mark)
            raise

    def add_entries(self, name: str, things: dict[str, Any]) -> None:
        """Take a dict in, under a name; what cannot be taken of it is left out, and named."""
        try:
            self.add(name, things)
        except OpaqueError:
            tried = {n: self.attempt(thing, (name, "[{!r}]", n)) for n, thing in things.items()}
            number = len(self.graph.nodes)
            entries = [[n, value] for n, (taken, value) in tried.items() if taken]
            self.graph.nodes.append({"k": "dict", "v": entries})
            self.originals.append(things)
            self.graph.roots[name] = {"r": number}

    def finish(self) -> Graph:
        """Say whose memory arrays and tensors look at, and return what was taken."""
        if self.foreign:
            buffers.find_owners(self.graph, self.foreign, self.originals)
            self.foreign.clear()
        if self.of_torch:
            shared_memory.find_shared(self.graph, self.of_torch, self.originals, self._externals)
            self.of_torch.clear()
        return self.graph

    # -- see `Capturing` --------------------------------------------------------------------

    def value(self, x: Any, path: Path) -> Any:
        """How the object is written where it is referred to; it is taken in if it is new."""
        kind = type(x)
        if kind in containers.AS_IT_IS:
            return x
        if kind is float:
            return scalar(x)
        if (known := self._known.get(id(x))) is not None:
            return {"r": known} if type(known) is int else {"x": known}
        if (take := _TAKERS.get(kind)) is None:
            if isinstance(x, np.generic) and x.dtype.kind in "biufcmMSU" and x.itemsize:
                return {"s": x.dtype.str, "v": x.tobytes().hex()}
            if isinstance(x, enum.Enum) or containers.is_member(x):
                return containers.take_member(x, path)
            if (name := generators.shared_name(x)) is not None:
                return {"c": name}
            take = Capture._other
            if isinstance(x, functions.CODE):
                if not (isinstance(x, types.BuiltinFunctionType) and functions.is_bound(x)):
                    self.code.append(x)
                    return {"c": functions.code_name(x, path)}
                take = functions.take_method
        nodes = self.graph.nodes
        number = len(nodes)
        self._known[id(x)] = number
        self.originals.append(x)
        nodes.append(None)
        try:
            nodes[number] = take(self, x, path)
        except (OpaqueError, RecursionError, MemoryError):
            raise
        except Exception as error:  # other people's code: properties, `state_dict`
            what = f"{type(error).__name__}: {error}"
            raise OpaqueError(path, f"cannot be taken: {what}") from error
        return {"r": number}

    def number_all(self, things: Collection[Any]) -> int | None:
        """Take in objects that the caller writes; the first one's number, or None if one is known."""
        ids, first = list(map(id, things)), len(self.graph.nodes)
        if len(set(ids)) < len(ids) or not self._known.keys().isdisjoint(ids):
            return None
        self._known.update(zip(ids, itertools.count(first), strict=False))
        self.originals.extend(things)
        self.graph.nodes.extend([None] * len(ids))
        return first

    def keep(self, array: np.ndarray[Any, Any]) -> str:
        """Keep an array that nobody else writes into; its name."""
        name = str(len(self.graph.arrays))
        self.graph.arrays[name] = array
        return name

    def telling(self, state: Any, path: Path) -> Any:
        """As `value`, of what an object tells of itself: arrays count by their values."""
        before, self.told = self.told, True
        try:
            return self.value(state, path)
        finally:
            self.told = before

    def attempt(self, part: Any, path: Path) -> tuple[bool, Any]:
        """As `value`, or False, and no trace of the part but a sentence."""
        mark = self.mark()
        try:
            return True, self.value(part, path)
        except OpaqueError as error:
            self.graph.unsupported.append(str(error))
            self.graph.hidden += [error.hidden] if error.hidden else []
        except RecursionError:
            self.graph.unsupported.append(f"{spelled(path)} is nested too deeply")
        self.rollback(mark)
        return False, None

    def knows(self, x: Any) -> bool:
        """Whether it has been taken in, or is somebody else's."""
        return id(x) in self._known

    # -- taking in for a try ----------------------------------------------------------------

    def mark(self) -> Mark:
        """Where it stands now."""
        graph = self.graph
        return Mark(len(graph.nodes), len(graph.arrays), len(self.foreign), len(self.of_torch))

    def rollback(self, mark: Mark) -> None:
        """Forget what was taken in since."""
        for x in self.originals[mark.nodes :]:
            self._known.pop(id(x), None)
        del self.graph.nodes[mark.nodes :], self.originals[mark.nodes :]
        del self.foreign[mark.foreign :], self.of_torch[mark.of_torch :]
        for name in list(self.graph.arrays)[mark.arrays :]:
            del self.graph.arrays[name]

    def told_since(self, mark: Mark) -> Any:
        """What was taken in since, to be compared with what another one has taken in."""
        return told_since(self.graph, mark)

    # -- what no exact class tells ----------------------------------------------------------

    def _other(self, x: Any, path: Path) -> Node:
        if id(x) in self._retold:
            return objects.take_adapted(self, x, lambda x: self._retold[id(x)], path)
        for base, adapter in self._adapters.items():
            if isinstance(x, base):
                return objects.take_adapted(self, x, adapter, path)
        if torch_objects.is_value(x):
            return torch_objects.take_value(x)
        if torch_objects.is_generator(x):
            return torch_objects.take_generator(self, x)
        if isinstance(x, tuple) and hasattr(type(x), "_fields"):
            return containers.take_namedtuple(self, x, path)
        if isinstance(x, np.dtype):
            return {"k": "plain", "t": "dtype", "v": x.str}
        if isinstance(x, pathlib.PurePath):
            return {"k": "path", "v": str(x)}
        if generators.is_one(x):
            return generators.take_generator(self, x, path)
        if mujoco_objects.is_one(x):
            return buffers.take_simulation(self, x, path)
        if torch_objects.is_tensor(x):
            return torch_objects.take_tensor(self, x, path)
        if inherited.is_inherited(x):
            return inherited.take_inherited(self, x, path)
        return objects.take_object(self, x, path)


_TAKERS: dict[type, Callable[[Capture, Any, Path], Node]] = {
    **dict.fromkeys((list, tuple), containers.take_sequence),
    **dict.fromkeys((set, frozenset), sets.take_set),
    collections.deque: containers.take_deque,
    **dict.fromkeys(
        (dict, collections.OrderedDict, collections.Counter, collections.defaultdict),
        containers.take_mapping,
    ),
    **dict.fromkeys((bytes, bytearray), containers.take_bytes),
    **dict.fromkeys((range, slice), containers.take_steps),
    **dict.fromkeys(iterators.KINDS, iterators.take_iterator),
    **dict.fromkeys(values.KINDS, values.take_value),
    np.ndarray: buffers.take_array,
    types.FunctionType: closures.take_function,
    types.CellType: closures.take_cell,
    types.MethodType: functions.take_method,
    partial: functions.take_partial,
}
