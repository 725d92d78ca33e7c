"""`trackway query`: questions in SQL."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trackway import files
from trackway.cli.completion import names_folder
from trackway.errors import QueryError
from trackway.query.output import FORMATS, encode
from trackway.query.remote import brought_here
from trackway.query.runs import Run, Runs, open_run
from trackway.query.sql import NAMES, ask
from trackway.run import RunFolder
from trackway.storage.places import attempts

_SHOWN: Final = 100


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its command for questions."""
    says = f"ask all runs in SQL; tables: {', '.join(NAMES)}"
    command = commands.add_parser(
        "query",
        help="ask all runs in SQL",
        description=says,
        epilog='such as: trackway query "SELECT run, avg(return) FROM episodes GROUP BY run"; '
        "DESCRIBE steps tells the columns of a table",
    )
    command.add_argument("sql", metavar="SQL", help="one SELECT, in DuckDB's dialect")
    names_folder(
        command.add_argument(
            "models",
            nargs="?",
            default="models",
            help="runs, or one (models); or a store, s3://bucket/prefix",
        )
    )
    command.add_argument("--format", choices=FORMATS, help="else by the end of --out, else table")
    command.add_argument("--out", type=Path, metavar="FILE", help="write there")
    command.set_defaults(act=query)


def query(args: argparse.Namespace) -> None:
    """Print the answer, and on the standard error which runs could not be asked."""
    kind = args.format or _kind(args.out)
    source = source_of(args.models)
    answer = ask(source, args.sql)
    for name, why in source.skipped.items() if isinstance(source, Runs) else ():
        sys.stderr.write(f"trackway: {name} is left out: {why}\n")
    if kind == "table":
        if args.out is not None:
            raise QueryError(f"{args.out} would be a drawing: use --format csv, json or parquet")
        _print(answer)
    elif args.out is not None:
        files.publish(args.out, encode(answer, kind))
    elif kind == "parquet" and sys.stdout.isatty():
        raise QueryError("Parquet is not for a terminal: use --out FILE")
    else:
        sys.stdout.buffer.write(encode(answer, kind))


def source_of(models: str) -> Runs | Run:
    """The runs of a folder or a store; of a run's own folder, that run."""
    folder = brought_here(models)
    is_run = RunFolder(folder).manifest.is_file() or bool(attempts(folder))
    return open_run(folder) if is_run else Runs(folder)


def _kind(out: Path | None) -> str:
    if out is None:
        return "table"
    kind = out.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise QueryError(f"{out} ends in none of .csv, .json, .parquet: say --format")
    return kind


def _print(answer: Any) -> None:
    table = Table()
    for name, kind in answer.schema.items():
        table.add_column(escape(name), justify="right" if kind.is_numeric() else "left")
    for row in answer.head(_SHOWN).rows():
        table.add_row(*(escape(_text(value)) for value in row))
    # A pipe has no width: nothing is cut off for `less -S`.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    console.print(table)
    if answer.height > _SHOWN:
        console.print(f"{_SHOWN} of {answer.height:,} lines; --format csv gives all")


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:,.6g}"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
