"""Which checkpoints may go: a pure question, answered before anything is removed.

keep_last=2, keep_every=3      ■ □ □ ■ □ □ ■ □ ■ ■     ■ stays
1 2 3 4 5 6 7 8 9 10
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """What stays; the newest one always does, and that of each earlier call of `learn`.

    Attributes:
        keep_last: So many of the newest; None keeps all.
        keep_every: And every so many-th since the first.
        keep_best: And so many with the highest metric.
    """

    keep_last: int | None = None
    keep_every: int | None = None
    keep_best: int = 0

    @property
    def keeps_all(self) -> bool:
        """Whether nothing ever goes."""
        return self.keep_last is None

    def __post_init__(self) -> None:
        if self.keep_last is not None and self.keep_last < 1:
            raise ValueError(f"keep_last is {self.keep_last}; the newest checkpoint always stays")
        if self.keep_every is not None and self.keep_every < 1:
            raise ValueError(f"keep_every is {self.keep_every}; give a number, at least 1")
        if self.keep_last is None and (self.keep_every or self.keep_best):
            raise ValueError("keep_every and keep_best need keep_last; without it, all stay")


@dataclass(frozen=True)
class Kept:
    """A whole checkpoint.

    Attributes:
        name: Its file.
        number: How many were taken before it, 0, 1, 2, ….
        metric: How good the policy was; None if nobody knows.
        pinned: Somebody wants it to stay.
        learn: In which call of `learn` of its program, 1, 2, …: a program that is started again goes
            through the earlier ones by their last checkpoints.
    """

    name: str
    number: int
    metric: float | None = None
    pinned: bool = False
    learn: int = 1


def doomed(checkpoints: Sequence[Kept], policy: Policy) -> list[str]:
    """Names of those that may be removed.

    Args:
        checkpoints: Whole ones only, each verified: one that is damaged keeps nobody from staying.
            Oldest first.
        policy: What stays.
    """
    if policy.keep_last is None:
        return []
    newest = checkpoints[-policy.keep_last :]
    stays = {c.name for c in newest} | {c.name for c in checkpoints if c.pinned}
    last = {c.learn: c.name for c in checkpoints}
    stays |= {name for learn, name in last.items() if learn < checkpoints[-1].learn}
    if policy.keep_every is not None:
        stays |= {c.name for c in checkpoints if c.number % policy.keep_every == 0}
    known = [c for c in checkpoints if c.metric is not None and c.metric == c.metric]
    if policy.keep_best:
        best = sorted(known, key=lambda c: c.metric or 0.0)[-policy.keep_best :]
        stays |= {c.name for c in best}
    return [c.name for c in checkpoints if c.name not in stays]
