"""Methods of one object replaced for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Patch:
    """Replaces methods of an object, for itself alone, until `undo`."""

    def __init__(self, target: Any, **methods: Callable[..., Any]) -> None:
        self._target, self._methods = target, methods
        self._before = {name: vars(target).get(name) for name in methods}
        for name, method in methods.items():
            setattr(target, name, method)

    def undo(self) -> None:
        """Put back what was there, unless somebody else has patched over it since."""
        for name, method in self._methods.items():
            if vars(self._target).get(name) != method:
                continue
            before = self._before[name]
            if before is None:
                delattr(self._target, name)
            else:
                setattr(self._target, name, before)
