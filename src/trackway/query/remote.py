"""Runs that lie in a store, brought here to be asked."""

from __future__ import annotations

from pathlib import Path

from trackway.storage.cache import cache_file
from trackway.sync.follower import Follower
from trackway.sync.opening import is_store, open_store


def stored_runs(url: str) -> Path:
    """The folder in which the runs of a store are made again on this machine."""
    return cache_file("stores", url)


def brought_here(models: Path | str) -> Path:
    """A folder with these runs: itself, or what a store has of them now.

    Raises:
        StoreError: The store cannot be used, or not be reached.
    """
    if not is_store(str(models)):
        return Path(models)
    folder = stored_runs(str(models))
    folder.mkdir(parents=True, exist_ok=True)
    Follower(open_store(str(models)), folder).catch_up()
    return folder
