"""What `train.py` runs."""

from __future__ import annotations

# Before anything that brings torch or mujoco: their thread pools are set by it.
from go1 import threads  # isort: skip

import contextlib
import logging
import signal
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from go1.training.arguments import parse
from go1.training.shipping import checked_backup, checked_store
from go1.training.start import Finished, find_start
from go1.training.test import test
from go1.training.train import train
from trackway.dashboard.beside import DashboardBeside
from trackway.errors import TrackwayError

# EX_TEMPFAIL of sysexits.h: what was asked for is not done yet, try again.
START_AGAIN = 75
_REQUEUE = (signal.SIGTERM, signal.SIGUSR1)
_DRIVE = "go1.driving:drive"


def main(argv: list[str]) -> int:
    """Run `train.py` with these arguments.

    Returns:
        The exit status: 0 when all was done or a signal ended it tidily, 1 with one sentence on
        the standard error when something could not be done, 130 after a second Ctrl-C; 75 when
        `--auto_resume` was given and a job scheduler's signal ended it.
    """
    typed = parse(argv)
    console = Console(highlight=False)

    def say(what: str) -> None:
        console.print(what, soft_wrap=True)

    complaints = Console(stderr=True, highlight=False, soft_wrap=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, show_time=False)],
    )
    threads.set_torch_threads()
    shown, store = typed.pop("dashboard", False), typed.pop("store", None)
    copied = typed.pop("backup", None)
    try:
        models = Path(typed.get("models", "models"))
        config = Path(typed["config"]) if "config" in typed else None
        if typed["run"] == "train":
            start = find_start(typed, argv, models, config)
            if isinstance(start, Finished):
                console.print(
                    f"{start.run.path} has come to its end at timestep {start.timestep:,}: nothing "
                    "is left to do",
                    soft_wrap=True,
                )
                return 0
            url, backup = checked_store(store, start.run), checked_backup(copied, models)
            page = DashboardBeside(models, say, _DRIVE) if shown else contextlib.nullcontext()
            with page:
                ended_by = train(start, models, console, url, backup)
            if start.auto_resume and ended_by in _REQUEUE:
                return START_AGAIN
        else:
            test(typed, config, models, console)
    except (TrackwayError, OSError) as error:
        complaints.print(f"train.py: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        complaints.print("train.py: stopped at once; what was saved before is whole")
        return 130
    return 0
