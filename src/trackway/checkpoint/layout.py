"""What an object is made of, below its methods: attributes, slots, memory."""

from __future__ import annotations

import types
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np


def attributes_of(x: Any) -> list[tuple[str, Any]]:
    """Its attributes: those of its `__dict__`, and those in slots."""
    kind: type = type(x)
    found = list(vars(x).items()) if kind.__dictoffset__ else []
    for name in slots_of(kind):
        try:
            found.append((name, object.__getattribute__(x, name)))
        except AttributeError:
            continue
    return found


@cache
def slots_of(kind: type) -> tuple[str, ...]:
    """Names of the slots, as attributes are called."""
    names = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                names.append(f"_{base.__name__.lstrip('_')}{name}" if private else name)
    return tuple(names)


@cache
def has_plain_layout(kind: type) -> bool:
    """Whether attributes are all there is: nothing below Python keeps state of its own."""
    return kind is types.SimpleNamespace or adds_attributes(kind, object)


def adds_attributes(kind: Any, base: Any) -> bool:
    """Whether a class of Python's adds attributes to another one, and nothing else.

    The sum that `object.__reduce_ex__` does in C before it agrees to pickle.
    """
    if not kind.__flags__ & (1 << 9) or kind.__itemsize__ or issubclass(kind, type):  # heap type
        return False
    size: int = base.__basicsize__ + 8 * len(slots_of(kind))
    for offset in ("__dictoffset__", "__weakrefoffset__"):
        size += 8 * (getattr(kind, offset) > 0 and getattr(base, offset) == 0)
    return bool(kind.__basicsize__ <= size)


def address_of(array: np.ndarray[Any, Any]) -> int:
    """Where its first element lies."""
    return int(array.__array_interface__["data"][0])


def axes_of(strides: Sequence[int]) -> list[int]:
    """The axes from the longest stride to the shortest: in this order the memory is gone through."""
    return sorted(range(len(strides)), key=lambda axis: -strides[axis])
