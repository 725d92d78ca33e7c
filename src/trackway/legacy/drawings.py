"""The drawings that a callback has under way."""

from __future__ import annotations

import logging
from collections.abc import Callable

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RenderError
from trackway.replay.job import RenderJob

_log = logging.getLogger(__name__)

# A drawing takes longer than the motion it shows; beyond this many the next ones are left out.
_MOST_AT_ONCE = 4


class Drawings:
    """Starts drawings, hears how they ended, and never waits while training runs.

    Attributes:
        failed: Drawings that came to nothing.
        left_out: Drawings not started because too many were under way.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._jobs: list[RenderJob] = []
        self.failed = self.left_out = 0

    def start(self, begin: Callable[[], RenderJob]) -> None:
        """Begin a drawing, unless too many are under way."""
        self._reap()
        if len(self._jobs) >= _MOST_AT_ONCE:
            self.left_out += 1
            if self.left_out == 1:
                _log.warning(
                    "Videos come faster than they can be drawn; those in excess are left out."
                )
            return
        try:
            self._jobs.append(begin())
        except RenderError as error:
            self._note(str(error))

    def finish(self, within_s: float) -> int:
        """Wait for what is under way; how many are not done by then (they go on by themselves)."""
        end_s = self._clock.monotonic_s() + within_s
        for job in self._jobs:
            try:
                job.wait(max(0.0, end_s - self._clock.monotonic_s()))
            except RenderError:
                continue  # told below
        self._reap()
        return len(self._jobs)

    def _reap(self) -> None:
        for job in self._jobs:
            if job.error is not None:
                self._note(job.error)
        self._jobs = [job for job in self._jobs if not job.poll()]

    def _note(self, sentence: str) -> None:
        self.failed += 1
        if self.failed == 1:
            _log.warning("%s; training goes on.", sentence)
