"""A run's folder: its layout, its manifest, and how runs are found.

Only this module spells the paths of a run:

    models/2025-01-01_12-00-00-my_experiment/
    ├── run.json            the manifest: ids, command line, configuration, how it ended
    ├── checkpoints/        checkpoint_<time>.zip, models that `PPO.load` opens
    ├── best_model.zip      by evaluation
    ├── final_model.zip     where training ended
    ├── videos/             mp4, at true speed
    ├── training_history.json
    ├── realtime_data/      the JSON records
    │   └── set_aside/      what a dead attempt recorded that was recorded again
    ├── sync/               what a store has acknowledged of all this
    └── training.lock       held while a process trains
"""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil

from trackway import files
from trackway.clock import SYSTEM_CLOCK, Clock, folder_stamp, iso
from trackway.errors import RunError

MANIFEST_VERSION = 1
_NAME = re.compile(r"[^/\\\0]{1,120}")


@dataclass(frozen=True)
class RunFolder:
    """Where everything of one run lies."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def manifest(self) -> Path:
        return self.path / "run.json"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def realtime_data(self) -> Path:
        return self.path / "realtime_data"

    @property
    def hyperparameters(self) -> Path:
        return self.realtime_data / "hyperparameters"

    @property
    def videos(self) -> Path:
        return self.path / "videos"

    @property
    def sync(self) -> Path:
        return self.path / "sync"

    @property
    def best_model(self) -> Path:
        return self.path / "best_model.zip"

    @property
    def final_model(self) -> Path:
        return self.path / "final_model.zip"

    @property
    def notes(self) -> Path:
        """What people wrote to the run: tags and a note."""
        return self.path / "notes.json"

    @property
    def keep(self) -> Path:
        """What stays of the run whatever a policy says."""
        return self.path / "keep.json"

    @property
    def history(self) -> Path:
        return self.path / "training_history.json"

    @property
    def lock(self) -> Path:
        return self.path / "training.lock"

    def set_aside(self, attempt: int) -> Path:
        """Where records make room that attempt number `attempt` makes again."""
        return self.realtime_data / "set_aside" / str(attempt)


def check_run_name(name: str) -> None:
    """Refuse a name that could not be a folder's.

    Raises:
        RunError: The name holds a slash, or is too long.
    """
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise RunError(
            f"{name!r} cannot name a run: use up to 120 characters without a slash, "
            "such as resumed_experiment"
        )


def create_run(models: Path, name: str | None = None, clock: Clock = SYSTEM_CLOCK) -> RunFolder:
    """Make `models/<time>[-name]`, a folder that no other run has.

    Raises:
        RunError: The name is unusable, or the folder cannot be made.
    """
    if name is not None:
        check_run_name(name)
    stem = folder_stamp(clock.unix_s()) + (f"-{name}" if name else "")
    try:
        files.make_folder(models)
        for count in range(1, 1000):
            path = models / (stem if count == 1 else f"{stem}_{count}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            files.sync_folder(models)
            return RunFolder(path)
    except OSError as error:
        raise RunError(f"no run can be made in {models}: {error}") from error
    raise RunError(f"{models / stem} and 998 folders like it exist; wait a second and try again")


def new_manifest(
    *, command: list[str], config: Mapping[str, Any], clock: Clock = SYSTEM_CLOCK, **facts: Any
) -> dict[str, Any]:
    """What is known of a run as it starts.

    Args:
        command: The command line, `sys.argv`.
        config: Every setting of the training.
        clock: Gives the time of creation.
        facts: Further members, such as versions, machine, git state, resumed_from.
    """
    return {
        "format": "trackway-run",
        "version": MANIFEST_VERSION,
        "run_id": uuid.uuid4().hex,
        "created": iso(clock.unix_s()),
        "created_unix": clock.unix_s(),
        "status": "running",
        "process": this_process(),
        "command": command,
        "config": dict(config),
        **facts,
    }


def this_process() -> dict[str, Any]:
    """What names this process for good: an id alone is used again after a while."""
    process = psutil.Process()
    return {
        "pid": process.pid,
        "started_unix": process.create_time(),
        "host": socket.gethostname(),
    }


def write_manifest(run: RunFolder, manifest: Mapping[str, Any]) -> None:
    """Publish the manifest, whole or not at all."""
    files.publish(run.manifest, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))


def read_manifest(run: RunFolder) -> dict[str, Any]:
    """Read a run's manifest.

    Raises:
        RunError: There is none, it is damaged, or a later Trackway wrote it.
    """
    try:
        manifest = orjson.loads(run.manifest.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{run.path} is not a run: it holds no run.json") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise RunError(f"{run.manifest} cannot be read: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != "trackway-run":
        raise RunError(f"{run.manifest} is not a manifest of Trackway")
    if int(manifest.get("version", 0)) > MANIFEST_VERSION:
        raise RunError(f"{run.manifest} was written by a later Trackway: update this one")
    return manifest


def hold(run: RunFolder) -> files.Lock:
    """Take the run for this process, until it releases the lock or ends, however it ends.

    Raises:
        RunError: Another process trains it.
    """
    try:
        held = files.lock(run.lock)
    except OSError as error:
        raise RunError(f"{run.path} cannot be written: {error}") from error
    if held is None:
        process = read_manifest(run).get("process", {})
        raise RunError(
            f"{run.path} is being trained by process {process.get('pid')}: stop it first, or wait"
        )
    return held


def named_run(models: Path, name: str) -> RunFolder | None:
    """The newest run that was given exactly this name; None where there is none.

    Raises:
        RunError: The name is unusable.
    """
    check_run_name(name)
    for run in reversed(list_runs(models)):
        try:
            if read_manifest(run).get("name") == name:
                return run
        except RunError:
            continue  # a damaged manifest names nobody
    return None


def status(manifest: Mapping[str, Any]) -> str:
    """How the run stands: running, finished, interrupted, failed, or crashed.

    A run that calls itself running while its process is gone has crashed. Of a run on another
    machine that cannot be told: it is running until its manifest says otherwise.
    """
    said = str(manifest.get("status", "unknown"))
    if said != "running":
        return said
    process = manifest.get("process", {})
    if process.get("host", here := socket.gethostname()) != here:
        return said  # nobody on this machine can look at that process
    try:
        started_unix = psutil.Process(int(process.get("pid", -1))).create_time()
    except (psutil.Error, ValueError):
        return "crashed"
    same = abs(started_unix - float(process.get("started_unix", 0.0))) < 1.0
    return "running" if same else "crashed"


def list_runs(models: Path) -> list[RunFolder]:
    """Every folder below `models` that holds a manifest, oldest first."""
    return [RunFolder(path.parent) for path in sorted(models.glob("*/run.json"))]


def check_folder(models: Path) -> None:
    """Make sure that there is such a folder of runs.

    Raises:
        RunError: There is none.
    """
    if not models.is_dir():
        raise RunError(f"{models} is not a folder; runs are usually kept in: models")


def find_run(models: Path, name: str) -> RunFolder:
    """The run that `name` means: a folder, a run's name, the end of one, or "latest".

    Names are looked up among the runs that exist; they are never joined to a path.

    Raises:
        RunError: No run or more than one answers to the name, or there is no such folder.
    """
    if (Path(name) / "run.json").is_file():
        return RunFolder(Path(name))
    check_folder(models)
    runs = {run.name: run for run in list_runs(models)}
    return runs[meant(name, list(runs), models)]


def meant(name: str, names: Sequence[str], models: Path) -> str:
    """The one of `names`, those of the runs of `models` from the oldest, that a person means.

    "latest" is the newest training: a test of what it made is a run as well, and comes after it.

    Raises:
        RunError: No run or more than one answers to `name`.
    """
    if not names:
        raise RunError(f"{models} holds no runs; train one with: make train")
    if name == "latest":
        return next((n for n in reversed(names) if not _is_test(models / n)), names[-1])
    if name in names:
        return name
    found = [known for known in names if known.startswith(name) or known.endswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(found[-3:])
        raise RunError(f"{name!r} could mean {len(found)} runs ({some}): write more of the name")
    raise RunError(f"no run in {models} is called {name!r}; trackway runs {models} lists them")


def _is_test(path: Path) -> bool:
    try:
        return "tested" in read_manifest(RunFolder(path))
    except RunError:
        return False
