"""What a folder of runs, or one run, says about keeping: `retention.toml` in it.

    full_days = 30        # everything, this long after a run's last rows
    sampled_days = 180    # then every tenth row, this long; then episodes and checkpoints only
    every = 10
    packed_days = 7       # a week after a run's end its JSON files are packed into zips
    budget_gb = 500       # of a folder of runs: the oldest go on first
    backup = "/mnt/backup"    # nothing is let go that was not copied there, and proven

Whatever is not said is kept for ever.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from trackway.errors import RetentionError
from trackway.run import RunFolder


@dataclass(frozen=True)
class Policy:
    """How long, how much, and on what condition.

    Attributes:
        full_days: Everything is kept so long; None: for ever.
        sampled_days: Every `every`-th row is kept so long, then only what is pinned; None: for ever.
        every: Which rows stay once a stream is sampled.
        packed_days: After so long JSON files are packed, which loses nothing.
        budget_gb: How much the runs of a folder may take; 1 GB is 10^9 bytes.
        backup: Where everything has to be, verified, before something is let go.
    """

    full_days: float | None = None
    sampled_days: float | None = None
    every: int = 10
    packed_days: float | None = None
    budget_gb: float | None = None
    backup: Path | None = None

    def __post_init__(self) -> None:
        for name in ("full_days", "sampled_days", "packed_days", "budget_gb"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise RetentionError(f"{name} = {value}: give a number from 0 on")
        if self.every < 2:
            raise RetentionError(f"every = {self.every}: give 2 or more")
        if None not in (self.full_days, self.sampled_days) and (
            (self.sampled_days or 0) < (self.full_days or 0)
        ):
            raise RetentionError(
                "sampled_days counts from a run's end too: give it full_days or more"
            )

    @property
    def lets_go(self) -> bool:
        ages = (self.full_days, self.sampled_days, self.packed_days)
        return any(value is not None for value in (*ages, self.budget_gb))

    def with_given(self, **given: Any) -> Policy:
        """This policy with those settings that are given."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})


def read_policy(folder: Path) -> Policy | None:
    """What a folder says, None where it says nothing.

    Raises:
        RetentionError: The file says what no policy can.
    """
    path = folder / "retention.toml"
    try:
        told = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RetentionError(f"{path} cannot be read: {error}") from error
    known = {field.name for field in fields(Policy)}
    if told.keys() - known:
        raise RetentionError(
            f"{path} says {', '.join(sorted(told.keys() - known))}; known are: {', '.join(known)}"
        )
    wrong = [name for name, value in told.items() if isinstance(value, str) != (name == "backup")]
    if wrong:
        raise RetentionError(f"{path}: {', '.join(wrong)} should be a number, backup a folder")
    if "backup" in told:
        told["backup"] = folder / told["backup"]
    return Policy(**told)


def policy_of(run: RunFolder, of_folder: Policy) -> Policy:
    """The run's own policy, or that of its folder."""
    return read_policy(run.path) or of_folder
