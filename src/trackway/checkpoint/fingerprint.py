"""Whether two objects that were taken apart are equal."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from trackway.checkpoint.graph import Graph


def fingerprint(graph: Graph) -> str:
    """SHA-256 of all that is in a graph, in whichever order attributes were made.

    What is left alone (`kept`) does not count; what could not be taken counts by its sentence.
    """
    taken: list[dict[str, Any]] = graph.document()["nodes"]
    numbers: dict[int, int] = {}
    nodes: list[Any] = []

    def value(x: Any) -> Any:
        if isinstance(x, list):
            return [value(part) for part in x]
        if not isinstance(x, dict) or "r" not in x:
            return x
        if (number := x["r"]) not in numbers:
            at = numbers[number] = len(nodes)
            nodes.append(None)
            nodes[at] = node(taken[number])
        return {"r": numbers[number]}

    def node(x: dict[str, Any]) -> dict[str, Any]:
        made = {n: value(x[n]) for n in sorted(x.keys() - {"kept", "a", "arrays"})}
        if x["k"] in ("object", "inherited") and isinstance(x["d"], dict):
            made["d"] = {name: value(x["d"][name]) for name in sorted(x["d"])}
        if "a" in x:
            made["a"] = array(x["a"])
        if "arrays" in x:
            made["arrays"] = {name: array(x["arrays"][name]) for name in sorted(x["arrays"])}
        return made

    def array(name: str) -> str:
        x = graph.arrays[name]
        kind = f"{x.dtype.str} {x.shape} "
        return hashlib.sha256(kind.encode() + x.tobytes()).hexdigest()

    whole = [
        {name: value(graph.roots[name]) for name in sorted(graph.roots)},
        nodes,
        sorted(graph.unsupported),
    ]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()
