"""A store in this process's memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from trackway.sync.store import StoredObject


class MemoryStore:
    def __init__(self) -> None:
        self.url = "memory"
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def create(self, key: str, data: bytes) -> bool:
        with self._lock:
            if key in self._objects:
                return False
            self._objects[key] = bytes(data)
            return True

    def put(self, key: str, data: bytes) -> None:
        self._objects[key] = bytes(data)

    def get(self, key: str, start: int = 0, end: int | None = None) -> bytes | None:
        data = self._objects.get(key)
        return None if data is None else data[start:end]

    def list(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        keys = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        return iter([StoredObject(key, len(self._objects[key])) for key in keys])

    def folders(self, prefix: str) -> Sequence[str]:
        below = (key[len(prefix) :] for key in self._objects if key.startswith(prefix))
        return sorted({rest.partition("/")[0] for rest in below if "/" in rest})

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._objects.pop(key, None)
