"""`trackway streams`, `tail`, `verify`, `repair`: what was recorded at full rate."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trackway import files
from trackway.cli import again
from trackway.cli.arguments import command_of_run
from trackway.cli.recorded import find_recorded
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import StreamError
from trackway.format import pieces
from trackway.format.part import EXACT, NOT_RESIM
from trackway.query.other_files import look_at_other_files
from trackway.run import find_run
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import StreamFolder, attempts, find_stream
from trackway.storage.reader import Reader, Records, count_records, describe, end_row, follow
from trackway.storage.stored import sentences
from trackway.storage.verify import Report, repair, verify

DAMAGED = 3


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about streams."""
    listing = _command(commands, "streams", "list what a run recorded at full rate")
    listing.set_defaults(act=lambda args: list_streams(_run(args), args.json))

    tail = _command(commands, "tail", "print a stream's last rows, and those that come")
    tail.add_argument("stream", metavar="STREAM", help="such as steps; `trackway streams` tells")
    tail.add_argument("-n", "--rows", type=int, default=10, help="how many of the last (10)")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as rows are committed")
    tail.add_argument("--fields", nargs="+", metavar="FIELD", help="only these columns")
    tail.add_argument("--env", type=int, default=0, help="which environment to print (0)")
    tail.add_argument("--attempt", help="which attempt; else the latest")
    tail.set_defaults(act=print_tail)

    check = _command(
        commands,
        "verify",
        f"read every byte of what was recorded; status 0: whole, {DAMAGED}: something is missing",
    )
    again.add_flags(check)
    check.set_defaults(
        act=lambda args: (
            again.simulate_again(find_run(args.models, args.run), args.at, args.steps, args.json)
            if args.replay
            else verify_run(_run(args), args.json)
        )
    )

    mend = _command(
        commands, "repair", "seal and rewrite what verify complains of; the old files are kept"
    )
    mend.set_defaults(act=lambda args: repair_run(_run(args), args.json))


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, says: str
) -> argparse.ArgumentParser:
    command = command_of_run(commands, name, says)
    command.add_argument("--json", action="store_true", help="for programs")
    return command


def _run(args: argparse.Namespace) -> Path:
    return find_recorded(args.models, args.run)


def _streams(run: Path) -> Iterator[StreamFolder]:
    for attempt in attempts(run):
        finish_abandoned(attempt, SYSTEM_CLOCK)
        yield from attempt.streams()


def _reports(run: Path) -> list[Report]:
    reports = [verify(folder) for folder in _streams(run)]
    if not reports:
        raise StreamError(f"{run} holds no recorded streams")
    return reports


def list_streams(run: Path, as_json: bool) -> None:
    """Print every stream of every attempt, as far as that can be told at a glance."""
    told = [_facts(folder) for folder in _streams(run)]
    if not told:
        raise StreamError(f"{run} holds no recorded streams")
    if as_json:
        _print_json(told)
        return
    table = Table("attempt", "stream", "rows", "environments", "fields", "size", "state")
    for row in told:
        table.add_row(
            escape(row["attempt"]),
            escape(row["stream"]),
            f"{row['rows']:,}",
            str(row["num_envs"]),
            "JSON" if row["kind"] == pieces.KIND else str(len(row["fields"])),
            f"{row['size_bytes'] / 1e6:,.1f} MB",
            "recording" if row["recording"] else "ended",
        )
    console = Console(soft_wrap=True)
    console.print(table)
    for row in told:
        for said in row["stored"]:
            console.print(f"{row['attempt']}: {said}", markup=False)


def _facts(folder: StreamFolder) -> dict[str, Any]:
    schema, num_envs, kind = describe(folder)
    return {
        "attempt": folder.attempt.name,
        "stream": folder.name,
        "kind": kind,
        "rows": count_records(folder) if kind == pieces.KIND else end_row(folder),
        "num_envs": num_envs,
        "fields": schema.to_json(),
        "size_bytes": sum(file.path.stat().st_size for file in folder.contents().files),
        "recording": files.is_locked(folder.attempt.lock),
        "stored": sentences(folder),
    }


def print_tail(args: argparse.Namespace) -> None:
    """Print the last rows of a stream, one JSON object a line, and follow it when asked to."""
    folder = find_stream(_run(args), args.stream, args.attempt)
    finish_abandoned(folder.attempt, SYSTEM_CLOCK)
    of_records = describe(folder)[2] == pieces.KIND
    first = _row_of_record(folder, args.rows) if of_records else end_row(folder) - args.rows
    first = max(0, first)
    reader = Reader(folder, None if of_records else args.fields, first)
    if not 0 <= args.env < reader.num_envs:
        raise StreamError(f"stream {args.stream!r} has environments 0 to {reader.num_envs - 1}")
    joiner, limit = pieces.Joiner(), args.rows
    with contextlib.suppress(KeyboardInterrupt):
        for batch in follow(reader, folder) if args.follow else [reader.poll()]:
            if of_records:
                lines = joiner.join(batch.rows, batch.columns)
            else:
                lines = list(_rows(batch, args.env))
            for line in lines[-limit:] if limit else []:
                sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
            sys.stdout.flush()
            limit = sys.maxsize


def _row_of_record(folder: StreamFolder, count: int) -> int:
    """A row at or before the first piece of the last `count` records, not far before it."""
    end = end_row(folder)
    behind = 2 * count
    while behind < end:
        pieces_read = Reader(folder, ["flags"], end - behind).poll()
        if np.count_nonzero(pieces_read["flags"] & pieces.FIRST) >= count:
            break
        behind *= 4
    return end - behind


def _rows(records: Records, env: int) -> Iterator[dict[str, Any]]:
    for i, row in enumerate(records.rows.tolist()):
        yield {"row": row, **{name: c[i, env].tolist() for name, c in records.columns.items()}}


def verify_run(run: Path, as_json: bool) -> int:
    """Print what is whole and what is not.

    Returns:
        0 when every stream is whole, and every other file that tells of itself whether it is.
    """
    reports, others = _reports(run), list(look_at_other_files(run))
    damaged = [fault for _, fault in others if fault]
    status = DAMAGED if damaged or not all(report.whole for report in reports) else 0
    if as_json:
        told = [report.to_json() for report in reports]
        if damaged:
            told.append({"stream": None, "whole": False, "faults": damaged})
        _print_json(told)
        return status
    console = Console(highlight=False, soft_wrap=True)
    for report in reports:
        counts = [_count(report.parts, "part")] if report.parts else []
        if report.segments or not counts:
            counts.append(_count(report.segments, "segment"))
        files_of_it = " and ".join(counts)
        kept = f"{report.rows:,} rows in {files_of_it}"
        if report.records is not None:
            kept = f"{report.records:,} records, {report.rows:,} pieces in {files_of_it}"
        if report.tier != EXACT:
            kept += f" of the tier {report.tier}"
        if report.in_ring:
            kept += f", {report.in_ring:,} in memory"
        verdict = "[green]whole[/]" if report.whole else "[red]not whole[/]"
        console.print(f"{escape(report.attempt)}/{escape(report.stream)}: {verdict}, {kept}")
        for fault in report.faults:
            console.print(f"  {escape(fault)}")
        for said in report.stored:
            console.print(f"  {escape(said)}")
        for gap in report.gaps:
            why = f": {gap['reason']}" if "reason" in gap else ""
            last = gap["first"] + gap["count"] - 1
            console.print(f"  rows {gap['first']} to {last} are missing{escape(why)}")
        for note in report.notes:
            if note["note"] == NOT_RESIM:
                last = note["first"] + note["count"] - 1
                console.print(f"  rows {note['first']} to {last} stay exact: {escape(note['why'])}")
            if note["note"] == "waited":
                console.print(f"  training waited {note['seconds']:.3f} s before row {note['row']}")
    if others:
        verdict = "[red]not whole[/]" if damaged else "[green]whole[/]"
        console.print(f"other files: {verdict}, {len(others):,} of JSON, models and scenes")
    for fault in damaged:
        console.print(f"  {escape(fault)}")
    return status


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def repair_run(run: Path, as_json: bool) -> None:
    """Make damaged segments whole, and print what was done."""
    done = [f"{folder.path.name}: {said}" for folder in _streams(run) for said in repair(folder)]
    if as_json:
        _print_json(done)
        return
    for line in done or ["nothing to repair"]:
        sys.stdout.write(line + "\n")


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
