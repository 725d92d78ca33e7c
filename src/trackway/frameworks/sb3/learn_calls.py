"""Which call of `learn` of its program a training is: a program may make several, one after the other."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from trackway.checkpoint.read import Checkpoint

# By learner: how many it has begun, and when the last one began.
_CALLS: weakref.WeakKeyDictionary[Any, tuple[int, Any]] = weakref.WeakKeyDictionary()
_ORIGINS: weakref.WeakKeyDictionary[Any, set[Path]] = weakref.WeakKeyDictionary()


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


def note_origin(model: Any, path: Path) -> None:
    """The call of `learn` that has begun goes on from this checkpoint."""
    _ORIGINS.setdefault(model, set()).add(path)


def went_on_from(model: Any, path: Path) -> bool:
    """Whether a call of `learn` of this learner has gone on from this checkpoint."""
    return path in _ORIGINS.get(model, ())
