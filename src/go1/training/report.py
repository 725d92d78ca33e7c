"""What a training and a test tell a person: how they begin, and what they leave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from go1.evaluation import EvaluationTable
from go1.training.commands import near
from go1.training.start import Start
from trackway.legacy.saving import SavingStatus
from trackway.run import RunFolder


def beginning(console: Console, run: RunFolder, start: Start) -> None:
    """One paragraph: which robots, how long, from where, kept where; what is not as it was."""
    origin, env, train = start.origin, start.settings.env, start.settings.train
    robots = f"{train.num_parallel_envs} Go1 ({'biped, ' if env.biped else ''}{env.ctrl_type}"
    robots += f" control, {env.physics} physics, {train.vec_env})"
    console.print(
        f"Training {robots} to timestep {train.total_timesteps:,}, seed {train.seed}",
        soft_wrap=not console.is_terminal,
    )
    for why in start.damaged.values():
        console.print(f"passed over: {why}", soft_wrap=True, markup=False)
    if origin is not None:
        verb = "resumes at timestep" if origin.resumes else "fine-tunes; begins at timestep"
        console.print(f"{verb} {origin.timestep:,} from {near(origin.path)}", soft_wrap=True)
        for reason in origin.inexact_because if origin.resumes else ():
            console.print(f"not exact: {reason}", soft_wrap=True, markup=False)
    elif start.run is not None:
        console.print("there is no whole checkpoint yet: begins anew, in the same folder")
    for difference in start.differences:
        console.print(f"not as before: {difference}", soft_wrap=True, markup=False)
    console.print(f"Everything is kept in {near(run.path)}; Ctrl-C saves and stops", soft_wrap=True)


def saved(status: SavingStatus) -> str:
    """One line on what is safe on disk, and on what went wrong."""
    records = sum(status.records.values())
    text = f"{_counted(records, 'record')} in {_counted(status.files, 'file')}, "
    text += _counted(status.checkpoints, "checkpoint")
    if status.lost_records:
        text += f"; {status.lost_records:,} records LOST"
    if status.trouble:
        text += f"; NOT SAVING NOW: {status.trouble}"
    return text


def evaluation(console: Console, table: EvaluationTable, biped: bool) -> None:
    """How well each commanded speed was followed; a biped's table tells how it stood.

    What could not be measured, because every robot fell too early, is a dash.
    """
    # Units stand above, not in every cell, and no frame: eighty columns hold it.
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    shown.title, shown.title_justify = f"Deterministic policy, {table.seconds:g} s each", "left"
    names = [
        "command\nm/s",
        "speed\nm/s",
        "rms error\nm/s",
        f"falls\nof {table.rows[0].num_robots}",
    ]
    names += ["foot lift\ncm", "gait\nHz", "success\n%"]
    if biped:
        names += ["front feet\ndown, %", "upright\ns"]
    for name in names:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in table.rows:
        cells = [
            _told(row.command[0], 2),
            _told(row.mean_speed, 2),
            _told(row.rms_error, 3),
            str(row.falls),
            _told(100 * row.foot_lift, 1),
            _told(row.gait_frequency_hz, 1),
            _told(100 * row.success_rate, 0),
        ]
        if biped:
            cells += [_told(100 * row.front_contact_fraction, 0), _told(row.mean_upright_s, 1)]
        shown.add_row(*cells)
    console.print(shown)


def _told(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:z.{digits}f}"


def summary(console: Console, title: str, rows: Mapping[str, Any]) -> None:
    """The last words: name → text, each on lines of its own so that it can be copied whole."""
    text = Text()
    for name, value in rows.items():
        if value:
            text.append(f"{name}\n", style="cyan")
            text.append(f"  {near(value) if isinstance(value, Path) else value}\n")
    if console.is_terminal:
        # No side borders: a command that breaks over lines must paste as one.
        console.rule(title, style="green")
    else:
        console.print(title)
    console.print(text, soft_wrap=True, end="")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
