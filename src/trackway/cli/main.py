"""`trackway`: look at what training left, from any terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from trackway import __version__
from trackway.cli import (
    archive,
    completion,
    diff,
    exchange,
    keeping,
    notes,
    plot,
    probes,
    query,
    replay,
    resume,
    runs,
    serve,
    streams,
    sync,
)
from trackway.cli.arguments import command_of_run
from trackway.cli.completion import names_folder
from trackway.errors import TrackwayError


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="trackway",
        description="Flight recorder for robot reinforcement learning.",
        epilog="A RUN is a folder, the name of a run in --models, how one begins or ends, or: latest",
    )
    top.add_argument("--version", action="version", version=f"trackway {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    listing = commands.add_parser("runs", help="list the runs of a folder")
    names_folder(
        listing.add_argument(
            "models", nargs="?", type=Path, default=Path("models"), metavar="FOLDER"
        )
    )
    listing.add_argument("--json", action="store_true", help="for programs; always all of them")
    listing.add_argument("--all", action="store_true", help="not only the newest hundred")
    listing.set_defaults(act=lambda args: runs.list_all(args.models, args.json, args.all))

    show = command_of_run(commands, "show", "tell what one run is, did and left")
    show.add_argument("--json", action="store_true", help="for programs")
    show.set_defaults(act=lambda args: runs.show(args.models, args.run, args.json))
    streams.add_commands(commands)
    replay.add_commands(commands)
    archive.add_commands(commands)
    keeping.add_commands(commands)
    query.add_command(commands)
    plot.add_command(commands)
    exchange.add_commands(commands)
    diff.add_command(commands)
    resume.add_commands(commands)
    serve.add_command(commands)
    notes.add_command(commands)
    sync.add_commands(commands)

    check = commands.add_parser("check-probe", help="examine a probe of your own")
    check.add_argument("probe", metavar="MODULE:CLASS", help="such as my_package.probes:PoleProbe")
    check.add_argument(
        "--env",
        required=True,
        metavar="ENV",
        help="a Gymnasium id, or MODULE:FUNCTION that makes an environment",
    )
    check.set_defaults(act=lambda args: probes.check(args.probe, args.env))
    completion.add_command(commands, top)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0, or 1 (2 where 1 has a meaning) with one sentence on the standard
        error, or what the command says of what it found.
    """
    words, flags = _split(sys.argv[1:] if argv is None else argv)
    top = parser()
    args = top.parse_args(words)
    if flags and not getattr(args, "takes_flags", False):
        top.error("only resume and fork take flags after --")
    args.flags = flags
    status: int | None = 0
    try:
        status = args.act(args)
    except TrackwayError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"trackway: {error}", markup=False
        )
        return int(getattr(args, "trouble", 1))
    except BrokenPipeError:
        # `trackway runs | head` closed the pipe: nobody reads on, and that is no fault.
        sys.stderr.close()
    except OSError as error:
        # What is written is written whole or not at all: the file named is as it was.
        sys.stderr.write(f"trackway: a disk refused: {error}\n")
        return int(getattr(args, "trouble", 1))
    return status or 0


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """What is for this program, and after `--` what is for the one that it starts."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]
