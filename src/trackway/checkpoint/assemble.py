"""A checkpoint's zip, from the plain values and arrays that a trainer has copied; without torch.

{"model": parts of the model, or "zip": it whole, "graph": the exact state's document, packed,
"members": further ones, "manifest": facts}
arrays: "model" and "graph:…"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trackway.checkpoint.archive import with_members
from trackway.checkpoint.packed import unpacked
from trackway.checkpoint.state_member import write_graph
from trackway.checkpoint.torch_file import model_zip

Arrays = Mapping[str, "np.ndarray[Any, Any]"]
# Beside the zips: rows of replay buffers, which many checkpoints share.
REPLAY_FOLDER = "replay"
MODEL, GRAPH = "model", "graph:"


def checkpoint_zip(message: Mapping[str, Any], arrays: Arrays, unix_s: float) -> bytes:
    """The zip; equal arguments give equal bytes."""
    model = message.get("zip")
    if model is None:
        model = model_zip(message["model"], arrays[MODEL])
    members = dict(message["members"])
    if message.get("graph") is not None:
        graph = {n.removeprefix(GRAPH): a for n, a in arrays.items() if n.startswith(GRAPH)}
        members |= write_graph(unpacked(message["graph"]), graph)
    return with_members(model, members, message["manifest"], unix_s)
