"""A store whose network fails in every way that one can: before the request, after it, twice."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from trackway.errors import UnreachableError
from trackway.sync.store import Store, StoredObject


class FaultyStore:
    """Passes requests on to a real store; some fail, by a seeded choice.

    Attributes:
        share: How many of the requests meet a fault.
        faults: What has happened, by name.
    """

    def __init__(self, store: Store, seed: int, share: float = 0.3) -> None:
        self._store, self._random, self.share = store, random.Random(f"faults {seed}"), share
        self.url = store.url
        self.faults: dict[str, int] = {}

    def create(self, key: str, data: bytes) -> bool:
        fault = self._fault("refused", "lost answer", "sent twice")
        if fault == "sent twice":
            self._store.create(key, data)
        created = self._store.create(key, data)
        if fault == "lost answer":
            raise UnreachableError(f"{self.url}: the answer was lost")
        return created

    def put(self, key: str, data: bytes) -> None:
        fault = self._fault("refused", "lost answer")
        self._store.put(key, data)
        if fault == "lost answer":
            raise UnreachableError(f"{self.url}: the answer was lost")

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | None:
        self._fault("refused")
        return self._store.get(key, start, end)

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        self._fault("refused")
        return self._store.list(prefix, after)

    def folders(self, prefix: str) -> Sequence[str]:
        self._fault("refused")
        return self._store.folders(prefix)

    def delete(self, keys: Sequence[str]) -> None:
        self._store.delete(keys)

    def _fault(self, *kinds: str) -> str | None:
        if self._random.random() >= self.share:
            return None
        kind = self._random.choice(kinds)
        self.faults[kind] = self.faults.get(kind, 0) + 1
        if kind == "refused":
            raise UnreachableError(f"{self.url}: 503 slow down")
        return kind
