"""`trackway compact`: what was recorded, as Parquet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import orjson

from trackway.cli.arguments import command_of_run
from trackway.cli.recorded import find_recorded
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import MissingExtraError, RunError, StreamError
from trackway.format import pieces
from trackway.format.part import RESIM
from trackway.run import RunFolder
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.archive.precision import wanted_precision
from trackway.storage.places import attempts, find_stream
from trackway.storage.reader import describe
from trackway.storage.retention.cuts import is_written

if TYPE_CHECKING:
    from trackway.replay.resim import Converted
    from trackway.storage.archive.compact import Made


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about the archive."""
    says = "turn what was recorded at full rate into Parquet, a third smaller or less"
    compact = command_of_run(commands, "compact", says)
    compact.add_argument(
        "--tier",
        choices=("resim", "exact"),
        help="resim: keep key frames and actions alone of what a simulation gives again bit for bit; "
        "exact: make such parts whole again",
    )
    compact.add_argument("--stream", default="steps", help="with --tier: which stream (steps)")
    compact.add_argument("--json", action="store_true", help="for programs")
    compact.set_defaults(act=_compact)


def _compact(args: argparse.Namespace) -> int:
    run = find_recorded(args.models, args.run)
    try:
        if args.tier is not None:
            return change_tier(run, args.stream, args.tier, args.json)
        compact_run(run, args.json)
    except OSError as error:
        raise StreamError(
            f"the disk refused; what was not finished is as it was: {error}"
        ) from error
    return 0


def compact_run(run: Path, as_json: bool) -> None:
    """Compact all that is sealed, and print what was made of it."""
    made = _make_parts(run)
    if as_json:
        _print_json([*made, *_settled(run)])
        return
    for one in made:
        before, after = one.before_bytes / 1e6, one.after_bytes / 1e6
        name = one.path.relative_to(run)
        sys.stdout.write(f"{name}: {one.rows:,} rows, {before:,.1f} MB became {after:,.1f} MB\n")
    if not _print_changes(run, _settled(run)) and not made:
        sys.stdout.write("nothing to compact\n")


def _settled(run: Path) -> Iterator[Converted]:
    """What the recorders of a run wanted to be simulated again; nothing while it is recorded."""
    if any(RESIM in wanted_precision(attempt).values() for attempt in attempts(run)):
        yield from _resim().settle(run)


def _make_parts(run: Path) -> list[Made]:
    try:
        from trackway.storage.archive import compact
    except ModuleNotFoundError as error:
        raise StreamError("install what writes Parquet: pip install 'trackway[archive]'") from error
    for attempt in attempts(run):
        finish_abandoned(attempt, SYSTEM_CLOCK)
    return compact.compact_run(run)


def change_tier(run: Path, stream: str, tier: str, as_json: bool) -> int:
    """Turn a stream's parts into parts of a tier, and print what became of each.

    Returns:
        0, or 1 where parts cannot be made whole here.
    """
    resim = _resim()
    if is_written(RunFolder(run)):
        raise RunError(f"{run.name} is being recorded: do it when it has ended")
    if describe(find_stream(run, stream))[2] == pieces.KIND:
        raise StreamError(f"stream {stream!r} holds records: they are kept as they are")
    _make_parts(run)
    act = resim.to_resim if tier == "resim" else resim.to_exact
    folders = [attempt.stream(stream) for attempt in attempts(run)]
    changes = (one for folder in folders if folder.path.is_dir() for one in act(folder))
    if as_json:
        made = list(changes)
        _print_json(made)
    else:
        made = _print_changes(run, changes)
        if not made:
            sys.stdout.write("nothing to change\n")
    return 1 if tier == "exact" and any(one.why for one in made) else 0


def _resim() -> ModuleType:
    try:
        from trackway.replay import resim
    except ModuleNotFoundError as error:
        raise MissingExtraError("simulating again", "archive,mujoco") from error
    return resim


def _print_json(made: Sequence[Made | Converted]) -> None:
    told = [{**vars(one), "path": str(one.path)} for one in made]
    sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")


def _print_changes(run: Path, changes: Iterable[Converted]) -> list[Converted]:
    """Print what became of parts, each as soon as it is known."""
    made: list[Converted] = []
    for one in changes:
        made.append(one)
        name, after = one.path.relative_to(run), one.after_bytes / 1e6
        if one.why:
            sys.stdout.write(f"{name}: stays, {after:,.1f} MB: {one.why}\n")
            continue
        sizes = f"{one.before_bytes / 1e6:,.1f} MB became {after:,.1f} MB"
        again = f", {one.lines:,} lines are simulated again when they are read" if one.lines else ""
        sys.stdout.write(f"{name}: {one.rows:,} rows, {sizes}{again}\n")
        sys.stdout.flush()
    return made
