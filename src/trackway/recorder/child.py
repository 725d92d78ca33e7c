"""Processes that write beside the training and outlive it: starting one, and being one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

_ROOT: Final = str(Path(__file__).resolve().parents[2])


def start_child(
    module: str,
    *arguments: str,
    output: int = subprocess.DEVNULL,
    errors: IO[bytes] | None = None,
    pass_fds: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Run `python -m module` as a fresh interpreter: nothing of the trainer is forked.

    Args:
        module: Calls `become_writer` first.
        arguments: Its command line. Paths are absolute: the training may have changed folders.
        output: Its standard output.
        errors: Its standard error; the trainer's when not given.
        pass_fds: What stays open for it.

    Raises:
        OSError: It cannot be started.
    """
    paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.Popen(
        # -P: a file in the working directory must not pass for a module of the writer.
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=environment,
        pass_fds=pass_fds,
        # A session of its own: Ctrl-C in the trainer's terminal is not for the writer.
        start_new_session=True,
    )


def become_writer(niceness: int) -> None:
    """Step back behind the training, and go on when it is stopped.

    Whoever stops a training stops the trainer; what it has handed over is still to be written.
    """
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    step_back(niceness)


def step_back(niceness: int) -> None:
    """Yield the processor to everybody who is less nice, 1 to 19, the training above all."""
    with contextlib.suppress(OSError):
        os.nice(niceness)
    # Where the kernel groups processes by session, niceness counts only within the group, and a
    # new session is a new group, as heavy as the training's: the group has to step back as well.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness))
