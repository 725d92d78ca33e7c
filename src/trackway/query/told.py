"""What the records of one attempt tell at a glance, taken in as they come.

Nothing here grows with the run: a training of a week is looked at every second.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeGuard

import numpy as np

from trackway.errors import StreamError
from trackway.query.line import Span
from trackway.query.records import RecordFollower

STREAMS: Final = ("events", "updates", "episodes")
RECENT: Final = 100  # episodes
SPARK_POINTS: Final = 40
RECENT_COLUMNS: Final = ("return", "length", "is_success")
_SUMS: Final = 4096
_TEXTS: Final = ("algorithm", "environment")
_NUMBERS: Final = ("num_envs", "planned_timesteps")


class Told:
    """Of one attempt.

    Attributes:
        span: Its place on the line.
        counts: Records on the line, by stream.
        settings: What the events told last of the algorithm, the environment and their numbers.
        ended: How, by the event that told it.
        timesteps: The highest that was told.
        begun_unix, ended_unix: When it told something for the first and the last time.
        last_update: The timestep of the last update.
        recent: The last episodes' numbers, NaN where an episode lacks one.
        returns: All returns.
    """

    def __init__(self, span: Span) -> None:
        self.span = span
        self.counts: Counter[str] = Counter()
        self.settings: dict[str, Any] = {}
        self.ended: dict[str, str | None] = {}
        self.timesteps: float | None = None
        self.begun_unix, self.ended_unix = math.inf, -math.inf
        self.last_update: Any = None
        self.recent = {name: deque[float](maxlen=RECENT) for name in RECENT_COLUMNS}
        self.returns = Sums()
        self._followers: dict[str, RecordFollower] = {}

    def look(self, told_before: Any) -> None:
        """Take in what is new; `told_before` is the timestep of the last update before the attempt."""
        for stream in STREAMS:
            try:
                for record in self._new(stream):
                    # An update that led to a checkpoint is told before it, and again after the resume.
                    again = stream == "updates" and told_before == self.span.begin
                    if not self.span.counts(record) or (
                        again and record.get("timestep") == told_before
                    ):
                        continue
                    self._take(stream, record)
            except StreamError:
                continue  # nothing of it can be read; the other streams tell what they know

    def _new(self, stream: str) -> Iterator[dict[str, Any]]:
        if stream not in self._followers:
            folder = self.span.stream(stream)
            if folder is None:
                return
            self._followers[stream] = RecordFollower(folder)
        for portion in self._followers[stream].portions():
            yield from portion

    def _take(self, stream: str, record: dict[str, Any]) -> None:
        self.counts[stream] += 1
        timestep, unix_s = record.get("timestep"), record.get("unix_s")
        if _is_number(timestep):
            self.timesteps = max(self.timesteps or 0, timestep)
        if _is_number(unix_s):
            self.begun_unix = min(self.begun_unix, unix_s)
            self.ended_unix = max(self.ended_unix, unix_s)
        if stream == "updates":
            self.last_update = timestep
        elif stream == "events":
            self.ended[str(record.get("event"))] = record.get("how")
            texts = {n: record[n] for n in _TEXTS if isinstance(record.get(n), str)}
            self.settings |= {n: text for n, text in texts.items() if text}
            self.settings |= {n: int(record[n]) for n in _NUMBERS if _is_number(record.get(n))}
        else:
            for name, values in self.recent.items():
                value = record.get(name)
                values.append(float(value) if _is_number(value) else math.nan)
            self.returns.put(self.recent["return"][-1])


class Sums:
    """Numbers in their order as so many sums at most: when there are more, each two become one."""

    def __init__(self) -> None:
        self.size, self._width = 0, 1
        self._sums, self._finite = np.zeros(_SUMS), np.zeros(_SUMS)

    def put(self, value: float) -> None:
        if self.size == self._width * _SUMS:
            for array in (self._sums, self._finite):
                array[: _SUMS // 2] = array.reshape(-1, 2).sum(axis=1)
                array[_SUMS // 2 :] = 0.0
            self._width *= 2
        if math.isfinite(value):
            at = self.size // self._width
            self._sums[at] += value
            self._finite[at] += 1
        self.size += 1

    def add_to(self, ends: Any, offset: int, sums: Any, finite: Any) -> None:
        """Add to the stretches of numbers that end there what lies in each of them."""
        count = -(-self.size // self._width)
        at = np.searchsorted(ends, offset + np.arange(count) * self._width, "right")
        np.add.at(sums, at, self._sums[:count])
        np.add.at(finite, at, self._finite[:count])


def sparkline(all_sums: Sequence[Sums]) -> list[float | None]:
    """Means of as many stretches of equal length as fit, of all numbers in their order."""
    size = sum(sums.size for sums in all_sums)
    points = min(SPARK_POINTS, size)
    if not points:
        return []
    ends = np.cumsum([size // points + (i < size % points) for i in range(points)])
    total, finite, offset = np.zeros(points), np.zeros(points), 0
    for sums in all_sums:
        sums.add_to(ends, offset, total, finite)
        offset += sums.size
    return [float(t / n) if n else None for t, n in zip(total, finite, strict=True)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)  # a bool is 0 or 1
