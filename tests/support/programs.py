"""`train.py` and `trackway` as programs of their own, small and quick."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from trackway.run import RunFolder, list_runs

ROOT = Path(__file__).parents[2]
TRACKWAY = "import sys; from trackway.cli.main import main; sys.exit(main(sys.argv[1:]))"


def train_command(*flags: object) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *map(str, flags)]


def trackway_command(*words: object) -> list[str]:
    return [sys.executable, "-c", TRACKWAY, *map(str, words)]


def start(cwd: Path, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    said, _ = process.communicate(timeout=100)
    assert process.returncode == status, said
    return said


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.02)


def only_run(cwd: Path) -> RunFolder:
    (run,) = list_runs(cwd / "models")
    return run
