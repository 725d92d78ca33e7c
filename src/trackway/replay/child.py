"""How a drawing process behaves: last in line for the processor, one of a kind at a time on a machine."""

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
from trackway.recorder.child import step_back

# What every job's folder holds: `path` (where the file goes), `in_turn`, and what the drawing needs.
JOB = "job.json"


def run(draw: Callable[[Path], bytes], kind: str = "drawing") -> int:
    """Serve the job in the folder named on the command line; the exit code of the process.

    Args:
        draw: Makes the content of the file from the job's folder.
        kind: Of the job; those of other kinds do not wait for it.
    """
    folder = Path(sys.argv[1])
    step_back(19)
    try:
        job = orjson.loads((folder / JOB).read_bytes())
        with _turn(kind) if job["in_turn"] else contextlib.nullcontext():
            files.publish(Path(job["path"]), draw(folder))
    except (RenderError, OSError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


@contextlib.contextmanager
def _turn(kind: str) -> Iterator[None]:
    """One job of a kind of this user at a time, whoever asked; a killed holder gives its turn back."""
    path = Path(tempfile.gettempdir()) / f"trackway-{kind}-{os.getuid()}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
