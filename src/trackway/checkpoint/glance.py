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


class Attributes:
    """All attributes of objects that have nothing else, and refer to plain values and each other only.

    Args:
        objects: They, all with a `__dict__`.
    """

    def __init__(self, objects: Collection[Any]) -> None:
        self.objects = objects
        self._were = [(x, type(x), [*vars(x)], [*vars(x).values()]) for x in objects]

    def are_the_same(self) -> bool:
        """Whether each object has the attributes that it had, in their order, each the very same."""
        return all(
            type(x) is kind and [*vars(x)] == names and all(map(is_, vars(x).values(), values))
            for x, kind, names, values in self._were
        )
