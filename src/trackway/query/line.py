"""The line of a run: what led to the policy it ended with, through all its attempts.

    attempt 1   ━━━━━━━━━━━━━━━━━━┅┅┅┅┅┅ killed
    attempt 2                 ● begins from a checkpoint: what attempt 1 did after it is its
                              ━━━━━━━━━━━━━━━━━━━━━   abandoned tail, kept and told apart

An attempt's rows count to the line up to the earliest timestep from which a later one began.
Of several processes that record into one run at once each has a line of its own, told apart by
their ranks.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackway.errors import StreamError
from trackway.storage.line import beginning, rank_of
from trackway.storage.places import AttemptFolder, StreamFolder, attempts
from trackway.storage.reader import describe, end_row

_STEPS = "steps"


@dataclass(frozen=True)
class Span:
    """What one attempt gave to the line.

    Attributes:
        attempt: Its folder.
        num_envs: Environments in a row of `steps`; 0 where nothing tells.
        begin: The timestep it began at.
        cut: The timestep after which its records are abandoned; None: all count.
        rank: Which of several writers of the run it is of.
    """

    attempt: AttemptFolder
    num_envs: int
    begin: int
    cut: int | None
    rank: int = 0

    @property
    def rows(self) -> int | None:
        """How many rows of `steps` count; None: all."""
        if self.cut is None:
            return None
        return max(0, (self.cut - self.begin) // max(1, self.num_envs))

    def holds(self, timestep: int) -> bool:
        """Whether what was recorded at a timestep counts."""
        return self.cut is None or timestep <= self.cut

    def counts(self, record: Mapping[str, Any]) -> bool:
        """Whether a record counts; one that tells no timestep does."""
        timestep = record.get("timestep")
        return not isinstance(timestep, int | float) or self.holds(int(timestep))

    def stream(self, name: str) -> StreamFolder | None:
        """A stream of the attempt, where it has been begun."""
        return next((s for s in self.attempt.streams() if s.name == name), None)


def line(run: Path) -> list[Span]:
    """The attempts of a run, oldest first, each with what of it counts.

    An attempt that tells no beginning (a recorder without a framework's callback) goes on where the
    one before it of its rank ended.
    """
    told = [(attempt, rank_of(attempt), *_beginning(attempt)) for attempt in attempts(run)]
    cuts: dict[int, int] = {}
    after: list[int | None] = []
    for _, rank, begin, _ in reversed(told):
        after.append(cuts.get(rank))
        if begin is not None:
            cuts[rank] = min(begin, cuts.get(rank, begin))
    spans: list[Span] = []
    last: dict[int, Span] = {}
    for (attempt, rank, begin, num_envs), cut in zip(told, reversed(after), strict=True):
        if begin is None:
            begin = _end(last[rank]) if rank in last else 0
        last[rank] = Span(attempt, num_envs, begin, cut, rank)
        spans.append(last[rank])
    return spans


def _end(span: Span) -> int:
    steps = span.stream(_STEPS)
    rows = end_row(steps) if steps else 0
    return span.begin + (rows if span.rows is None else min(rows, span.rows)) * span.num_envs


def _beginning(attempt: AttemptFolder) -> tuple[int | None, int]:
    """The timestep an attempt began at, and its number of environments."""
    begin: int | None = None
    num_envs: int | None = None
    with suppress(StreamError):  # only what the events tell is missing
        begin, num_envs = beginning(attempt)
    try:
        steps = attempt.stream(_STEPS)
        return begin, num_envs or (describe(steps)[1] if steps.path.is_dir() else 0)
    except StreamError:
        return begin, 0
