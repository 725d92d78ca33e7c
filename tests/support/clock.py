"""Time that a test turns by hand."""

from __future__ import annotations


class FakeClock:
    """Stands still until somebody sleeps or `advance`s it."""

    def __init__(self, now_s: float = 1_735_700_000.0) -> None:
        self.now_s = now_s

    def unix_s(self) -> float:
        return self.now_s

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep_s(self, duration_s: float) -> None:
        self.now_s += duration_s

    def advance(self, duration_s: float) -> None:
        self.now_s += duration_s
