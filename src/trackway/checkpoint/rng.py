"""The random generators that a whole process shares: Python's, NumPy's, torch's, CUDA's."""

from __future__ import annotations

import random
import sys
from array import array
from typing import Any

import numpy as np


def capture_rng() -> dict[str, Any]:
    """Their states now; nothing is drawn. Torch's only where the program has imported it."""
    version, key, gauss = random.getstate()
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - SB3 draws from it
    state: dict[str, Any] = {
        "python": {
            "version": version,
            "key": np.array(array("I", key), np.uint32),  # the quickest way
            "gauss": gauss,
        },
        "numpy": {
            "key": numpy_state["state"]["key"],  # a copy, as torch's
            "pos": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = torch.get_rng_state().numpy().copy()  # whose memory is nobody else's
        # Not `is_available`: who asks for a generator's state makes a context on each device, and in
        # the fork of a process that has one an error.
        if torch.cuda.is_initialized():
            state["cuda"] = [s.numpy().copy() for s in torch.cuda.get_rng_state_all()]
    return state


def restore_rng(state: dict[str, Any]) -> None:
    """Go on from such states. Call it last: whatever is built afterwards may draw."""
    python = state["python"]
    random.setstate((python["version"], tuple(python["key"].tolist()), python["gauss"]))
    numpy_state = state["numpy"]
    np.random.set_state(  # noqa: NPY002
        (
            "MT19937",
            numpy_state["key"],
            numpy_state["pos"],
            numpy_state["has_gauss"],
            numpy_state["gauss"],
        )
    )
    torch: Any = sys.modules.get("torch")
    if torch is not None and "torch" in state:
        torch.set_rng_state(torch.from_numpy(state["torch"].copy()))
        if torch.cuda.is_available():
            for device, own in enumerate(state.get("cuda", ())[: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(torch.from_numpy(own.copy()), device)
