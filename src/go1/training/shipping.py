"""A training that ships itself into a store, or copies itself to a backup, while it lasts."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from trackway import files
from trackway.cli.sync import FENCED
from trackway.errors import BackupError
from trackway.recorder.child import let_go, start_child
from trackway.run import RunFolder
from trackway.sync.opening import STORE_VARIABLE, open_store
from trackway.sync.preflight import check_store
from trackway.sync.takeover import check_mine

# A shipper that dies again and again is started ever less often.
_LOOK_S: Final = 0.5
_LONGEST_S: Final = 60.0


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


def checked_backup(typed: str | None, models: Path) -> Path | None:
    """The folder that a training is to be backed up to, made; None for none.

    Raises:
        BackupError: It lies among the runs.
        OSError: It cannot be written to.
    """
    if typed is None:
        return None
    folder = Path(typed).absolute()
    if folder.resolve().is_relative_to(models.resolve()):
        raise BackupError(f"{folder} lies within {models}: give a folder elsewhere")
    files.make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise BackupError(f"{folder} cannot be written to")
    return folder


def start_backup(run: RunFolder, folder: Path) -> None:
    """Start what copies finished files there: a process that outlives the training."""
    files.make_folder(run.sync)
    with (run.sync / "backup.log").open("ab") as log:
        start_child(
            *("trackway", "backup", str(run.path.absolute()), str(folder)),
            "--beside-training",
            errors=log,
        )


class ShipperBeside:
    """Starts the shipper: a process that outlives the training, to ship its end as well.

    One that dies is replaced; its successor learns from the store and the folder what is shipped. When another machine takes the run over, it ends the training as SIGTERM does: with a checkpoint,
    tidily.
    """

    def __init__(self, run: RunFolder, url: str, say: Callable[[str], None]) -> None:
        self._run, self._url, self._say = run, url, say
        self._ending = threading.Event()
        self._guard = threading.Thread(target=self._watch, name="trackway-shipper", daemon=True)

    def __enter__(self) -> Self:
        files.make_folder(self._run.sync)
        self._process = self._started()
        self._guard.start()
        return self

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._run.sync / "shipper.log").open("ab") as log:
            return start_child(
                *("trackway", "sync", str(self._run.path.absolute()), self._url),
                "--beside-training",
                errors=log,
            )

    def _died(self) -> bool:
        return self._process.poll() not in (None, 0, FENCED)

    def _watch(self) -> None:
        nap_s = _LOOK_S
        while not self._ending.wait(nap_s):
            nap_s = _LOOK_S if not self._died() else min(2 * nap_s, _LONGEST_S)
            if self._died():
                self._process = self._started()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._guard.join()
        if self._died():
            let_go(self._started())  # ships what is left
        if self._process.poll() == FENCED:
            self._say(
                f"Another machine has taken this run over from {self._url}: training stopped here; "
                f"what it recorded stays in {self._run.path}, a branch of its own"
            )
