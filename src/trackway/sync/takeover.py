"""Going on with a run on another machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import SyncError
from trackway.run import RunFolder
from trackway.sync import layout, lease
from trackway.sync.acknowledged import identity
from trackway.sync.mirror import Mirror
from trackway.sync.needed import fetch_needed
from trackway.sync.store import Store

# When this machine claimed the run, for the program that goes on with it: seconds since 1970.
CLAIMED_VARIABLE: Final = "TRACKWAY_CLAIMED_UNIX"


@dataclass(frozen=True)
class Taken:
    """A run that is this machine's now.

    Attributes:
        run: Its folder.
        claimed_unix: When it was claimed, in seconds since 1970; None: it was this folder's already.
    """

    run: RunFolder
    claimed_unix: float | None = None


def take_over(store: Store, run: str, models: Path, clock: Clock = SYSTEM_CLOCK) -> Taken:
    """Claim a run's next epoch, and fetch what its training needs to go on here.

    From now on whatever its last holder ships does not count. A run that this folder holds already
    is left as it is: its own records go further than what was shipped. What a mirror has begun here
    is brought up to date as a whole.

    Args:
        store: Where the run was shipped.
        run: Its name.
        models: The folder in which its folder is made.
        clock: Gives the time of the claim.

    Raises:
        FencedError: Another machine took it over in the same moment.
        SyncError: The store has no such run, or the folder has a run of that name that went its
            own way.
    """
    folder = RunFolder((models / run).absolute())
    prefix = layout.rank_prefix(run, 0)
    known = lease.epochs(store, prefix)
    if not known:
        raise SyncError(f"{store.url} has no run {run!r}; trackway status {store.url} lists them")
    mirror = Mirror(store, run, folder.path.parent)
    if folder.manifest.exists() and not mirror.begun:
        if known[-1].writer == identity(folder):
            return Taken(folder)
        raise SyncError(
            f"{folder.path} is there already, and {known[-1].host} has taken the run over since: "
            "rename that folder, then try again"
        )
    claimed, mine = known[-1], identity(folder)
    if claimed.writer != mine:  # otherwise an earlier try was cut off after its claim
        claimed = lease.claim(store, prefix, mine, clock)
    if mirror.begun:
        while mirror.poll():
            pass
        mirror.forget()
    else:
        fetch_needed(folder, store, prefix, claimed)
    return Taken(folder, claimed.created_unix)


def check_mine(store: Store, run: RunFolder) -> None:
    """Look whether this folder may be shipped under its name.

    Raises:
        FencedError: Another machine holds the run.
    """
    known = lease.epochs(store, layout.rank_prefix(run.name, 0))
    if known:
        lease.check_mine(known[-1], identity(run))
