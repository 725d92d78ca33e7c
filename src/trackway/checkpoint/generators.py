"""Random generators: taken apart, and put back.

One stream of bits may feed several: a `RandomState` made of a `Generator`'s goes on with it.
"""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np

from trackway.checkpoint.graph import (
    NOTHING,
    Capturing,
    DoesNotFitError,
    Node,
    OpaqueError,
    Path,
    Rebuilding,
)

_PYTHONS: Any = vars(random)["_inst"]
_NUMPYS: Any = np.random.mtrand._rand
_KINDS = (
    *(np.random.Generator, np.random.RandomState, random.Random),
    *(np.random.BitGenerator, np.random.SeedSequence),
)


def shared_name(x: Any) -> str | None:
    """Of a generator that the whole process shares, whose state is taken by itself (`rng`)."""
    if x is _PYTHONS:
        return "random:_inst"
    if x is _NUMPYS:
        return "numpy.random.mtrand:_rand"
    if x is _NUMPYS._bit_generator:
        return "numpy.random.mtrand:_rand._bit_generator"
    torch: Any = sys.modules.get("torch")
    return "torch:default_generator" if torch is not None and x is torch.default_generator else None


def is_one(x: Any) -> bool:
    return isinstance(x, _KINDS)


def take_generator(capture: Capturing, x: Any, path: Path) -> Node:
    if isinstance(x, random.Random):
        if type(x) is not random.Random:
            raise OpaqueError(path, f"is a {type(x).__name__}, which keeps no state")
        return {"k": "random.Random", "v": capture.value(x.getstate(), path)}
    if isinstance(x, np.random.SeedSequence):  # `spawn` counts its children there
        return {"k": "SeedSequence", "v": capture.value(x.state, path)}
    if isinstance(x, np.random.BitGenerator):
        if _known(type(x).__name__) is not type(x):
            raise OpaqueError(path, f"is a {type(x).__name__}, whose state is hidden", type(x))
        node: Node = {"k": "bits", "bits": type(x).__name__, "v": capture.value(x.state, path)}
        seeds = getattr(x, "seed_seq", None)
        if isinstance(seeds, np.random.SeedSequence):
            node["seeds"] = capture.value(seeds, path)
        return node
    if isinstance(x, np.random.Generator):
        return {"k": type(x).__name__, "of": capture.value(x.bit_generator, path)}
    state: Any = x.get_state(legacy=False)
    kept = (state["has_gauss"], state["gauss"])  # of two numbers that it makes at once, the second
    if kept[0] and not isinstance(x._bit_generator, np.random.MT19937):
        raise OpaqueError(path, f"is a {type(x).__name__}, whose state is hidden", type(x))
    node = {"k": type(x).__name__, "of": capture.value(x._bit_generator, path)}
    return {**node, "gauss": capture.value(kept, path)} if kept[0] else node


def make_generator(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    if node["k"] == "random.Random":
        generator = random.Random()
        generator.setstate(rebuild.value(node["v"], NOTHING, path))
        return generator
    # Once, the bits stood in what they feed.
    bits = rebuild.value(node["of"], NOTHING, path) if "of" in node else _bits(rebuild, node, path)
    made: Any = getattr(np.random, node["k"])(bits)
    if "gauss" in node:
        has_gauss, gauss = rebuild.value(node["gauss"], NOTHING, path)
        made.set_state({**made.get_state(legacy=False), "has_gauss": has_gauss, "gauss": gauss})
    return made


def make_bits(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    if node["k"] == "SeedSequence":
        return np.random.SeedSequence(**rebuild.value(node["v"], NOTHING, path))
    return _bits(rebuild, node, path)


def _bits(rebuild: Rebuilding, node: Node, path: str) -> Any:
    if (kind := _known(node["bits"])) is None:
        raise DoesNotFitError(f"{path} is a {node['bits']}, which this Trackway does not know")
    seeds = rebuild.value(node.get("seeds"), NOTHING, path)
    bits = kind(np.random.SeedSequence(**seeds) if isinstance(seeds, dict) else seeds or 0)
    bits.state = rebuild.value(node["v"], NOTHING, path)
    return bits


def _known(name: str) -> Any:
    """NumPy's own bit generator of that name."""
    kind = getattr(np.random, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, np.random.BitGenerator) else None
