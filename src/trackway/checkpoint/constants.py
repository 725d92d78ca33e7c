"""Objects that modules and classes of the program hold under a name: they are nobody's alone.

    NOMINAL = Params()                 self.params = NOMINAL, until it is drawn anew
    class Walk: nominal = Params()
    callback = Curriculum()            of the main program: it goes on in this very object

What was one of them, is again the one of that name; what was not, is never written into one that the program,
built afresh, has at the same place.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from typing import Any

from trackway.checkpoint.named_data import is_installed, is_library

_DEEPEST = 4
_OF_PYTHON = 1 << 9  # a class that a program has defined, and C has not


class Constants:
    """Those that there are now.

    Args:
        classes: Of them, too, which may be in no module: a worker has them from a pickle, with globals of their own.
    """

    def __init__(self, classes: Iterable[Any] = ()) -> None:
        self._named: dict[int, tuple[Any, str | None]] = {}
        for name, module in list(sys.modules.items()):
            if not (is_library(name) or is_installed(name)):
                for key, value in list(getattr(module, "__dict__", {}).items()):
                    self._add(value, f"{name}:{key}", name, 0)
        for kind in classes:
            for value in list(vars(kind).values()) if isinstance(kind, type) else ():
                self._add(value, None, "", 1)
                if isinstance(value, types.FunctionType) and not is_library(kind.__module__):
                    for held in list(value.__globals__.values()):
                        self._add(held, None, "", 1)

    def _add(self, x: Any, name: str | None, module: str, depth: int) -> None:
        kind: type = type(x)
        if isinstance(x, type):
            if depth == 0 and x.__module__ == module:
                for key, value in list(vars(x).items()):
                    self._add(value, f"{name}.{key}", module, 1)
        elif kind in (dict, list, tuple):
            parts = x.values() if kind is dict else x
            for part in list(parts) if depth < _DEEPEST else ():
                self._add(part, None, module, depth + 1)
        elif kind.__flags__ & _OF_PYTHON:
            self._named.setdefault(id(x), (x, name))

    def name_of(self, x: Any) -> str | None:
        """`module:qualname`, where it is one and has one."""
        return self._named.get(id(x), (None, None))[1]

    def __contains__(self, x: object) -> bool:
        return id(x) in self._named
