"""Where a training begins: anew, from a model in a run of its own, or where a run stopped."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from go1.training.arguments import parse
from go1.training.origin import Origin
from go1.training.settings import Settings, SettingsError, resolve
from trackway import files
from trackway import run as run_folder
from trackway.checkpoint.choose import choose
from trackway.checkpoint.differences import Difference, find_differences
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RunError
from trackway.legacy.set_aside import move, set_aside_records
from trackway.probes.system import git_state, machine, versions
from trackway.run import RunFolder

# A writer without a trainer gives up on a disk that refuses after 20 s.
_WRITER_ENDS_S = 60.0
_BEYOND_THE_RUN = frozenset(
    {"run_name", "model_path", "models", "resume", "auto_resume", "force", "store", "backup"}
    | {"dashboard"}
)
_SCRIPT = Path(__file__).parents[3] / "train.py"


@dataclass(frozen=True)
class Start:
    """What a training is to be, settled before anything is made.

    Attributes:
        settings: Every setting.
        origin: The model it starts from.
        run: The run that goes on; None for a new one.
        name: What a new run is to be called.
        argv: The command line, for the manifest.
        auto_resume: Whether the same command goes on with the run it made.
        facts: Versions, machine, code: what a later resume is compared with.
        differences: What is not as it was where it goes on.
        damaged: Newer checkpoints that are not whole, and why not.
    """

    settings: Settings
    origin: Origin | None
    run: RunFolder | None
    name: str | None
    argv: Sequence[str]
    auto_resume: bool
    facts: Mapping[str, Any]
    differences: Sequence[Difference] = ()
    damaged: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finished:
    """The same command was started again after its run had come to its end."""

    run: RunFolder
    timestep: int


def find_start(
    typed: Mapping[str, Any], argv: Sequence[str], models: Path, config: Path | None
) -> Start | Finished:
    """Settle where training begins, by what was typed.

    Raises:
        TrackwayError: It cannot begin so; nothing has been made or changed.
    """
    auto, name = bool(typed.get("auto_resume")), typed.get("run_name")
    if "resume" in typed:
        return _go_on(run_folder.find_run(models, typed["resume"]), typed, argv, auto)
    if auto:
        if name is None:
            raise SettingsError(
                "--auto_resume finds its run by name: add --run_name, a name of this training's own"
            )
        if (run := run_folder.named_run(models, name)) is not None:
            return _go_on(run, typed, argv, auto)
    origin = Origin.open(Path(typed["model_path"])) if "model_path" in typed else None
    settings = resolve(typed, config, origin.settings if origin else None)
    if name is not None:
        run_folder.check_run_name(name)
    if origin is not None and origin.timestep >= settings.train.total_timesteps:
        raise SettingsError(
            f"{origin.path} has already trained {origin.timestep:,} timesteps; --total_timesteps is "
            f"where training ends, so give more than that (it is {settings.train.total_timesteps:,})"
        )
    facts = _facts(settings)
    then = origin.facts if origin is not None and origin.resumes else {}
    differences = find_differences(then, facts)
    return Start(settings, origin, None, name, argv, auto, facts, differences)


def _go_on(
    run: RunFolder, typed: Mapping[str, Any], argv: Sequence[str], auto: bool
) -> Start | Finished:
    manifest = run_folder.read_manifest(run)
    if files.is_locked(run.lock):
        run_folder.hold(run)  # which says by whom it is held
    _await_writer(run)
    choice = choose(run.checkpoints)
    origin = Origin.of(choice.checkpoint) if choice.checkpoint is not None else None
    saved = origin.settings if origin is not None else manifest["config"]
    # The run's own settings, not a file that may have been edited since; what is typed wins.
    settings = resolve(typed, None, saved)
    total, done = settings.train.total_timesteps, int(manifest.get("timesteps") or 0)
    if manifest.get("status") == "finished" and done >= total:
        if auto:
            return Finished(run, done)
        raise RunError(
            f"{run.path} has come to its end at timestep {done:,}; to train on, give a larger "
            "--total_timesteps"
        )
    facts = _facts(settings)
    differences = find_differences(_latest(manifest), facts)
    others = [d for d in differences if d.another_training]
    if others and not typed.get("force"):
        told = "; ".join(map(str, others))
        raise RunError(
            f"{run.path} would not go on as the same training: {told}. Add --force to do so all "
            "the same, or fork it: trackway fork"
        )
    return Start(settings, origin, run, run.name, argv, auto, facts, differences, choice.damaged)


def make_room(start: Start, run: RunFolder, attempt: int) -> int:
    """Put aside what the run recorded beyond the point where it goes on; how many records.

    Damaged checkpoints move as well: nobody shall choose them again.
    """
    after = start.origin.timestep if start.origin is not None else -1
    into = run.set_aside(attempt)
    for path in start.damaged:
        move(path, into / "checkpoints" / path.name)
    return set_aside_records(run.realtime_data, run.history, after, into)


def program(argv: Sequence[str]) -> dict[str, Any]:
    """How this run is gone on with, forked and tried again: commands with places for the unknown.

    `{run}` is its folder, `{checkpoint}` a zip, `{name}` the name of the new run, `{models}` a folder
    for a run that is thrown away.
    """
    command = [sys.executable, str(_SCRIPT), *argv]
    alone = [sys.executable, str(_SCRIPT), *_settings_typed(argv)]
    return {
        "folder": str(Path.cwd()),
        "resume": [*command, "--resume", "{run}"],
        "fork": [*command, "--model_path", "{checkpoint}", "--run_name", "{name}"],
        "again": [*alone, "--model_path", "{checkpoint}", "--models", "{models}"],
    }


def _settings_typed(argv: Sequence[str]) -> list[str]:
    """The command line without what reaches beyond the run: its name, a store, a page."""
    words: list[str] = []
    for flag, value in parse(list(argv)).items():
        if flag not in _BEYOND_THE_RUN:
            words += [f"--{flag}"] if value is True else [f"--{flag}", str(value)]
    return words


def _facts(settings: Settings) -> dict[str, Any]:
    return {
        "config": settings.tables(),
        "versions": versions(),
        "machine": machine() | {"threads": torch.get_num_threads()},
        "git": git_state(_SCRIPT.parent),
    }


def _latest(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the manifest keeps of the last start that went on as the same training, and its settings."""
    attempts = manifest.get("attempts") or [{}]
    return {**manifest, **attempts[-1]}


def _await_writer(run: RunFolder, clock: Clock = SYSTEM_CLOCK) -> None:
    """Let the writer of a trainer that died finish its files."""
    end_s = clock.monotonic_s() + _WRITER_ENDS_S
    while files.is_locked(run.realtime_data):
        if clock.monotonic_s() > end_s:
            raise RunError(
                f"a process still writes records into {run.realtime_data}, although its trainer is "
                "gone: wait until it ends, or end it"
            )
        clock.sleep_s(0.05)
