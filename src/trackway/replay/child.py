"""How a drawing process behaves: last in line for the processor, one at a time on a machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from trackway import files
from trackway.errors import RenderError

# What every job's folder holds: `path` (where the file goes), `in_turn`, and what the drawing needs.
JOB = "job.json"


def run(draw: Callable[[Path], bytes]) -> int:
    """Serve the job in the folder named on the command line; the exit code of the process.

    Args:
        draw: Makes the content of the file from the job's folder.
    """
    folder = Path(sys.argv[1])
    _yield_the_processor()
    try:
        job = orjson.loads((folder / JOB).read_bytes())
        with _turn() if job["in_turn"] else contextlib.nullcontext():
            files.publish(Path(job["path"]), draw(folder))
    except (RenderError, OSError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _yield_the_processor() -> None:
    os.nice(19)
    # Where the kernel groups processes by session, niceness counts only within the group, and
    # a new session is a new group: the group has to step back as well.
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    """One drawing of this user at a time, whoever asked; a killed holder gives its turn back."""
    path = Path(tempfile.gettempdir()) / f"trackway-drawing-{os.getuid()}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
