"""Put a `Graph` back into objects that the program has built afresh.

An object is written into the one of the same class at the same place, where there is one, so that
whoever else holds it sees the state; only attributes are set, no method and no constructor is
called. Classes and functions are those that the program has imported already; a file cannot make
it import or call anything. First everything is worked out, then everything is written: where
something does not fit, nothing has been touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
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
    objects,
    shared_memory,
    torch_objects,
    values,
)
from trackway.checkpoint.constants import Constants
from trackway.checkpoint.graph import FORMAT, NOTHING, DoesNotFitError, Node


class Rebuild:
    """Puts one document back.

    Args:
        document: Of a `Graph`.
        arrays: Its arrays; they are copied.
        externals: Name → object, as for `Capture`.
        adapters: Class → function that writes a state into an object of that class.
        boundaries: Classes of which the program builds every object: none is made here, where it has
            built another one or none.
        originals: Where given, nothing built afresh is needed: everything is made new, and what is
            no state is shared with these, the objects that were taken.
        constants: What modules and classes hold now, if somebody knows better than `Constants()`.

    Its further attributes are described at `Rebuilding`.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray[Any, Any]],
        externals: Mapping[str, object] | None = None,
        adapters: Mapping[type, Callable[[Any, Any], None]] | None = None,
        originals: Sequence[Any] | None = None,
        boundaries: tuple[type, ...] = (),
        constants: Constants | None = None,
    ) -> None:
        if document["format"] != FORMAT:
            raise DoesNotFitError(f"its state has format {document['format']}, not {FORMAT}")
        self._roots, self._nodes, self.arrays = document["roots"], document["nodes"], arrays
        self._externals, self.adapters = dict(externals or {}), dict(adapters or {})
        self.originals, self.boundaries = originals, boundaries
        self.made: dict[int, Any] = {}
        self.claimed: dict[int, Any] = {}
        self.writes: list[Callable[[], None]] = []
        self._constants = constants

    @cached_property
    def constants(self) -> Constants:
        """What modules and classes hold now."""
        return self._constants or Constants()

    @property
    def roots(self) -> frozenset[str]:
        """Names under which something was taken."""
        return frozenset(self._roots)

    def root(self, name: str, fresh: Any = NOTHING) -> Any:
        """Work out what was taken under a name, to be written into `fresh`.

        Raises:
            DoesNotFitError: `fresh` is something else.
        """
        return self.value(self._roots[name], fresh, name)

    def write(self) -> None:
        """Write everything that was worked out."""
        for write in self.writes:
            write()
        self.writes.clear()

    # -- see `Rebuilding` -------------------------------------------------------------------

    def original(self, number: int) -> Any:
        """The object that this node was taken from, where `originals` are given, else None."""
        return None if self.originals is None else self.originals[number]

    def value(self, value: Any, fresh: Any, path: str) -> Any:
        """What a value of the document stands for."""
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
                if (name := value["x"]) not in self._externals:
                    raise DoesNotFitError(f"{path} was {name}, and there is none")
                return self._externals[name]
            case "gone":
                return NOTHING
            case "e":
                return containers.make_member(value, fresh, path)
            case _:
                return functions.found(value["c"], fresh, path)

    def values(self, values: Sequence[Any], fresh: Any, path: str) -> list[Any]:
        """The same of each; `fresh` may be a list or tuple of as many."""
        parts = fresh if isinstance(fresh, list | tuple) else ()
        return [
            self.value(v, parts[i] if i < len(parts) else NOTHING, f"{path}[{i}]")
            for i, v in enumerate(values)
        ]

    def _node(self, number: int, fresh: Any, path: str) -> Any:
        if number not in self.made:
            node = self._nodes[number]
            self.made[number] = NOTHING
            if (make := _MAKERS.get(node["k"])) is None:
                raise DoesNotFitError(f"{path} is a {node['k']}, which this Trackway does not know")
            self.made[number] = make(self, number, node, fresh, path)
        made = self.made[number]
        if made is NOTHING:
            raise DoesNotFitError(f"{path} contains itself")
        return made


_MAKERS: dict[str, Callable[[Rebuild, int, Node, Any, str], Any]] = {
    **dict.fromkeys(
        ("list", "tuple", "set", "frozenset", "deque", "namedtuple"), containers.make_sequence
    ),
    **dict.fromkeys(containers.MAPPINGS, containers.make_mapping),
    **dict.fromkeys(("bytes", "bytearray"), containers.make_bytes),
    "iterator": iterators.make_iterator,
    "plain": containers.make_plain,
    "value": values.make_value,
    "inherited": inherited.make_inherited,
    "path": containers.make_path,
    "array": buffers.make_array,
    "objects": buffers.make_objects,
    **dict.fromkeys(("view", "simulation's"), buffers.make_view),
    "tensor": torch_objects.make_tensor,
    "part": shared_memory.make_part,
    "torch": torch_objects.make_value,
    "torch.Generator": torch_objects.make_generator,
    **dict.fromkeys(("MjModel", "MjData"), buffers.make_simulation),
    **dict.fromkeys(("Generator", "RandomState", "random.Random"), generators.make_generator),
    **dict.fromkeys(("bits", "SeedSequence"), generators.make_bits),
    "function": closures.make_function,
    "cell": closures.make_cell,
    "method": functions.make_method,
    "partial": functions.make_partial,
    "object": objects.make_object,
    "own": objects.make_own,
    "adapted": objects.make_adapted,
    "kept": objects.make_kept,
}
