"""Which episodes a run has recorded, and how to name one.

    key       ATTEMPT:ENV:EPISODE, such as 001-3f9a2c:5:17, as in the streams; for ever the same
    number    how many episodes of the run had ended before it: 0, 1, 2 …

An index is a view of the streams `episodes` and `starts`: it grows with them, and nothing of it is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.clock import SYSTEM_CLOCK
from trackway.errors import EpisodeError, StreamError
from trackway.replay.attempt import COMMANDS, AttemptEpisodes, Episode
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import attempts

_KEY: Final = re.compile(r"(?:([^:]+):)?(\d+):(\d+)")
_EXTREMES: Final = ("worst", "median", "best")


@dataclass(frozen=True)
class Window:
    """A stretch of training: episodes that ended after timestep `begin`, up to `end`."""

    begin: float = -np.inf
    end: float = np.inf


@dataclass(frozen=True)
class Command:
    """What robots were asked for: number `number` of their command from `low` to below `high`."""

    number: int
    low: float = -np.inf
    high: float = np.inf


class EpisodeIndex:
    """The episodes of a run, as far as they have ended; `refresh` takes in what came since.

    Args:
        run: The run's folder.

    Raises:
        StreamError: It holds no recorded streams.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self._attempts: dict[str, AttemptEpisodes] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in attempts and episodes that are new."""
        for folder in attempts(self.run):
            if folder.name not in self._attempts:
                finish_abandoned(folder, SYSTEM_CLOCK)
                if not folder.stream("episodes").path.is_dir():
                    continue  # being made, or of another kind
                self._attempts[folder.name] = AttemptEpisodes(folder)
        if not self._attempts:
            raise StreamError(f"{self.run} holds no recorded episodes")
        for attempt in self._attempts.values():
            attempt.refresh()

    def __len__(self) -> int:
        """How many episodes have ended."""
        return sum(len(attempt) for attempt in self._attempts.values())

    @property
    def attempts(self) -> Sequence[AttemptEpisodes]:
        """Oldest first."""
        return list(self._attempts.values())

    def __getitem__(self, number: int) -> Episode:
        """The episode of that number; negative numbers count from the newest.

        Raises:
            EpisodeError: There are not so many.
        """
        wanted = number + len(self) if number < 0 else number
        left = wanted
        for attempt in self._attempts.values():
            if 0 <= left < len(attempt):
                return attempt.ended(left, wanted)
            left -= len(attempt)
        raise EpisodeError(str(number), f"{len(self)} episodes have ended")

    def find(self, wanted: str, window: Window | None = None) -> Episode:
        """The episode that a person or a page means.

        Args:
            wanted: A key; `ENV:EPISODE` of the latest attempt; a number; `latest`, `worst`,
                `median`, `best`; or `@TIMESTEP`: what environment 0 did then (`@TIMESTEP:ENV`).
            window: Where the worst, median and best are looked for; by default everywhere.

        Raises:
            EpisodeError: There is none.
        """
        if wanted == "latest":
            if len(self) == 0:
                raise EpisodeError("to show", "none has ended yet")
            return self[-1]
        if wanted in _EXTREMES:
            return self.extremes(window)[wanted]
        if wanted.lstrip("-").isdigit():
            return self[int(wanted)]
        if wanted.startswith("@"):
            timestep, _, env = wanted[1:].partition(":")
            if timestep.isdigit() and (env or "0").isdigit():
                return self.at(int(timestep), int(env or 0))
        match = _KEY.fullmatch(wanted)
        if match is None:
            raise EpisodeError(
                repr(wanted), "give a number, ENV:EPISODE, @TIMESTEP, latest, worst, median or best"
            )
        name = match[1] or next(reversed(self._attempts))
        number, of_env = int(match[3]), int(match[2])
        attempt = self._attempts.get(name)
        if attempt is None:
            raise EpisodeError(wanted, f"attempts are {', '.join(self._attempts)}")
        found = attempt.numbered(of_env, number, self._before(name))
        if found is None:
            raise EpisodeError(wanted, "this environment has recorded no such episode")
        return found

    def at(self, timestep: int, env: int = 0) -> Episode:
        """What an environment was at when training reached a timestep, ended or not.

        Raises:
            EpisodeError: Nothing was recorded then.
        """
        for name, attempt in reversed(self._attempts.items()):
            if timestep > attempt.begin_timestep or name == next(iter(self._attempts)):
                found = attempt.at_row(attempt.row_of(timestep), env, self._before(name))
                if found is not None:
                    return found
        raise EpisodeError(f"@{timestep}:{env}", "nothing was recorded then")

    def extremes(self, window: Window | None = None) -> dict[str, Episode]:
        """The worst, median and best episode of a window by return; of the nearest one if empty.

        Raises:
            EpisodeError: No episode has ended yet.
        """
        numbers = self.numbers(window or Window())
        if len(numbers) == 0:
            if len(self) == 0:
                raise EpisodeError("to show", "none has ended yet")
            middle = np.searchsorted(self.column("timestep"), (window or Window()).begin)
            numbers = np.array([min(int(middle), len(self) - 1)])
        order = numbers[np.argsort(self.column("return")[numbers], kind="stable")]
        picked = (order[0], order[(len(order) - 1) // 2], order[-1])
        return {name: self[int(n)] for name, n in zip(_EXTREMES, picked, strict=True)}

    def numbers(
        self,
        window: Window,
        reason: str | None = None,
        env: int | None = None,
        command: Command | None = None,
    ) -> NDArray[np.intp]:
        """Numbers of the episodes that ended in a window, in order.

        Args:
            window: The stretch of training.
            reason: Only those that ended so.
            env: Only those of this environment.
            command: Only those that were asked for it as they began.
        """
        timestep = self.column("timestep")
        chosen = (timestep > window.begin) & (timestep <= window.end)
        if reason is not None:
            chosen &= self.column("reason") == reason
        if env is not None:
            chosen &= self.column("env") == env
        if command is not None:
            asked = self.column(COMMANDS[command.number])
            chosen &= (asked >= command.low) & (asked < command.high)
        return np.flatnonzero(chosen)

    def column(self, name: str) -> NDArray[Any]:
        """One fact of every ended episode: `timestep`, `return`, `length`, `env`, `reason` or one of `COMMANDS`."""
        return np.concatenate([attempt.column(name) for attempt in self._attempts.values()])

    def evolution(self, parts: Sequence[float] = (0.01, 0.1, 0.3, 0.6, 1.0)) -> list[Episode]:
        """The median episode around each part of what was trained: how the policy came to be."""
        timestep = self.column("timestep")
        if len(timestep) == 0:
            raise EpisodeError("to show", "none has ended yet")
        end = float(timestep.max())
        windows = [Window(max(0.0, part - 0.05) * end, max(part, 0.01) * end) for part in parts]
        return [self.extremes(window)["median"] for window in windows]

    def _before(self, name: str) -> int:
        """Episodes that ended in attempts before this one."""
        names = list(self._attempts)
        return sum(len(self._attempts[n]) for n in names[: names.index(name)])
