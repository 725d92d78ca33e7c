"""`trackway verify --replay`: simulate a stretch of a training again, and compare it with the record."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.markup import escape

from trackway.checkpoint.choose import choose
from trackway.checkpoint.read import Checkpoint
from trackway.cli.diff import describe_difference
from trackway.cli.resume import filled_command
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import RunError, StreamError
from trackway.run import RunFolder, list_runs, read_manifest
from trackway.storage.compare import compare
from trackway.storage.difference import Comparison
from trackway.storage.line import Stretch, find_line
from trackway.storage.reader import describe, end_row
from trackway.sync.opening import STORE_VARIABLE

_STEPS: Final = 10_000
_DIFFERENT: Final = 3
_LOOK_S: Final = 0.2


def add_flags(command: argparse.ArgumentParser) -> None:
    """Give `trackway verify` what it needs to simulate again."""
    command.add_argument(
        "--replay",
        action="store_true",
        help="train again from a checkpoint, in a folder that is thrown away, and compare every step "
        f"with the record; status 0: the same bits, {_DIFFERENT}: not",
    )
    command.add_argument(
        "--at",
        type=int,
        metavar="STEP",
        help="with --replay: from the newest checkpoint at or before this timestep; else from the "
        "newest one beyond which there is a record",
    )
    command.add_argument(
        "--steps",
        type=int,
        default=_STEPS,
        metavar="N",
        help=f"with --replay: so many timesteps, as far as there is a record ({_STEPS:,})",
    )


def simulate_again(run: RunFolder, at: int | None, steps: int, as_json: bool) -> int:
    """Train again from a checkpoint and print how the steps compare.

    Returns:
        0 when every bit is the same.

    Raises:
        RunError: There is no checkpoint to begin with, or the program cannot be started or fails.
        StreamError: The run has no record of its steps.
    """
    line = find_line(run.path, "steps")
    end = _end(line[-1])
    checkpoint = choose(run.checkpoints, end - 1 if at is None else at).checkpoint
    if checkpoint is None or checkpoint.timestep is None or checkpoint.timestep >= end:
        raise RunError(f"{run.path} has no whole checkpoint before steps that are recorded")
    until = min(end, checkpoint.timestep + steps)
    with tempfile.TemporaryDirectory(prefix="trackway-again-") as folder:
        models = Path(folder)
        _train(run, checkpoint, models, until)
        (again,) = list_runs(models)
        lines = [
            [stretch.cut(until) for stretch in each]
            for each in (line, find_line(again.path, "steps"))
        ]
        found = compare("steps", *lines)
    _print(found, checkpoint, describe(line[-1].folder)[1], as_json)
    return 0 if found.same else _DIFFERENT


def _train(run: RunFolder, checkpoint: Checkpoint, models: Path, until: int) -> None:
    """Start the run's program from the checkpoint, and end it once it is so far."""
    places = {"checkpoint": str(checkpoint.path.absolute()), "models": str(models)}
    command = filled_command(run, "again", places)
    folder = Path(read_manifest(run)["program"].get("folder", ""))
    said = models / "said"
    with said.open("wb") as output:
        try:
            program = subprocess.Popen(
                command,
                cwd=folder if folder.is_dir() else None,
                env={k: v for k, v in os.environ.items() if k != STORE_VARIABLE},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        except OSError as error:
            raise RunError(f"{command[0]} cannot be started: {error}") from error
        try:
            while program.poll() is None and _reached(models) < until:
                SYSTEM_CLOCK.sleep_s(_LOOK_S)
            program.terminate()
            program.wait()
        except BaseException:
            program.kill()
            program.wait()
            raise
    if _reached(models) < until:
        last = said.read_text(errors="replace").strip().splitlines()[-1:]
        raise RunError(f"the training could not be simulated again: {''.join(last)}")


def _reached(models: Path) -> int:
    """The last timestep of the run that is trained in there."""
    for run in list_runs(models):
        try:
            return _end(find_line(run.path, "steps")[-1])
        except StreamError:
            continue  # not begun yet
    return 0


def _end(stretch: Stretch) -> int:
    return stretch.begin + end_row(stretch.folder) * describe(stretch.folder)[1]


def _print(found: Comparison, checkpoint: Checkpoint, num_envs: int, as_json: bool) -> None:
    steps = found.equal_rows * num_envs
    if as_json:
        told: dict[str, Any] = {"checkpoint": str(checkpoint.path), "equal_steps": steps}
        told |= {"from": checkpoint.timestep, "inexact_because": checkpoint.inexact_because}
        sys.stdout.buffer.write(
            orjson.dumps(told | found.to_json(), option=orjson.OPT_INDENT_2) + b"\n"
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    where = f"from {escape(str(checkpoint.path))}, timestep {checkpoint.timestep:,}"
    if found.same:
        console.print(f"{steps:,} steps simulated again {where}: [green]all equal to the record[/]")
        return
    console.print(f"simulated again {where}: [red]not as recorded[/]; {steps:,} steps are equal")
    for line in describe_difference(found):
        console.print(f"  {escape(line)}")
    console.print("  A is the record, B the simulation")
    for reason in checkpoint.inexact_because:
        console.print(f"  the checkpoint does not hold everything: {escape(reason)}")
