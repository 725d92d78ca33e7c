"""Starting the writer process, from the trainer's side."""

from __future__ import annotations

import selectors
import subprocess
from typing import Final

from trackway.errors import RecordingError
from trackway.recorder.child import start_child
from trackway.storage.places import AttemptFolder

_READY_S: Final = 60.0


def start_writer(attempt: AttemptFolder, sync_s: float, output: int) -> subprocess.Popen[bytes]:
    """Start a process that drains this attempt, with `output` as its standard output.

    Raises:
        OSError: It cannot be started, or its log not be opened.
    """
    with attempt.writer_log.open("ab") as log:
        return start_child(
            "trackway.recorder.stream_writer",
            str(attempt.path),
            str(sync_s),
            output=output,
            errors=log,
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
