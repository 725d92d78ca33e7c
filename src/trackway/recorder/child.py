"""Processes that write beside the training and outlive it: starting one, and being one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import struct
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import IO, Final

_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
_LONG_TURN_NS: Final = 100_000_000
_let_go: list[subprocess.Popen[bytes]] = []
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
        # Ctrl-C in the trainer's terminal is not for the writer. Not a session of its own: where the
        # kernel groups processes by session, nobody's niceness counts beyond the group.
        process_group=0,
    )


def let_go(child: subprocess.Popen[bytes]) -> None:
    """Wait no longer for a child that goes on by itself; Python warns of one that nobody holds."""
    _let_go[:] = [other for other in (*_let_go, child) if other.poll() is None]


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
    _take_long_turns()


def _take_long_turns() -> None:
    """Let others in at once: since Linux 6.12, who has shorter turns need not wait for one to end.

    Without it, a thread of the training that wakes up waits for milliseconds, however nice we are.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    # struct sched_attr: size, policy, flags, nice, priority, turn in ns, and two of no use here
    attributes = struct.pack("=IIQiIQQQ", 48, 0, 0, os.nice(0), 0, _LONG_TURN_NS, 0, 0)
    ctypes.CDLL(None).syscall(
        number, 0, attributes, 0
    )  # an older kernel has no such thing: no harm
