"""Memory that is used again and again for the bytes that are shipped."""

from __future__ import annotations


class Buffer:
    """Room for bytes. Fresh memory takes a page fault every 4 KiB, which is more than reading costs."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def room(self, size: int) -> memoryview:
        """So many bytes; what was in the room given before is gone."""
        if size > len(self._bytes):
            self._bytes = bytearray(size)
        return memoryview(self._bytes)[:size]

    def abandon(self) -> None:
        """Leave the room as it is to whoever holds it; the next is elsewhere."""
        self._bytes = bytearray()
