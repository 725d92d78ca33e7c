"""`trackway runs` and `trackway show`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trackway import run as run_folder
from trackway.cli.recorded import find_recorded
from trackway.clock import SYSTEM_CLOCK, iso
from trackway.errors import RunError
from trackway.query.catalog import Catalog
from trackway.query.facts import RunFacts, facts_of
from trackway.run import RunFolder
from trackway.storage.packs import count_files
from trackway.sync import left

_SHOWN = 100
_STYLES = {"running": "green", "finished": "cyan", "interrupted": "yellow", "stalled": "yellow"}


def _facts(run: RunFolder, manifest: dict[str, Any]) -> dict[str, Any]:
    checkpoints = sorted(run.checkpoints.glob("checkpoint_*.zip"))
    if manifest:
        status, created = run_folder.status(manifest), manifest.get("created")
        timesteps = manifest.get("timesteps")
    else:  # a recorder alone leaves none: its streams tell
        known = facts_of(run, SYSTEM_CLOCK)
        status, timesteps = known.status, known.timesteps
        created = None if known.created_unix is None else iso(known.created_unix)
    return {
        "name": run.name,
        "status": status,
        "created": created,
        "timesteps": timesteps,
        "checkpoints": len(checkpoints),
        "newest_checkpoint": str(checkpoints[-1]) if checkpoints else None,
        "path": str(run.path),
    }


def list_all(models: Path, as_json: bool, everything: bool = False) -> None:
    """Print a table of the runs in a folder, newest last."""
    found = Catalog(models).runs
    if as_json:
        _print_json([_for_programs(run) for run in found])
        return
    if not found:
        raise RunError(f"{models} holds no runs; train one with: make train")
    # A table of ten thousand rows takes seconds to lay out, and nobody reads it.
    shown = found if everything else found[-_SHOWN:]
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)  # eighty columns hold it
    # Where it does not fit, a name goes on in the next line; a number or its name is not cut.
    table.add_column("run", overflow="fold")
    table.add_column("status", min_width=8)
    for name, width in (("timesteps", 9), ("return", 6), ("success", 7), ("check-\npoints", 6)):
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    for run in shown:
        style = _STYLES.get(run.status, "red")
        success = run.success_rate
        table.add_row(
            escape(run.name),
            f"[{style}]{run.status}[/]",
            "-" if run.timesteps is None else f"{run.timesteps:,}",
            "-" if run.return_mean is None else f"{run.return_mean:,.4g}",
            "-" if success is None else f"{100 * success:.0f} %",
            "-" if run.status == "damaged" else str(run.checkpoints),
        )
    console = Console()
    console.print(table)
    if len(shown) < len(found):
        console.print(f"{len(found) - len(shown):,} older runs are not shown: --all shows them")


def _for_programs(run: RunFacts) -> dict[str, Any]:
    told = run.to_json() | {"config": run.config}
    del told["config_text"]
    created = None if run.created_unix is None else iso(run.created_unix)
    return told | {"created": created, "duration_s": run.duration_s}


def show(models: Path, name: str, as_json: bool) -> None:
    """Print what one run is, how it stands, and where its files lie."""
    run = RunFolder(find_recorded(models, name))
    manifest = run_folder.read_manifest(run) if run.manifest.exists() else {}
    told = _facts(run, manifest) | {
        "command": " ".join(manifest.get("command", [])),
        "videos": [str(path) for path in sorted(run.videos.glob("*.mp4"))],
        "records": {
            folder.name: count
            for folder in sorted(run.realtime_data.glob("*/"))
            if (count := count_files(folder))
        },
        "elsewhere": left.sentence(run),
        "resume": _resume(run, manifest),
    }
    if as_json:
        _print_json(told | {"manifest": manifest})
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", justify="right")
    # A path breaks over lines instead of being cut: it is there to be copied.
    table.add_column(overflow="fold")
    for key, value in told.items():
        label = "JSON files" if key == "records" else key.replace("_", " ")
        table.add_row(label, escape(_text(value)))
    Console(highlight=False).print(table)


def _resume(run: RunFolder, manifest: dict[str, Any]) -> str | None:
    """The command that goes on with the run, as it is typed here."""
    if "program" not in manifest or run_folder.status(manifest) == "running":
        return manifest.get("resume")
    command = f"trackway resume {shlex.quote(str(run.path))}"
    if run_folder.status(manifest) == "finished":
        command += f" -- --total_timesteps {2 * int(manifest.get('timesteps') or 0)}"
    return command


def _text(value: Any) -> str:
    match value:
        case None | [] | dict() if not value:
            return "-"
        case list():
            return "\n".join(map(str, value))
        case dict():
            return ", ".join(f"{count} {name}" for name, count in value.items())
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
