"""The exact state as members of a checkpoint: a JSON document, and its arrays as safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

DOCUMENT, ARRAYS = "state.json", "state.safetensors"


def write_graph(
    document: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, bytes]:
    """The members, by name."""
    from safetensors.numpy import save

    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return {DOCUMENT: text.encode(), ARRAYS: save(dict(arrays))}


def read_graph(
    members: Mapping[str, bytes],
) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """What `write_graph` wrote."""
    from safetensors.numpy import load

    return json.loads(members[DOCUMENT]), load(members[ARRAYS])
