"""Tells how soon a run that was taken over from another machine went on."""

from __future__ import annotations

from collections.abc import Callable

from stable_baselines3.common.callbacks import BaseCallback

from trackway.clock import SYSTEM_CLOCK, Clock


class FirstStep(BaseCallback):
    """Says once how long after the claim of its run a training made its first step.

    Args:
        claimed_unix: When this machine claimed the run, in seconds since 1970, by its own clock.
        say: Is told a sentence.
        clock: Gives times.
    """

    def __init__(
        self, claimed_unix: float, say: Callable[[str], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        super().__init__()
        self._claimed_unix, self._say, self._clock = claimed_unix, say, clock
        self._said = False

    def _on_step(self) -> bool:
        if not self._said:
            self._said = True
            passed_s = self._clock.unix_s() - self._claimed_unix
            self._say(f"First step {passed_s:.1f} s after this machine took the run over")
        return True
