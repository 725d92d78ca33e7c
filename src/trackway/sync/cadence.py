"""How often to ship: at once while somebody watches, seldom while nobody does."""

from __future__ import annotations

from typing import Final

from trackway.clock import Clock
from trackway.sync.store import Store

WATCHED_S: Final = 0.2
IDLE_S: Final = 30.0
# How often is looked whether somebody watches: a GET, a twelfth of what a PUT costs.
LOOK_S: Final = 5.0
# How long a shipper may go on that has been fenced; what it ships meanwhile does not count.
CHECK_S: Final = 1.0
# A watcher says so every few seconds; after that long without a word it is gone.
_FORGET_S: Final = 20.0
_WORST_BACKOFF_S: Final = 30.0
# Every awakening costs some 0.1 ms.
LONGEST_PAUSE_S: Final = 0.2


class Cadence:
    """When to ship next, by what watchers say and by how the last try went.

    Attributes:
        watched: Whether somebody watches.
    """

    def __init__(self, clock: Clock, idle_s: float = IDLE_S, watched_s: float = WATCHED_S) -> None:
        self._clock, self._idle_s, self._watched_s = clock, idle_s, watched_s
        self._heard: bytes | None = None
        self._heard_s = self._looked_s = -1e9
        self._shipped_s = -1e9
        self._backoff_s = 0.0
        self.watched = False

    def look(self, store: Store, key: str) -> None:
        """Ask the store whether somebody watches, where it is time to ask.

        The first answer counts for nothing: it may be years old.

        Raises:
            UnreachableError: The store cannot be reached.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < LOOK_S:
            return
        first = self._looked_s < 0
        self._looked_s = now_s
        said = store.get(key)
        if said != self._heard and said is not None and not first:
            self._heard_s = now_s
        self._heard = said
        self.watched = now_s - self._heard_s < _FORGET_S

    def due(self) -> bool:
        """Whether it is time to ship."""
        return self._clock.monotonic_s() - self._shipped_s >= self._wait_s()

    def pause_s(self) -> float:
        """How long nothing is to be done, as far as is known now; at most a fifth of a second."""
        now_s = self._clock.monotonic_s()
        left_s = min(self._shipped_s + self._wait_s(), self._looked_s + LOOK_S) - now_s
        return min(max(left_s, 0.0), LONGEST_PAUSE_S)

    def _wait_s(self) -> float:
        return max(self._watched_s if self.watched else self._idle_s, self._backoff_s)

    def went_well(self, began_s: float) -> None:
        """The store has what there was at `began_s`."""
        self._shipped_s, self._backoff_s = began_s, 0.0

    def backs_off_s(self) -> float:
        """How long not to try again after a failure: ever longer while it lasts."""
        return self._shipped_s + self._backoff_s - self._clock.monotonic_s()

    def failed(self) -> None:
        self._shipped_s = self._clock.monotonic_s()
        self._backoff_s = min(max(2 * self._backoff_s, 0.5), _WORST_BACKOFF_S)


class Bandwidth:
    """A cap on bytes a second, kept by waiting after each request."""

    def __init__(self, clock: Clock, bytes_per_s: float | None) -> None:
        self._clock, self._bytes_per_s = clock, bytes_per_s
        self._free_s = clock.monotonic_s()

    def spend(self, count: int) -> None:
        if self._bytes_per_s is None:
            return
        now_s = self._clock.monotonic_s()
        self._free_s = max(self._free_s, now_s) + count / self._bytes_per_s
        self._clock.sleep_s(self._free_s - now_s)
