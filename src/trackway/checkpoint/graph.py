"""Objects taken apart into plain values and arrays, whatever refers to what: the form of it.

    env ──▶ {"nodes": [{"k": "object", "c": "toy:Ball", "d": {"height": 1.5, "rng": {"r": 1}}}, …]}
            arrays: {"0": …}

A scalar stands where it is; everything that can be referred to twice is a node and is referred to
by its number, so shared objects stay shared and cycles end. `capture` takes apart, `rebuild` puts
back; what either does with a kind of thing stands side by side: `containers`, `buffers`, `generators`,
`functions`, `objects`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from trackway.checkpoint.packed import unpacked

FORMAT = 1
NOTHING: Any = object()  # instead of the object that the program has built, where it has built none
GONE = {"gone": True}  # stands for it, where the training has deleted what the program gives

Node = dict[str, Any]
# A place, from the outside in: (the place around it, how it is written, the key); spelled when it must be told.
Path = str | tuple["Path", str, object]


class OpaqueError(Exception):
    """A part whose state cannot be taken; its text says where and why.

    Attributes:
        hidden: The class of it, where the state lies in C.
    """

    def __init__(self, path: Path, why: str, hidden: type | None = None) -> None:
        super().__init__(f"{spelled(path)} {why}")
        self.hidden = hidden


class DoesNotFitError(Exception):
    """The program has built something else than what was taken; says what and where."""


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
        nodes: What the numbers refer to; JSON, but for what is held `packed`.
        arrays: What `{"a": name}` in a node refers to; copies.
        unsupported: What is missing, sentences.
        hidden: Classes of what is missing because its state lies in C.
    """

    roots: dict[str, Any] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)
    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)
    hidden: list[type] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """All but the arrays, as JSON has it."""
        return unpacked(self.packed())

    def packed(self) -> dict[str, Any]:
        """The same before `unpacked`."""
        return {
            "format": FORMAT,
            "roots": self.roots,
            "nodes": self.nodes,
            "unsupported": self.unsupported,
        }


@dataclass(frozen=True)
class Mark:
    """How many nodes, arrays and views a graph had at some time, and what of torch."""

    nodes: int
    arrays: int
    foreign: int
    of_torch: int


def told_since(graph: Graph, mark: Mark) -> Any:
    """Nodes and arrays since then, equal where the same was taken; whatever they refer to from before is told apart.

    Nodes as text: True, 1 and 1.0 are equal, and so are 0.0 and -0.0.
    """

    def value(x: Any) -> Any:
        if isinstance(x, dict):
            if (number := x.get("r")) is not None:
                return ("r", number - mark.nodes)
            told = {n: value(part) for n, part in x.items() if n not in ("a", "arrays", "rows")}
            return {**told, "rows": x["rows"][1:]} if "rows" in x else told
        if isinstance(x, list | tuple):
            return [value(part) for part in x]
        return x

    nodes = [value(node) for node in graph.nodes[mark.nodes :]]
    arrays = [
        (x.dtype.str, x.shape, x.tobytes()) for x in list(graph.arrays.values())[mark.arrays :]
    ]
    return repr(nodes), arrays


class Capturing(Protocol):
    """What a kind of thing needs of the `Capture` that takes it apart.

    Attributes:
        told: Whether an object is telling its own state: its arrays count by their values.
        foreign: Views of memory whose owner is known at the end: node, layout, address, path.
        of_torch: Tensors, and arrays that torch made, which may look at others' memory: node, it, path.
        boundaries: Classes whose attributes are taken one by one, as far as they can be.
        constants: What modules and classes hold under a name, if somebody has looked.
    """

    told: bool
    foreign: list[tuple[Node, Node, int, Path]]
    of_torch: list[tuple[Node, Any, Path]]
    boundaries: tuple[type, ...]
    constants: Any

    def value(self, x: Any, path: Path) -> Any:
        """How the object is written where it is referred to; it is taken in if it is new."""
        ...

    def number_all(self, things: Collection[Any]) -> int | None:
        """Take in objects that the caller writes; the first one's number, or None if one is known."""
        ...

    def keep(self, array: np.ndarray[Any, Any]) -> str:
        """Keep an array that nobody else writes into; its name."""
        ...

    def telling(self, state: Any, path: Path) -> Any:
        """As `value`, of what an object tells of itself: arrays count by their values."""
        ...

    def attempt(self, part: Any, path: Path) -> tuple[bool, Any]:
        """As `value`, or False, and no trace of the part but a sentence."""
        ...


class Rebuilding(Protocol):
    """What a kind of thing needs of the `Rebuild` that puts it back.

    Attributes:
        arrays: Of the graph.
        adapters: Class → function that writes a state into an object of that class.
        originals: Where nothing was built afresh: the objects that were taken, by node.
        boundaries: Classes of which objects are only written into.
        made: By node; whoever can contain himself enters himself before his parts are made.
        claimed: By id: fresh objects that are written into.
        writes: What is left to do once everything has been worked out.
    """

    arrays: Mapping[str, np.ndarray[Any, Any]]
    adapters: dict[type, Callable[[Any, Any], None]]
    originals: Sequence[Any] | None
    boundaries: tuple[type, ...]
    made: dict[int, Any]
    claimed: dict[int, Any]
    writes: list[Callable[[], None]]

    @property
    def constants(self) -> Any:
        """What modules and classes hold."""
        ...

    def original(self, number: int) -> Any:
        """The object that this node was taken from, where `originals` are given, else None."""
        ...

    def value(self, value: Any, fresh: Any, path: str) -> Any:
        """What a value of the document stands for."""
        ...

    def values(self, values: Sequence[Any], fresh: Any, path: str) -> list[Any]:
        """The same of each; `fresh` may be a list or tuple of as many."""
        ...
