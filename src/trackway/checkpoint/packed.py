"""Many small dicts as one node: how they are held until they are written.

    taken     {"k": "deque", "max": 100, "rows": (7, ("r", "l"), [0.5, 3, 1.5, 4, …])}, None, None, …
    written   {"k": "deque", "max": 100, "v": [{"r": 7}, {"r": 8}, …]},
              {"k": "dict", "v": [["r", 0.5], ["l", 3]]}, {"k": "dict", "v": [["r", 1.5], …

The infos of the last hundred episodes are six hundred Python objects when each is a node of its own. To
make and to free them takes a tenth of a checkpoint's time, while the training waits; the writer process
has time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def unpacked(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with a node for each dict, as it is written; the one that is given stays as it is."""
    nodes = list(document["nodes"])
    for number, node in enumerate(document["nodes"]):
        if node is None or (rows := node.get("rows")) is None:
            continue
        first, keys, values = rows
        starts = range(0, len(values), len(keys))
        items = [{"r": first + i} for i in range(len(starts))]
        others = {k: v for k, v in node.items() if k not in ("k", "rows")}
        nodes[number] = {"k": node["k"], "v": items, **others}
        for i, start in enumerate(starts):
            row = map(scalar, values[start : start + len(keys)])
            nodes[first + i] = {"k": "dict", "v": [[k, v] for k, v in zip(keys, row, strict=True)]}
    return {**document, "nodes": nodes}


def scalar(x: Any) -> Any:
    """How a plain value is written: JSON knows no infinity and no NaN."""
    return {"f": repr(x)} if type(x) is float and not math.isfinite(x) else x
