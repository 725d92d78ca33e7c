"""`trackway export` and `trackway import`: runs to and from other programs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from trackway.cli.arguments import add_models, add_run
from trackway.cli.completion import names_folder
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import QueryError
from trackway.query.exchange import from_monitor, from_tensorboard
from trackway.query.exchange.export import FORMATS, export
from trackway.query.exchange.from_tensorboard import EVENTS
from trackway.query.exchange.source import Options
from trackway.query.runs import find
from trackway.recorder.recorder import Recorder
from trackway.run import RunFolder, create_run, new_manifest, write_manifest

SOURCES: Final = ("tensorboard", "monitor")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line its commands about other programs' formats."""
    says = "; ".join(f"{name}: {format.says}" for name, format in FORMATS.items())
    out = commands.add_parser(
        "export", help=f"write a run as {', '.join(FORMATS)}", description=says
    )
    add_run(out)
    out.add_argument("--to", required=True, choices=FORMATS, metavar="FORMAT")
    out.add_argument("--out", type=Path, metavar="PATH", help="a new file or folder")
    out.add_argument(
        "--env", nargs="+", metavar="N", help="environments whose steps are written (0), or: all"
    )
    out.add_argument("--fields", nargs="+", metavar="FIELD", help="only these fields of steps")
    out.add_argument("--no_steps", action="store_true", help="records alone")
    out.set_defaults(act=write)

    into = commands.add_parser(
        "import",
        help="make a run of TensorBoard logs, or of Monitor CSVs",
        description="Makes a run of what another training left: its tables and figures are there as "
        "for one that was recorded.",
    )
    names_folder(into.add_argument("source", type=Path, metavar="PATH"))
    into.add_argument(
        "--from", dest="kind", choices=SOURCES, help="told by the files when not given"
    )
    add_models(into)
    into.add_argument("--name", help="of the run; else the name of PATH")
    into.set_defaults(act=take_in)


def write(args: argparse.Namespace) -> None:
    """Print the paths of what was written."""
    envs: list[int] | None = [0]
    if args.env is not None:
        envs = None if args.env == ["all"] else [_env(text) for text in args.env]
    run = find(args.run, args.models)
    for path in export(run, args.to, args.out, Options(envs, args.fields, not args.no_steps)):
        sys.stdout.write(f"{path}\n")


def take_in(args: argparse.Namespace) -> None:
    """Print the folder of the run that was made."""
    run = make_run(args.source, args.kind, args.models, args.name or args.source.resolve().stem)
    sys.stdout.write(f"{run.path}\n")


def make_run(source: Path, kind: str | None, models: Path, name: str) -> RunFolder:
    """A run of what another program recorded.

    Raises:
        QueryError: There is nothing that can be read.
    """
    kind = kind or _kind(source)
    environment, num_envs = None, 1
    if kind == "monitor":
        stream, records = "episodes", list(from_monitor.read(source))
        environment, num_envs = from_monitor.environment(source)
    else:
        stream, records = "updates", list(from_tensorboard.read(source))
    begun = {"timestep": 0, "unix_s": records[0]["unix_s"], "row": 0, "num_envs": num_envs}
    begin = {"event": "begin", **begun, "environment": environment, "imported_from": str(source)}
    # Everything was read: from here on a run is made that holds all of it.
    run = create_run(models, name)
    facts: dict[str, Any] = {"imported": {"kind": kind, "path": str(source.resolve())}}
    manifest = new_manifest(command=sys.argv, config={}, clock=SYSTEM_CLOCK, **facts)
    manifest |= {"status": "finished", "timesteps": records[-1]["timestep"]}
    _record(run, {"events": [begin], stream: records})
    write_manifest(run, manifest | {"created_unix": records[0]["unix_s"]})
    return run


def _record(run: RunFolder, streams: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    with Recorder(run.path) as recorder:
        for name, records in streams.items():
            stream = recorder.records(name)
            for record in records:
                stream.append(record)


def _kind(source: Path) -> str:
    if not source.exists():
        raise QueryError(f"{source} does not exist")
    if source.name.startswith(EVENTS):
        return "tensorboard"
    if source.is_file() or any(source.rglob("*monitor.csv")):
        return "monitor"
    if any(source.rglob(f"{EVENTS}*")):
        return "tensorboard"
    raise QueryError(f"{source} holds neither TensorBoard's event files nor *.monitor.csv")


def _env(text: str) -> int:
    if not text.isdigit():
        raise QueryError(f"--env takes numbers, or: all; {text!r} is neither")
    return int(text)
