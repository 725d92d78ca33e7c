"""The machine, the process and the program: memory, versions, the state of the code."""

from __future__ import annotations

import os
import platform
import resource
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from trackway.clock import Clock

_PACKAGES = ("trackway", "stable-baselines3", "torch", "mujoco", "gymnasium", "numpy")
_GIT_TIMEOUT_S = 5.0
_FRESH_S = 1.0


class ProcessProbe:
    """Memory and processor use of this process."""

    def __init__(self, clock: Clock) -> None:
        self._process, self._clock = psutil.Process(), clock
        self._since_s, self._used_s = clock.monotonic_s(), _cpu_s()
        self._latest = {"memory_usage_mb": self._memory_mb(), "cpu_percent": 0.0}

    def read(self) -> dict[str, float]:
        """Resident memory, and processor use since the last reading (200 = two whole cores).

        Readings are `_FRESH_S` old at most: asked more often, the same one is given again.
        """
        now_s = self._clock.monotonic_s()
        passed_s = now_s - self._since_s
        if passed_s >= _FRESH_S:
            used_s = _cpu_s()
            self._latest = {
                "memory_usage_mb": self._memory_mb(),
                "cpu_percent": 100.0 * (used_s - self._used_s) / passed_s,
            }
            self._since_s, self._used_s = now_s, used_s
        return self._latest

    def _memory_mb(self) -> float:
        return float(self._process.memory_info().rss / 2**20)


def _cpu_s() -> float:
    # psutil's cpu_percent reads several files of /proc; this is one system call.
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def versions() -> dict[str, str]:
    """Python and the packages that decide whether a checkpoint fits; absent ones are left out."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Where the program runs."""
    return {
        "platform": platform.platform(),
        "hostname": platform.node(),
        "processor": platform.machine(),
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "memory_total_mb": round(psutil.virtual_memory().total / 2**20),
    }


def _cpu_model() -> str | None:
    """The processor's name where Linux tells it; one of another make may round differently."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)


def command_line() -> list[str]:
    """The interpreter and its arguments, as this process was started."""
    return list(sys.orig_argv)


def program_folder() -> Path:
    """Where the program's script lies; where it runs, if it is no file."""
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path()
    return script.resolve().parent if script.is_file() else Path.cwd()


def resume_command(zip_path: Path, total_timesteps: int | None) -> str:
    """A shell command that continues from a checkpoint, or how to do it where there is no train.py."""
    script = Path(sys.argv[0]) if sys.argv and sys.argv[0] else Path()
    if script.name != "train.py":
        script = Path("train.py")
    if not script.is_file():
        return (
            f"load it with the algorithm's own class, as in PPO.load({str(zip_path)!r}, env=env), and "
            "go on with learn(total_timesteps=..., reset_num_timesteps=False)"
        )
    words = [sys.executable, str(script.resolve()), "--run", "train", "--model_path", str(zip_path)]
    if total_timesteps is not None:
        words += ["--total_timesteps", str(total_timesteps)]
    return shlex.join(words)


def git_state(folder: Path) -> dict[str, Any] | None:
    """The commit that is checked out and whether files differ from it; None outside of git."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            check=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
        ).stdout.strip()

    try:
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        }
    except (OSError, subprocess.SubprocessError):
        return None
