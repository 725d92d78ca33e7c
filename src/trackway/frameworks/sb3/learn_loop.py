"""The `iteration` that `OnPolicyAlgorithm.learn` counts in a local variable.

It decides when metrics are logged and is logged itself, and nothing else tells it. So it is read from,
and written into, the frame of the running `learn`.
"""

from __future__ import annotations

import ctypes
import sys
from types import FrameType
from typing import Any


def read_iteration(model: Any) -> int | None:
    """Iterations that the running `learn` of this model has finished; None where it counts none."""
    frame = _learn_frame(model)
    return None if frame is None else int(frame.f_locals["iteration"])


def write_iteration(model: Any, iteration: int) -> None:
    """Let the running `learn` of this model go on counting from there."""
    frame = _learn_frame(model)
    if frame is None:
        return
    frame.f_locals["iteration"] = iteration
    if sys.version_info < (3, 13):  # from there on f_locals writes through (PEP 667)
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _learn_frame(model: Any) -> FrameType | None:
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "learn" and "iteration" in frame.f_code.co_varnames:
            values = frame.f_locals
            if values.get("self") is model and "iteration" in values:
                return frame
        frame = frame.f_back
    return None
