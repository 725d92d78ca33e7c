"""`trackway plot`: figures that can be printed as they are."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trackway.cli.arguments import add_models
from trackway.cli.completion import names_run
from trackway.query.figures.data import Subject
from trackway.query.figures.plot import KINDS, plot
from trackway.query.figures.style import FORMATS
from trackway.query.run_view import RunView
from trackway.query.runs import find


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its command for figures."""
    command = commands.add_parser(
        "plot",
        help="draw runs for print: learning curves, reward components, gait, joints",
        description="Draws runs for print. Runs that differ by their seed alone become one learning "
        "curve with a band; everything else is drawn for each run.",
    )
    names_run(command.add_argument("runs", metavar="RUN", nargs="+"))
    add_models(command)
    command.add_argument(
        "--kind", nargs="+", choices=KINDS, metavar="KIND", help=f"of: {', '.join(KINDS)} (all)"
    )
    command.add_argument("--out", type=Path, default=Path("figures"), metavar="FOLDER")
    command.add_argument("--format", nargs="+", choices=FORMATS, default=["png"])
    command.add_argument("--title", help="in the place of the run's name")
    command.add_argument("--episode", type=int, metavar="N", help="whose movement to draw")
    command.add_argument("--env", type=int, metavar="N", help="of which environment")
    command.add_argument("--start", type=float, default=0.0, metavar="S", help="from when on (0 s)")
    command.set_defaults(act=draw)


def draw(args: argparse.Namespace) -> None:
    """Print the paths of what was drawn, and on the standard error what could not be."""
    runs = [find(name, args.models) for name in args.runs]
    written, missing = plot(
        [Subject(run.facts, RunView(run.path)) for run in runs],
        args.out,
        kinds=args.kind,
        formats=args.format,
        title=args.title,
        episode=args.episode,
        env=args.env,
        start=args.start,
    )
    for sentence in missing:
        sys.stderr.write(f"trackway: {sentence}\n")
    for path in written:
        sys.stdout.write(f"{path}\n")
