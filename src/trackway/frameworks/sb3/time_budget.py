"""How much of a training's time may be spent on work beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trackway.clock import SYSTEM_CLOCK, Clock


class TimeBudget:
    """Lets side work take a share of the time since training began, and no more.

        allowance = max(credit, share * elapsed) - spent

    Whoever spends more than the allowance (one slow step) is in debt, and waits until the share has
    caught up.

    Attributes:
        spent_s: Time spent since `start`, s.
    """

    def __init__(self, share: float, credit_s: float = 0.0, clock: Clock = SYSTEM_CLOCK) -> None:
        self.share = share
        self.clock = clock
        self._credit_s = credit_s
        self.spent_s = 0.0
        self._started_s = clock.monotonic_s()

    def start(self) -> None:
        """Training begins now; nothing is spent."""
        self._started_s = self.clock.monotonic_s()
        self.spent_s = 0.0

    def elapsed_s(self) -> float:
        """Time since training began, s."""
        return self.clock.monotonic_s() - self._started_s

    def allowance_s(self) -> float:
        """Time that may be spent now, s; negative in debt."""
        return max(self._credit_s, self.share * self.elapsed_s()) - self.spent_s

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time within, also when it fails."""
        began_s = self.clock.monotonic_s()
        try:
            yield
        finally:
            self.spent_s += self.clock.monotonic_s() - began_s
