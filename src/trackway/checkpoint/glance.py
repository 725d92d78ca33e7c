"""Whether nothing has changed, seen at a glance: things are still the very same.

The training waits for it, and nearly always nothing has. What is not the same is taken apart and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import compress, repeat
from operator import call, is_, is_not
from typing import Any

from trackway.checkpoint.graph import NOTHING

PLAIN = frozenset({int, float, bool, str, bytes, complex, type(None)})
Place = tuple[str, str]
# Gives what has a name, or what it is told to give where nothing has.
Reader = Callable[[str, Any], Any]


class Readings:
    """What lay at places; read again in one loop below Python."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._readers: list[Reader] = []
        self._names: list[str] = []
        self._values: list[Any] = []

    def add(self, place: Place, read: Reader, value: Any) -> None:
        """Note a value; the place's second part is the name that it is read by."""
        self._places.append(place)
        self._readers.append(read)
        self._names.append(place[1])
        self._values.append(value)

    def exchanged(self) -> Iterator[Place]:
        """Places at which another object lies now."""
        now = map(call, self._readers, self._names, repeat(NOTHING))
        return compress(self._places, map(is_not, now, self._values))


class Contents:
    """All that is in objects, lists, tuples and dicts of words, which hold plain values, code and each other only.

    Args:
        things: They; objects have a `__dict__` and nothing else.
    """

    def __init__(self, things: Collection[Any]) -> None:
        self.things = things
        self._were = [(x, type(x), *inside(x)) for x in things]

    def are_the_same(self) -> bool:
        """Whether each has what it had, in its order, each the very same."""
        for x, kind, names, values in self._were:
            if type(x) is not kind:
                return False
            names_now, now = inside(x)
            if names_now != names or len(now) != len(values) or not all(map(is_, now, values)):
                return False
        return True


def inside(x: Any) -> tuple[list[Any], list[Any]]:
    """Names and values of what a list or tuple, a dict or an object holds."""
    kind = type(x)
    if kind is list or kind is tuple:
        return [], [*x]
    held = x if kind is dict else vars(x)
    return [*held], [*held.values()]
