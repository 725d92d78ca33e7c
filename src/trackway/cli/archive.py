"""`trackway compact`: what was recorded, as Parquet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from trackway.cli.arguments import command_of_run
from trackway.cli.recorded import find_recorded
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import StreamError
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import attempts


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about the archive."""
    says = "turn what was recorded at full rate into Parquet, a third smaller or less"
    compact = command_of_run(commands, "compact", says)
    compact.add_argument("--json", action="store_true", help="for programs")
    compact.set_defaults(
        act=lambda args: compact_run(find_recorded(args.models, args.run), args.json)
    )


def compact_run(run: Path, as_json: bool) -> None:
    """Compact all that is sealed, and print what was made of it."""
    try:
        from trackway.storage.archive import compact
    except ModuleNotFoundError as error:
        raise StreamError("install what writes Parquet: pip install 'trackway[archive]'") from error
    for attempt in attempts(run):
        finish_abandoned(attempt, SYSTEM_CLOCK)
    try:
        made = compact.compact_run(run)
    except OSError as error:
        raise StreamError(f"the disk refused, and everything is as it was: {error}") from error
    if as_json:
        told = [{**vars(one), "path": str(one.path)} for one in made]
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
        return
    for one in made:
        before, after = one.before_bytes / 1e6, one.after_bytes / 1e6
        name = one.path.relative_to(run)
        sys.stdout.write(f"{name}: {one.rows:,} rows, {before:,.1f} MB became {after:,.1f} MB\n")
    if not made:
        sys.stdout.write("nothing to compact\n")
