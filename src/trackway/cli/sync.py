"""`trackway sync`, `status`, `pull` and `gc`: a run into a store, and out of it."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from trackway.cli.arguments import add_models, add_run
from trackway.cli.recorded import find_recorded
from trackway.errors import FencedError
from trackway.recorder.child import become_writer
from trackway.run import RunFolder
from trackway.sync import cost, garbage, layout, lease
from trackway.sync.cadence import IDLE_S
from trackway.sync.mirror import Mirror, ranks, runs
from trackway.sync.opening import open_store
from trackway.sync.returning import bring_back, bring_left
from trackway.sync.shipper import Shipper

# Whoever started `trackway sync` learns by it that another machine has taken the run over.
FENCED = 3
_STORE_HELP = "a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line what has to do with stores."""
    sync = commands.add_parser(
        "sync",
        help="ship a run into a store while it goes on",
        description="Ships what the run has and gains, until it has ended. Stop it and start it "
        "at will: nothing is lost, nothing is there twice. Credentials come from the provider's "
        "usual places.",
    )
    add_run(sync)
    sync.add_argument("store", metavar="STORE", help=_STORE_HELP)
    sync.add_argument("--once", action="store_true", help="ship what is there now, then end")
    sync.add_argument("--rank", type=int, default=0, help="of several writers of one run (0)")
    sync.add_argument(
        "--idle_s",
        type=float,
        default=os.environ.get("TRACKWAY_IDLE_S", IDLE_S),
        help=f"how often to ship while nobody watches (TRACKWAY_IDLE_S, else {IDLE_S:g} s)",
    )
    sync.add_argument(
        "--mbit_per_s",
        type=float,
        default=os.environ.get("TRACKWAY_MBIT_PER_S"),
        help="use no more of the line than this (TRACKWAY_MBIT_PER_S)",
    )
    sync.add_argument(
        "--timeout_s", type=float, default=30.0, help="how long a request may take (30)"
    )
    # The training starts this command; it steps back and outlives Ctrl-C.
    sync.add_argument("--beside-training", action="store_true", help=argparse.SUPPRESS)
    sync.set_defaults(act=_sync)

    status = commands.add_parser("status", help="tell what a store has of which run")
    status.add_argument("store", metavar="STORE", help=_STORE_HELP)
    status.add_argument("--json", action="store_true", help="for programs")
    status.set_defaults(act=lambda args: _status(args.store, args.json))

    pull = commands.add_parser(
        "pull",
        help="make a run again from a store",
        description="Makes the run's folder, or brings it up to date. Where the run is this "
        "machine's own, it brings back what lies in the store alone: steps that `trackway clean` "
        "let go, and what `trackway resume STORE RUN` left there. Nothing else is touched.",
    )
    pull.add_argument("store", metavar="STORE", help=_STORE_HELP)
    pull.add_argument("run", metavar="RUN", help="its name, whole; trackway status lists them")
    add_models(pull)
    # Taking a run over starts this command: records that the training did not wait for.
    pull.add_argument("--beside-training", action="store_true", help=argparse.SUPPRESS)
    pull.set_defaults(act=_pull)

    gc = commands.add_parser(
        "gc",
        help="let go of what no run of a store needs",
        description="Pieces of files whose shipment never came, and objects that trying the store "
        "left. No uploads in several parts are ever begun, so none can be left unfinished.",
    )
    gc.add_argument("store", metavar="STORE", help=_STORE_HELP)
    gc.add_argument("--dry-run", action="store_true", help="say what would go")
    gc.set_defaults(act=lambda args: _gc(args.store, args.dry_run))


def _sync(args: argparse.Namespace) -> int:
    trainer = os.getppid()
    if args.beside_training:
        become_writer(15)
    logging.basicConfig(format="trackway: %(message)s", stream=sys.stderr)
    run = RunFolder(find_recorded(args.models, args.run).absolute())
    shipper = Shipper(
        run,
        open_store(args.store, args.timeout_s),
        rank=args.rank,
        idle_s=args.idle_s,
        bytes_per_s=args.mbit_per_s and args.mbit_per_s * 1e6 / 8,
    )
    try:
        shipper.run(until_done=args.once)
    except KeyboardInterrupt:
        print("Stopped; start it again and it goes on.", flush=True)
        return 0
    except FencedError as error:
        print(f"trackway: {error}", file=sys.stderr, flush=True)
        if args.beside_training and os.getppid() == trainer:
            os.kill(trainer, signal.SIGTERM)
        return FENCED
    finally:
        shipper.close()
    print(f"{args.store} has all of {run.name}", flush=True)
    return 0


def _status(url: str, as_json: bool) -> None:
    store = open_store(url)
    rows: list[dict[str, Any]] = []
    for run in runs(store):
        for rank in ranks(store, run):
            prefix = layout.rank_prefix(run, rank)
            known = lease.epochs(store, prefix)
            for epoch, after in zip(known, [*known[1:], None], strict=True):
                counts = {
                    lane: lease.end(store, prefix, epoch.number, lane) for lane in layout.LANES
                }
                ends = after.ends if after else counts
                rows.append(
                    {
                        "run": run,
                        "rank": rank,
                        "epoch": epoch.number,
                        "host": epoch.host,
                        "shipments": sum(ends.values()),
                        "abandoned": sum(counts.values()) - sum(ends.values()),
                    }
                )
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    table = Table("run", "rank", "epoch", "held by", "shipments", "after a takeover")
    for row in rows:
        table.add_row(
            row["run"],
            str(row["rank"]),
            str(row["epoch"]),
            row["host"],
            f"{row['shipments']:,}",
            f"{row['abandoned']:,}" if row["abandoned"] else "-",
        )
    console = Console()
    console.print(table if rows else f"{url} has no runs yet")
    if rows:
        console.print(cost.sentence(), markup=False)


def _pull(args: argparse.Namespace) -> None:
    url, run, models = args.store, args.run, args.models
    store = open_store(url)
    here = RunFolder(models / run)
    if args.beside_training:
        become_writer(15)
        bring_left(here, store)
        return
    if here.manifest.exists() and not Mirror(store, run, models).begun:
        # This machine's own: what the store says of it may be older than what is here.
        count = bring_back(here, store)
        print(f"{here.path}: {count} files came back from {url}", flush=True)
        return
    for rank in ranks(store, run) or [0]:
        mirror = Mirror(store, run, models, rank)
        while mirror.poll():
            pass
    print(f"{models / run} is as {url} has it", flush=True)


def _gc(url: str, dry_run: bool) -> None:
    found = garbage.collect(open_store(url), dry_run)
    verb = "would go" if dry_run else "went"
    print(
        f"{len(found)} objects {verb}, {sum(item.size_bytes for item in found):,} bytes", flush=True
    )
