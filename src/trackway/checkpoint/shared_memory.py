"""Tensors that look at memory which is somebody else's, too; and arrays that torch made of tensors.

    self.std = policy.log_std.data            writes into the policy
    self.head = self.buffer[:3]               reads what is written into the buffer
    self.tensor = torch.from_numpy(self.rows)

Each is taken as a copy first. Whose memory it is, is known when all is taken: then a part of another tensor or array is
written as one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trackway.checkpoint import torch_objects
from trackway.checkpoint.graph import (
    NOTHING,
    DoesNotFitError,
    Graph,
    Node,
    Path,
    Rebuilding,
    spelled,
)
from trackway.checkpoint.layout import address_of


def find_shared(
    graph: Graph,
    taken: Iterable[tuple[Node, Any, Path]],
    originals: Sequence[Any],
    externals: Mapping[str, Any],
) -> None:
    """Write those that are parts of others as such; name those that share memory in another way.

    Args:
        graph: Where all is taken.
        taken: Nodes of tensors, and of arrays that torch made; what they were made of, and its place.
        originals: Of each node.
        externals: By name, what is not looked into.
    """
    owners = dict(_owners(graph, originals, externals))
    for node, x, path in taken:
        start = _start(x)
        reference, owner = owners.get(start) or _around(start, owners) or (None, x)
        owners.setdefault(start, (None, x))
        if owner is x or not start:
            continue
        if reference is None or getattr(x, "requires_grad", False):
            graph.unsupported.append(f"{spelled(path)} shares its memory with something else")
            continue
        del graph.arrays[node.pop("a")]
        for name in node.keys() - {"readonly"}:
            del node[name]
        node |= {"of": reference, "offset": _address(x) - _address(owner), "shape": list(x.shape)}
        if isinstance(x, np.ndarray):
            node |= {"k": "view", "t": x.dtype.str, "strides": list(x.strides)}
        else:
            kind = str(x.dtype).removeprefix("torch.")
            node |= {"k": "part", "t": kind, "strides": list(x.stride())}


def make_part(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    torch: Any = sys.modules["torch"]
    owner = rebuild.value(node["of"], NOTHING, path)
    whole = torch.from_numpy(owner) if isinstance(owner, np.ndarray) else owner.detach()
    kind, shape, strides = getattr(torch, node["t"]), node["shape"], node["strides"]
    reach = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) + 1
    start, end = node["offset"], node["offset"] + reach * kind.itemsize
    memory = whole.reshape(-1).view(torch.uint8)
    if not 0 <= start <= end <= len(memory):
        raise DoesNotFitError(f"{path} is a part of what is smaller now")
    return memory[start:end].view(kind).as_strided(shape, strides)


def _owners(
    graph: Graph, originals: Sequence[Any], externals: Mapping[str, Any]
) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """By where its memory starts: how one is referred to who has the whole of it (None: not at all), and it.

    Whoever comes last counts: what is outside before an array, and that before the first tensor.
    """
    torch: Any = sys.modules["torch"]
    numbered = list(enumerate(originals))
    for number, x in reversed(numbered):
        if torch_objects.is_tensor(x) and _is_whole(x):
            yield _start(x), ({"r": number}, x)
    for number, x in numbered:
        if type(x) is np.ndarray and x.base is None and x.flags.c_contiguous:
            reference = {"r": number} if graph.nodes[number].keys() == {"k", "a"} else None
            yield address_of(x), (reference, x)
    for name, x in externals.items():
        if isinstance(x, torch.optim.Optimizer):
            moments = (moment for kept in x.state.values() for moment in kept.values())
            yield from ((_start(m), (None, None)) for m in moments if torch_objects.is_tensor(m))
        elif isinstance(x, torch.Tensor):
            yield _start(x), ({"x": name} if _is_whole(x) else None, x)


def _is_whole(x: Any) -> bool:
    """Whether a tensor has all of its memory, and goes through it in order."""
    return bool(x.is_contiguous() and x.nbytes == x.untyped_storage().nbytes())


def _around(start: int, owners: Mapping[int, tuple[Any, Any]]) -> tuple[Any, Any] | None:
    """The array in whose midst the memory starts, as that of `torch.from_numpy(rows[2:])`."""
    arrays = [(at, kept) for at, kept in owners.items() if isinstance(kept[1], np.ndarray)]
    return next((kept for at, kept in arrays if at <= start < at + kept[1].nbytes), None)


def _start(x: Any) -> int:
    while isinstance(x, np.ndarray):
        x = x.base
    return int(x.untyped_storage().data_ptr())


def _address(x: Any) -> int:
    return address_of(x) if isinstance(x, np.ndarray) else int(x.data_ptr())
