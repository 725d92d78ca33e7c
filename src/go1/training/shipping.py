"""A training that ships itself into a store while it lasts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Self

from trackway import files
from trackway.cli.sync import FENCED
from trackway.recorder.child import start_child
from trackway.run import RunFolder
from trackway.sync.opening import STORE_VARIABLE, open_store
from trackway.sync.preflight import check_store
from trackway.sync.takeover import check_mine


def checked_store(typed: str | None, run: RunFolder | None) -> str | None:
    """The store that a training is to be shipped into, tried; None for none.

    Args:
        typed: What the command line says; otherwise the environment says it.
        run: The run that goes on; None for a new one.

    Raises:
        StoreError: It cannot be used.
        FencedError: Another machine has taken the run over.
    """
    url = typed or os.environ.get(STORE_VARIABLE)
    if not url:
        return None
    store = open_store(url)
    check_store(store)
    if run is not None:
        check_mine(store, run)
    return url


class ShipperBeside:
    """Starts the shipper: a process that outlives the training, to ship its end as well.

    When another machine takes the run over, it ends the training as SIGTERM does: with a checkpoint,
    tidily.
    """

    def __init__(self, run: RunFolder, url: str, say: Callable[[str], None]) -> None:
        self._run, self._url, self._say = run, url, say

    def __enter__(self) -> Self:
        files.make_folder(self._run.sync)
        with (self._run.sync / "shipper.log").open("ab") as log:
            self._process = start_child(
                *("trackway", "sync", str(self._run.path.absolute()), self._url),
                "--beside-training",
                errors=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() == FENCED:
            self._say(
                f"Another machine has taken this run over from {self._url}: training stopped here; "
                f"what it recorded stays in {self._run.path}, a branch of its own"
            )
