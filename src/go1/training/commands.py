"""Commands that a person can paste: to resume, to test, to look."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def python() -> str:
    """How this Python is called from here: `python` inside an activated environment."""
    if os.environ.get("VIRTUAL_ENV") == sys.prefix:
        return "python"
    return shlex.quote(near(Path(sys.executable)))


def train_command(*flags: str | int | Path) -> str:
    """`python train.py …` as it must be typed in the current folder, quoted for a shell."""
    script = near(Path(__file__).parents[3] / "train.py")
    return f"{python()} {join([script, *flags])}"


def trackway_command(*words: str | Path) -> str:
    """`trackway …` as it must be typed in the current folder."""
    program = (
        "trackway" if python() == "python" else near(Path(sys.executable).with_name("trackway"))
    )
    return f"{shlex.quote(program)} {join(words)}"


def join(words: Sequence[str | int | Path]) -> str:
    """One line for a shell; a path below the current folder is written relative to it."""
    return shlex.join(near(w) if isinstance(w, Path) else str(w) for w in words)


def near(path: Path) -> str:
    """The path from here, where it lies below the current folder; else the whole path."""
    # No resolve(): .venv/bin/python is a link, and what it points to is another Python.
    whole = Path(os.path.normpath(Path.cwd() / path))
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)
