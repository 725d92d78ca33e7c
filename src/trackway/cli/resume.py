"""`trackway resume` and `trackway fork`: start again the program that made a run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from trackway.checkpoint.choose import choose
from trackway.cli.arguments import add_run
from trackway.errors import RunError
from trackway.recorder.child import start_child
from trackway.run import RunFolder, check_run_name, find_run, read_manifest
from trackway.sync.left import read_left, sentence
from trackway.sync.opening import STORE_VARIABLE, is_store, open_store
from trackway.sync.takeover import CLAIMED_VARIABLE, take_over

_RESUME = """\
Go on with a run where it stopped: in its own folder, as its next attempt, from its newest whole checkpoint,
by the command line that began it. A damaged checkpoint is passed over, and said. What is not as it was
(code, versions, machine, settings) is said with what it means; where it makes another training, --force is
asked for. Flags after -- go to that program, and win. What the last attempt recorded after that checkpoint is
recorded again; its JSON records are put aside, its rows stay in its attempt.
"""
_FORK = """\
Begin a new run from a checkpoint of another: the newest one at or before a timestep.
"""
_RESUME_EXAMPLES = """\
examples:
  trackway resume latest
  trackway resume my_run -- --total_timesteps 10_000_000
  trackway resume s3://bucket/prefix my_run     (fetched first, and taken over from its machine)
"""
_FORK_EXAMPLES = """\
examples:
  trackway fork my_run --at 1_000_000
  trackway fork my_run --at 1_000_000 --name slower -- --learning_rate 1e-4
"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `trackway resume` and `trackway fork`."""
    resume = _command(
        commands, "resume", "go on with a run where it stopped", _RESUME, _RESUME_EXAMPLES
    )
    resume.add_argument(
        "--force", action="store_true", help="although a change makes it another training"
    )
    resume.add_argument("name", nargs="?", metavar="", help=argparse.SUPPRESS)
    resume.set_defaults(act=_resume)

    fork = _command(
        commands, "fork", "begin a new run from a checkpoint of another", _FORK, _FORK_EXAMPLES
    )
    fork.add_argument("--at", type=_timestep, required=True, metavar="STEP", help="a timestep")
    fork.add_argument("--name", metavar="NAME", help="of the new run (fork-STEP)")
    fork.set_defaults(act=_fork)


def resume_command(run: RunFolder) -> list[str]:
    """The command that goes on with a run.

    Raises:
        RunError: Its manifest does not say how.
    """
    return filled_command(run, "resume", {"run": str(run.path.absolute())})


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    says: str,
    description: str,
    examples: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        usage=f"trackway {name} [options] RUN [-- FLAG ...]",
        help=says,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(takes_flags=True)
    add_run(command)
    return command


def _resume(args: argparse.Namespace) -> None:
    if args.name is not None:
        store = open_store(args.run)
        taken = take_over(store, args.name, args.models)
        run = taken.run
        os.environ[STORE_VARIABLE] = store.url  # a folder's whole path: the program has its own
        if taken.claimed_unix is not None:
            os.environ[CLAIMED_VARIABLE] = repr(taken.claimed_unix)
        if read_left(run).coming:
            _fetch_beside(run, store.url)
    elif is_store(args.run):
        raise RunError(f"name the run as well: trackway resume {args.run} RUN")
    else:
        run = find_run(args.models, args.run)
    force = ["--force"] if args.force else []
    _become(run, [*resume_command(run), *force, *args.flags])


def _fetch_beside(run: RunFolder, url: str) -> None:
    """Start what brings the records that the training does not wait for, as far as they are missing."""
    with (run.sync / "pull.log").open("ab") as log:
        start_child(
            *("trackway", "pull", url, run.name, "--models", str(run.path.parent)),
            "--beside-training",
            errors=log,
        )


def _fork(args: argparse.Namespace) -> None:
    run = find_run(args.models, args.run)
    if args.name is not None:
        check_run_name(args.name)
    checkpoint = choose(run.checkpoints, args.at).checkpoint
    if checkpoint is None:
        oldest = choose(run.checkpoints).checkpoint
        raise RunError(
            f"{run.path} has no whole checkpoint at or before timestep {args.at:,}"
            + (f"; its newest is of {oldest.timestep:,}" if oldest is not None else "")
            + (f"; {elsewhere}" if (elsewhere := sentence(run)) else "")
        )
    command = filled_command(
        run,
        "fork",
        {
            "checkpoint": str(checkpoint.path.absolute()),
            "name": args.name or f"fork-{checkpoint.timestep}",
        },
    )
    _become(run, [*command, *args.flags])


def filled_command(run: RunFolder, what: str, places: Mapping[str, str]) -> list[str]:
    """A command that a run's manifest keeps, with its places filled.

    Raises:
        RunError: It keeps none.
    """
    program = read_manifest(run).get("program") or {}
    words = program.get(what)
    if not words:
        raise RunError(
            f"{run.manifest} does not say by what command its training is started again: start it "
            "yourself, as in: python train.py --run train --resume RUN"
        )
    python, *rest = (
        places.get(word[1:-1], word) if word[:1] + word[-1:] == "{}" else word for word in words
    )
    # A run may come from another machine.
    return [python if Path(python).exists() else sys.executable, *rest]


def _become(run: RunFolder, command: list[str]) -> None:
    """Run the program in place of this one: signals and exit status are its own.

    Raises:
        RunError: It is not there (any more).
    """
    folder = Path((read_manifest(run).get("program") or {}).get("folder", ""))
    try:
        if folder.is_dir():
            os.chdir(folder)
        sys.stdout.flush()
        os.execv(command[0], command)
    except OSError as error:
        raise RunError(f"{command[0]} cannot be started: {error}") from error


def _timestep(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
