"""`trackway diff`: the first step and field at which two runs part."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.markup import escape

from trackway.cli.arguments import add_models
from trackway.cli.completion import names_run
from trackway.cli.recorded import find_recorded
from trackway.errors import StreamError
from trackway.storage.compare import compare
from trackway.storage.difference import Comparison, Difference
from trackway.storage.line import Stretch, find_line

# What a training makes; `system` and `events` tell of the machine and of the moment.
_STREAMS: Final = ("steps", "starts", "episodes", "updates")
SAME, DIFFERENT, TROUBLE = 0, 1, 2

_HELP = "find the first step and field at which two runs part"
_DESCRIPTION = f"""\
{_HELP}.

Runs with equal seeds, or a run that was resumed and one that never stopped, should hold the same bits.
Where they do not, the first value that differs is mostly next to the cause: look at what led to that
step. A resumed run is compared on its line: what an attempt recorded after the checkpoint from which
the next one went on is left out. Clock times are not compared.
"""
_EPILOG = """\
exit status: 0 the same, 1 different, 2 trouble

examples:
  trackway diff first second
  trackway diff first second --stream steps --json
"""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `trackway diff`."""
    command = commands.add_parser(
        "diff",
        help=_HELP,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in ("a", "b"):
        names_run(command.add_argument(name, metavar=f"RUN_{name.upper()}"))
    command.add_argument(
        "--stream", nargs="+", metavar="NAME", help=f"only these; else {', '.join(_STREAMS)}"
    )
    add_models(command)
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(act=diff, trouble=TROUBLE)


def diff(args: argparse.Namespace) -> int:
    """Print how two runs compare.

    Returns:
        0 when they hold the same.

    Raises:
        TrackwayError: A run or stream cannot be read.
    """
    a, b = (find_recorded(args.models, name) for name in (args.a, args.b))
    found = [compare(name, *lines) for name, *lines in _lines(a, b, args.stream)]
    same = all(comparison.same for comparison in found)
    if args.json:
        told = {"a": str(a), "b": str(b), "same": same, "streams": [c.to_json() for c in found]}
        sys.stdout.buffer.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(found, a, b)
    return SAME if same else DIFFERENT


def _lines(
    a: Path, b: Path, asked: Sequence[str] | None
) -> list[tuple[str, list[Stretch], list[Stretch]]]:
    if asked:
        return [(name, find_line(a, name), find_line(b, name)) for name in asked]
    lines = []
    for name in _STREAMS:
        try:
            lines.append((name, find_line(a, name), find_line(b, name)))
        except StreamError:
            if name == "steps":
                raise
    return lines


def _print(found: list[Comparison], a: Path, b: Path) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"A  {escape(str(a))}\nB  {escape(str(b))}")
    for comparison in found:
        console.print(_summary(comparison))
        for line in describe_difference(comparison):
            console.print(f"  {escape(line)}")
    apart = [c for c in found if c.difference is not None]
    if len(apart) > 1:
        first = min(apart, key=lambda c: (c.difference and c.difference.timestep) or 0)
        console.print(f"They part first in {first.stream}.")


def _summary(comparison: Comparison) -> str:
    what = "rows" if comparison.stream == "steps" else "rows or records"
    after = (
        f" after timestep {comparison.from_timestep:,}, where the later one begins"
        if comparison.from_timestep
        else ""
    )
    name, rows = escape(comparison.stream), f"{comparison.equal_rows:,}"
    if comparison.difference is None:
        return f"{name}: [green]{rows} {what}, all equal[/]{after}"
    return f"{name}: [red]different[/]; the first {rows} {what} are equal{after}"


def describe_difference(comparison: Comparison) -> list[str]:
    """What differs first, for a person: lines of text."""
    lines = []
    for run, names in (("A", comparison.only_a), ("B", comparison.only_b)):
        if names:
            lines.append(f"only {run} has, or has as such: {', '.join(names)}")
    difference = comparison.difference
    if difference is None:
        return lines
    if difference.kind == "num_envs":
        return [*lines, f"A has {difference.a} environments, B has {difference.b}"]
    place = f"row {difference.row:,}, timestep {difference.timestep:,}"
    if difference.kind in {"ends", "missing"}:
        longer, other = ("A", "B") if difference.where_a else ("B", "A")
        says = "ends" if difference.kind == "ends" else "has a gap"
        return [*lines, f"{place}: {other} {says}; {longer} has {difference.more:,} rows more"]
    index = f"[{', '.join(map(str, difference.index))}]" if difference.index else ""
    env = "" if difference.env is None else f", environment {difference.env}"
    lines.append(f"{place}{env}, {difference.field}{index}:")
    for run, value, bits, where in (
        ("A", difference.a, difference.bits_a, difference.where_a),
        ("B", difference.b, difference.bits_b, difference.where_b),
    ):
        lines.append(f"  {run}  {_value(value, bits, difference)}{_where(where)}")
    others = {name: count for name, count in difference.fields.items() if name != difference.field}
    if others:
        named = ", ".join(f"{name} ({count:,})" for name, count in others.items())
        lines.append(f"in the same row differ, with so many values: {named}")
    return lines


def _value(value: Any, bits: str | None, difference: Difference) -> str:
    alike = repr(difference.a) == repr(difference.b)
    return f"{value!r} (bytes {bits})" if alike and bits else repr(value)


def _where(where: dict[str, Any] | None) -> str:
    if where is None:
        return ""
    row = f", row {where['row']:,} there" if "row" in where else ""
    return f"   attempt {where['attempt']}{row}"
