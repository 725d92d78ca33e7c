"""The dashboard beside a training: a process of low priority that ends when the training does."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from trackway import files
from trackway.recorder.child import start_child


class DashboardBeside:
    """Serves the runs of a folder while the block lasts; nobody waits for it.

    Args:
        models: The folder that holds the runs; made where it is missing.
        say: Is told the address, from a thread of its own, or why there is none.
        drive: What lets policies drive episodes, as `trackway serve --drive`.
    """

    def __init__(self, models: Path, say: Callable[[str], None], drive: str | None = None) -> None:
        self._models, self._say = models.absolute(), say
        self._drive = ("--drive", drive) if drive else ()
        self._lifeline: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DashboardBeside:
        try:
            files.make_folder(self._models)
            # The kernel closes our end however we end; then the server ends as well.
            theirs, self._lifeline = os.pipe()
            try:
                self._child = start_child(
                    "trackway",
                    *("serve", str(self._models), "--beside-training", str(theirs), *self._drive),
                    output=subprocess.PIPE,
                    pass_fds=(theirs,),
                )
            finally:
                os.close(theirs)
        except OSError as error:
            self._say(f"there is no dashboard: {error}")
        else:
            threading.Thread(target=self._listen, name="dashboard", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._child is not None:
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _listen(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        with self._child.stdout as output:
            line = output.readline().decode(errors="replace").strip()
        # Where it could not start, it has said why on the standard error.
        self._say(line or "there is no dashboard")
