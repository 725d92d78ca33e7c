"""Random generators: taken apart, and put back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from trackway.checkpoint.graph import NOTHING, Capturing, Node, OpaqueError, Path, Rebuilding


def take_generator(capture: Capturing, x: Any, path: Path) -> Node:
    if isinstance(x, random.Random):
        if type(x) is not random.Random:
            raise OpaqueError(path, f"is a {type(x).__name__}, which keeps no state")
        return {"k": "random.Random", "v": capture.value(x.getstate(), path)}
    bits = x._bit_generator if isinstance(x, np.random.RandomState) else x.bit_generator
    state = capture.value(bits.state, path)
    node = {"k": type(x).__name__, "bits": type(bits).__name__, "v": state}
    seeds = getattr(bits, "seed_seq", None)
    if isinstance(seeds, np.random.SeedSequence):  # `spawn` counts its children there
        node["seeds"] = capture.value(seeds.state, path)
    return node


def make_generator(rebuild: Rebuilding, number: int, node: Node, fresh: Any, path: str) -> Any:
    state = rebuild.value(node["v"], NOTHING, path)
    if node["k"] == "random.Random":
        generator = random.Random()
        generator.setstate(state)
        return generator
    seeds = rebuild.value(node.get("seeds"), NOTHING, path)
    bits = getattr(np.random, node["bits"])(np.random.SeedSequence(**seeds) if seeds else 0)
    bits.state = state
    return getattr(np.random, node["k"])(bits)
