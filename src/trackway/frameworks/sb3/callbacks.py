"""Callbacks within callbacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from stable_baselines3.common.callbacks import BaseCallback

Kind = TypeVar("Kind", bound=BaseCallback)


def callbacks_of(callback: Any, kind: type[Kind]) -> Iterator[Kind]:
    """Those of a kind among a training's callbacks, however they are nested."""
    if isinstance(callback, kind):
        yield callback
    for child in (*getattr(callback, "callbacks", ()), getattr(callback, "callback", None)):
        if isinstance(child, BaseCallback):
            yield from callbacks_of(child, kind)
