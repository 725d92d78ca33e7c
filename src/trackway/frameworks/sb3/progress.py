"""What training is doing, on one screen: a live table in a terminal, lines in a log file."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from stable_baselines3.common.callbacks import BaseCallback

from trackway.clock import SYSTEM_CLOCK, Clock

_TERMINAL_PERIOD_S = 0.5
_LOG_PERIOD_S = 10.0
# The speed shown is that of the last stretch, so that it answers to what happens now.
_SPEED_WINDOW_S = 10.0

Figures = Callable[[], dict[str, str]]
"""Further rows of the table, name → text; asked at each refresh, never more than twice a second."""


class ProgressDisplay(BaseCallback):
    """Shows steps, speed, return, episode length, time left, and what `figures` add.

    Args:
        total_timesteps: Where training ends.
        figures: Further rows, such as forward speed or files saved.
        console: Where to write; a terminal gets a live table, anything else a line every 10 s.
        clock: The time.
    """

    def __init__(
        self,
        total_timesteps: int,
        figures: Figures | None = None,
        console: Console | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.total_timesteps = total_timesteps
        self.figures = figures
        self.console = console or Console()
        self._clock = clock
        self._period_s = _TERMINAL_PERIOD_S if self.console.is_terminal else _LOG_PERIOD_S
        self._next_s = 0.0
        self._marks: list[tuple[float, int]] = []
        self._live: Live | None = None

    def _on_training_start(self) -> None:
        now_s = self._clock.monotonic_s()
        self._marks = [(now_s, self.num_timesteps)]
        self._next_s = now_s + min(self._period_s, 2.0)
        if self.console.is_terminal:
            self._live = Live(console=self.console, auto_refresh=False, transient=False)
            self._live.start()

    def _on_step(self) -> bool:
        if self._clock.monotonic_s() >= self._next_s:
            self._show()
        return True

    def _on_training_end(self) -> None:
        self._show()
        self.close()

    def close(self) -> None:
        """Give the terminal back; safe to call twice, also when training failed."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show(self) -> None:
        now_s = self._clock.monotonic_s()
        self._next_s = now_s + self._period_s
        self._marks.append((now_s, self.num_timesteps))
        while len(self._marks) > 2 and self._marks[1][0] < now_s - _SPEED_WINDOW_S:
            self._marks.pop(0)
        rows = self.rows()
        if self._live is not None:
            self._live.update(self._table(rows), refresh=True)
        else:
            line = "  ".join(f"{name} {text}" for name, text in rows.items())
            self.console.print(line, soft_wrap=True)

    def steps_per_second(self) -> float:
        """Timesteps a second over the last ten seconds; 0 before the first step."""
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0

    def rows(self) -> dict[str, str]:
        """The table's rows, name → text."""
        speed = self.steps_per_second()
        left = max(0, self.total_timesteps - self.num_timesteps)
        episodes = list(self.model.ep_info_buffer or ())
        rows = {
            "steps": f"{self.num_timesteps:,} of {self.total_timesteps:,}",
            "speed": f"{speed:,.0f} steps/s",
            "time left": duration(left / speed) if speed else "-",
            "return": _mean([episode["r"] for episode in episodes], "{:.2f}"),
            "episode length": _mean([episode["l"] for episode in episodes], "{:.0f} steps"),
        }
        return rows | (self.figures() if self.figures else {})

    def _table(self, rows: dict[str, str]) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", justify="right")
        # A long path breaks over lines instead of being cut: it is there to be copied.
        table.add_column(overflow="fold")
        table.add_row("", ProgressBar(self.total_timesteps, self.num_timesteps, width=60))
        for name, text in rows.items():
            table.add_row(name, text)
        return table


def duration(seconds: float) -> str:
    """A span of time for people: `42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = math.ceil(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _mean(values: list[float], form: str) -> str:
    return form.format(np.mean(values)) if values else "-"
