"""Ctrl-C and SIGTERM end training between two steps, so that everything can be saved."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

_LOG = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopOnSignal(BaseCallback):
    """Stops `learn()` at the next step after Ctrl-C or SIGTERM.

    Python would otherwise raise in the middle of a step or an update, where no state is whole.
    `learn()` returns as if it had finished; `received` then names the signal. A second signal
    acts at once, as Python does by itself.

    Use it as a context around `learn()`: the handlers are put back when it ends.

    Args:
        signals: Which ones; a job scheduler may announce the end of a job by SIGUSR1.
    """

    def __init__(self, signals: Sequence[signal.Signals] = SIGNALS) -> None:
        super().__init__()
        self.received: signal.Signals | None = None
        self._signals = tuple(signals)
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        for number in self._signals:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        self._put_back()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        self._put_back()
        _LOG.warning(
            "%s: stopping at the next step and saving; once more stops at once",
            self.received.name,
        )

    def _put_back(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _on_step(self) -> bool:
        return self.received is None
