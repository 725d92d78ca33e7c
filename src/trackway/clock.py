"""The only reader of time: everyone else is handed a `Clock`, so that tests can turn it."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations."""

    def unix_s(self) -> float:
        """Seconds since 1970, as written into records."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since some fixed instant; never goes back."""
        ...

    def sleep_s(self, duration_s: float) -> None:
        """Let that much time pass."""
        ...


class SystemClock:
    """The machine's own clock; time is read in every step, so without a function in between."""

    unix_s = staticmethod(time.time)
    monotonic_s = staticmethod(time.monotonic)
    sleep_s = staticmethod(time.sleep)


SYSTEM_CLOCK = SystemClock()


def file_stamp(unix_s: float) -> str:
    """Local time as file names carry it: `20250101_120000`."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y%m%d_%H%M%S")


def folder_stamp(unix_s: float) -> str:
    """Local time as run folders carry it: `2025-01-01_12-00-00`."""
    return datetime.fromtimestamp(unix_s).astimezone().strftime("%Y-%m-%d_%H-%M-%S")


def iso(unix_s: float) -> str:
    """Local time with its offset, for people: `2025-01-01T12:00:00+09:00`."""
    return datetime.fromtimestamp(unix_s).astimezone().isoformat(timespec="seconds")
