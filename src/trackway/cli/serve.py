"""`trackway serve`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trackway.cli.completion import names_folder
from trackway.errors import DashboardError
from trackway.query.remote import stored_runs
from trackway.recorder.child import step_back
from trackway.sync.follower import Follower
from trackway.sync.opening import is_store, open_store

_ENDS_S: Final = 1.0


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `serve`."""
    command = commands.add_parser(
        "serve",
        help="show the runs of a folder or a store in a web page, live",
        description="Only this machine can reach the page, unless --host or --allow-host say "
        "otherwise; then a token is needed, in TRACKWAY_TOKEN or in --token-file.",
    )
    names_folder(
        command.add_argument(
            "models",
            nargs="?",
            default="models",
            metavar="FOLDER",
            help="holds the runs (models); or a store that they are shipped into, s3://bucket/prefix",
        )
    )
    command.add_argument(
        "--cache_gb",
        type=float,
        default=20.0,
        help="of a store, keep at most so much here (20)",
    )
    command.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    command.add_argument("--port", type=_port, help="(the first free one from 6070 on)")
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which the page is reached, as behind a reverse proxy",
    )
    command.add_argument("--token-file", type=Path, metavar="FILE", help="holds the token")
    command.add_argument(
        "--prefix", default="", metavar="PATH", help="where a reverse proxy shows it: /trackway"
    )
    command.add_argument(
        "--alert-command",
        metavar="COMMAND",
        help="run for each alert (NaN, collapse, stall, full disk …), told on its standard input",
    )
    command.add_argument("--alert-webhook", metavar="URL", help="each alert is posted there")
    command.add_argument(
        "--drive",
        metavar="MODULE:FUNCTION",
        help="lets the page try other checkpoints' policies in recorded episodes: the function that "
        "joins a policy and a simulation, such as go1.driving:drive; it runs on this machine",
    )
    # The training starts this command: it steps back, and ends when that pipe is closed.
    command.add_argument("--beside-training", type=int, help=argparse.SUPPRESS)
    command.set_defaults(act=_serve)


def _serve(args: argparse.Namespace) -> None:
    if args.beside_training is not None:
        step_back(15)
    try:
        from trackway.dashboard.serve import ServeOptions, read_token, serve
        from trackway.dashboard.watch import Notify
    except ImportError as error:
        raise DashboardError(
            f"the dashboard needs {error.name}: pip install 'trackway[dashboard]'"
        ) from error
    with _runs_of(args.models, args.cache_gb) as models:
        options = ServeOptions(
            models=models,
            host=args.host,
            port=args.port,
            allowed_hosts=tuple(args.allow_host),
            token=read_token(args.token_file),
            prefix=args.prefix,
            notify=Notify.of(args.alert_command, args.alert_webhook),
            drive=args.drive,
            lifeline=args.beside_training,
        )
        serve(options, lambda place: print(f"Trackway shows {args.models} at {place}", flush=True))
    sys.stdout.flush()


@contextlib.contextmanager
def _runs_of(models: str, cache_gb: float) -> Iterator[Path]:
    """The folder of these runs; those of a store are made again here, and kept up with meanwhile."""
    if not is_store(models):
        yield Path(models)
        return
    store = open_store(models)
    folder = stored_runs(models)
    folder.mkdir(parents=True, exist_ok=True)
    follower, stop = Follower(store, folder, cache_bytes=cache_gb * 1e9), threading.Event()
    follower.poll()  # an address that is wrong is told of at once
    # A daemon: what it is in the middle of is done again the next time.
    thread = threading.Thread(target=follower.follow, args=(stop,), daemon=True)
    thread.start()
    try:
        yield folder
    finally:
        stop.set()
        thread.join(_ENDS_S)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: 1 to 65535, or 0 for any")
    return port
