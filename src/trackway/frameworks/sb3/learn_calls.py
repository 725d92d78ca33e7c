"""Which call of `learn` of its program a training is: a program may make several, one after the other."""

from __future__ import annotations

import weakref
from typing import Any

from trackway.checkpoint.read import Checkpoint

# By learner: how many it has begun, and when the last one began.
_CALLS: weakref.WeakKeyDictionary[Any, tuple[int, Any]] = weakref.WeakKeyDictionary()


def call_of(model: Any, origin: Checkpoint | None = None) -> int:
    """The number of the call that now begins, 1, 2, …, however many callbacks ask.

    A learner that was loaded from its `origin` (`PPO.load`) is in the call in which that was taken.
    """
    number, began = _CALLS.get(model, (0, None))
    if began != model.start_time:  # which each call sets
        number += 1
    if origin is not None and model.num_timesteps == origin.timestep != 0:
        number = max(number, origin.learn)
    _CALLS[model] = number, model.start_time
    return number
