"""Starting the writer process, from the trainer's side."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from pathlib import Path
from typing import Final

from trackway.errors import RecordingError
from trackway.storage.places import AttemptFolder

_READY_S: Final = 60.0
_ROOT: Final = str(Path(__file__).resolve().parents[2])


def start_writer(attempt: AttemptFolder, sync_s: float, output: int) -> subprocess.Popen[bytes]:
    """Start a process that drains this attempt, with `output` as its standard output.

    Raises:
        OSError: It cannot be started, or its log not be opened.
    """
    # -P: a file in the working directory must not pass for a module of the writer. The path is
    # absolute: the training may have gone to another folder since it was started.
    command = [
        sys.executable, "-P", "-m", "trackway.recorder.stream_writer",
        str(attempt.path), str(sync_s),
    ]  # fmt: skip
    paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with attempt.writer_log.open("ab") as log:
        # A session of its own: Ctrl-C in the trainer's terminal is not for the writer.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def await_ready(writer: subprocess.Popen[bytes], attempt: AttemptFolder) -> None:
    """Return once the writer holds its lock: from now on nothing committed can be lost."""
    if writer.stdout is None:
        raise ValueError("the writer was started without a pipe to say that it is ready")
    with writer.stdout as output, selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        ready = bool(selector.select(_READY_S)) and output.readline() == b"ready\n"
    if not ready:
        writer.kill()
        writer.wait()
        said = attempt.writer_log.read_text(errors="replace").strip().splitlines()
        raise RecordingError(
            f"the writer process of {attempt.path} did not start: "
            f"{said[-1] if said else 'it said nothing'}"
        )
