"""A store: immutable objects by key; all that sync asks of one.

The one condition that everything stands on is `create`: of two who create the same key, one
succeeds. No object that counts is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class StoredObject:
    key: str
    size_bytes: int


class Store(Protocol):
    """Objects by key. Keys are ASCII letters, digits and `-_.=/`.

    Every method raises UnreachableError where a later try may succeed, StoreError where only a
    person can help.

    Attributes:
        url: Its address, without credentials.
    """

    url: str

    def create(self, key: str, data: bytes | memoryview) -> bool:
        """Store an object whole and durably, unless the key is taken; whether it was stored.

        Where it raises, something may still be reading `data`: it must stay as it is.
        """
        ...

    def put(self, key: str, data: bytes) -> None:
        """Store an object whether the key is taken or not: for what correctness does not need."""
        ...

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | None:
        """Its bytes from `start` up to `end`, fewer where it is shorter; None: no such object."""
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        """Objects whose key begins with `prefix`, a folder's name and a slash, by key.

        Args:
            prefix: Where to look, such as `runs/a/`.
            after: Only keys behind this one.
        """
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders right below `prefix`."""
        ...

    def delete(self, keys: Sequence[str]) -> None:
        """Let objects go; those that are gone already do not matter."""
        ...
