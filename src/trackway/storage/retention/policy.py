"""What a folder of runs, or one run, says about keeping: `retention.toml` in it.

    full_days = 30        # everything, this long after a run's last rows
    sampled_days = 180    # then every tenth row, this long; then episodes and checkpoints only
    every = 10
    packed_days = 7       # a week after a run's end its JSON files are packed into zips
    budget_gb = 500       # of a folder of runs: the oldest go on first
    backup = "/mnt/backup"    # nothing is let go that was not copied there, and proven
    store = "s3://bucket/lab" # nor what this store has not acknowledged
    local_days = 7            # what the store has stays here so long as well; then it is pulled
    local_gb = 100            # of a folder of runs: no more steps than that stay here

Whatever is not said is kept for ever.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from trackway.errors import RetentionError
from trackway.run import RunFolder

_AGES = ("full_days", "sampled_days", "packed_days", "local_days")
_TEXTS = {"backup", "store"}


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
        store: Address of the store that has to have everything before something is let go.
        local_days: Steps that the store has are kept here so long.
        local_gb: How much the steps of a folder's runs may take here when the store has them.
    """

    full_days: float | None = None
    sampled_days: float | None = None
    every: int = 10
    packed_days: float | None = None
    budget_gb: float | None = None
    backup: Path | None = None
    store: str | None = None
    local_days: float | None = None
    local_gb: float | None = None

    def __post_init__(self) -> None:
        for name in (*_AGES, "budget_gb", "local_gb"):
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
        if self.frees and self.store is None:
            raise RetentionError("local_days and local_gb need to know which store: give store too")

    @property
    def lets_go(self) -> bool:
        return self.frees or any(getattr(self, name) is not None for name in (*_AGES, "budget_gb"))

    @property
    def frees(self) -> bool:
        """Whether steps go from here that a store has."""
        return self.local_days is not None or self.local_gb is not None

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
    wrong = [name for name, value in told.items() if isinstance(value, str) != (name in _TEXTS)]
    if wrong:
        raise RetentionError(
            f"{path}: {', '.join(wrong)} should be a number, backup and store texts"
        )
    if "backup" in told:
        told["backup"] = folder / told["backup"]
    return Policy(**told)


def policy_of(run: RunFolder, of_folder: Policy) -> Policy:
    """The run's own policy, or that of its folder."""
    return read_policy(run.path) or of_folder
