"""Local variables of a running `learn` that nothing else tells or sets.

The `iteration` that `OnPolicyAlgorithm.learn` counts decides when metrics are logged and is logged itself.
And the rollout at whose start a training is resumed has already been called, with settings as they
were before. So both are read from, and written into, the frames that run.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

_OF_ROLLOUTS = ("action_noise", "train_freq", "learning_starts")


def read_iteration(model: Any) -> int | None:
    """Iterations that the running `learn` of this model has finished; None where it counts none."""
    frame = _learn_frame(model)
    return None if frame is None else int(frame.f_locals["iteration"])


def write_iteration(model: Any, iteration: int) -> None:
    """Let the running `learn` of this model go on counting from there."""
    if (frame := _learn_frame(model)) is not None:
        _write(frame, {"iteration": iteration})


def write_rollout(model: Any, n_steps: int | None) -> None:
    """Let the rollout that now begins be made with the model's settings; it was called with others.

    Args:
        model: The algorithm.
        n_steps: Its number of steps, when it was called; where it is another now, the rollout buffer is given as many rows.
    """
    values = {name: getattr(model, name, None) for name in _OF_ROLLOUTS}
    buffer = getattr(model, "rollout_buffer", None)
    if buffer is not None and getattr(model, "n_steps", None) != n_steps:
        values["n_rollout_steps"] = buffer.buffer_size = model.n_steps
        if hasattr(buffer, "hidden_state_shape"):
            buffer.hidden_state_shape = (model.n_steps, *buffer.hidden_state_shape[1:])
        buffer.reset()
    frame = _frame(model, "collect_rollouts", "callback")
    if frame is not None:
        _write(frame, {name: values[name] for name in values.keys() & frame.f_locals.keys()})


def _write(frame: FrameType, values: Mapping[str, Any]) -> None:
    frame.f_locals.update(values)
    if sys.version_info < (3, 13):  # from there on f_locals writes through (PEP 667)
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _learn_frame(model: Any) -> FrameType | None:
    return _frame(model, "learn", "iteration")


def _frame(model: Any, function: str, local: str) -> FrameType | None:
    """Where that function of this model, which has such a local variable, is running."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == function and local in frame.f_code.co_varnames:
            values = frame.f_locals
            if values.get("self") is model and local in values:
                return frame
        frame = frame.f_back
    return None
