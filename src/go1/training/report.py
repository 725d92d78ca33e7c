"""What a training and a test tell a person: how they begin, and what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    """How well each commanded speed was followed; a biped's table tells how it stood."""
    shown = Table(title=f"Deterministic policy, {table.seconds:g} s each", title_justify="left")
    for name in ("command", "speed", "rms error", "falls", "foot lift", "gait", "success"):
        shown.add_column(name, justify="right")
    if biped:
        shown.add_column("front feet down", justify="right")
        shown.add_column("upright", justify="right")
    for row in table.rows:
        cells = [
            f"{row.command[0]:.2f} m/s",
            f"{row.mean_speed:z.2f} m/s",
            f"{row.rms_error:.3f} m/s",
            f"{row.falls} of {row.num_robots}",
            f"{100 * row.foot_lift:z.1f} cm",
            f"{row.gait_frequency_hz:.1f} Hz",
            f"{row.success_rate:.0%}",
        ]
        if biped:
            cells += [f"{row.front_contact_fraction:.0%}", f"{row.mean_upright_s:.1f} s"]
        shown.add_row(*cells)
    console.print(shown)


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
