"""A drawing under way in a child process, seen from the process that asked for it.

trainer                                child (niced, its own group, outlives the trainer)
write what to draw into a folder  ──▶  wait for its turn, draw, publish the file, remove the folder
poll(), now and then              ◀──  exit code; on failure one sentence on stderr
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from trackway.errors import RenderError


class RenderJob:
    """One file being drawn by a child process.

    Attributes:
        path: Where the file appears, whole, once the job has succeeded.
    """

    def __init__(self, path: Path, folder: Path, module: str) -> None:
        """Start `module` on what `folder` holds; the child owns the folder from here on."""
        self.path = path
        self._folder = folder
        # An open, nameless file: readable after the child has removed its folder.
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                cwd=folder,  # a module of the user's next to train.py must not shadow ours
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._words,
                process_group=0,  # Ctrl-C in the trainer's terminal does not reach it
            )
        except OSError as error:
            raise RenderError(
                f"{path} is not drawn: no process could be started ({error})"
            ) from error
        self._error: str | None = None

    @property
    def error(self) -> str | None:
        """Why there is no file, in one sentence; None while drawing and after success."""
        if self.poll() and self._error is None and self._process.returncode != 0:
            shutil.rmtree(self._folder, ignore_errors=True)  # a killed child could not
            self._words.seek(0)
            words = self._words.read().decode(errors="replace").strip().splitlines()
            reason = words[-1] if words else f"the process ended with {self._process.returncode}"
            self._error = f"{self.path} was not drawn: {reason}"
        return self._error

    def poll(self) -> bool:
        """Whether the job has ended, well or badly. Never waits."""
        return self._process.poll() is not None

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the file. True: it is there. False: the time is over, drawing goes on.

        Raises:
            RenderError: The job ended without a file.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        if self.error is not None:
            raise RenderError(self.error)
        return True

    def __del__(self) -> None:
        self._words.close()
        # Popen would complain of a child that still runs; this one is meant to outlive us.
        if hasattr(self, "_process") and self._process.poll() is None:
            self._process.returncode = 0


def new_folder() -> Path:
    """A temporary folder for what a job needs; its child process removes it."""
    try:
        return Path(tempfile.mkdtemp(prefix="trackway-drawing-"))
    except OSError as error:
        raise RenderError(f"there is no temporary folder for a drawing ({error})") from error


def _environment() -> dict[str, str]:
    """The trainer's environment, with drawing kept to one thread and off any screen."""
    environment = os.environ | {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment.setdefault("MUJOCO_GL", "egl")
    return environment
