"""What a training and a test tell a person: how they begin, and what they leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from go1.evaluation import EvaluationTable
from go1.training.origin import Origin
from go1.training.settings import Settings
from trackway.legacy.saving import SavingStatus
from trackway.run import RunFolder


def beginning(console: Console, run: RunFolder, settings: Settings, origin: Origin | None) -> None:
    """One paragraph: which robots, how long, from where, kept where."""
    env, train = settings.env, settings.train
    robots = f"{train.num_parallel_envs} Go1 ({'biped, ' if env.biped else ''}{env.ctrl_type}"
    robots += f" control, {env.physics} physics, {train.vec_env})"
    console.print(
        f"Training {robots} to timestep {train.total_timesteps:,}, seed {train.seed}",
        soft_wrap=True,
    )
    if origin is not None:
        verb = "resumes at timestep" if origin.resumes else "fine-tunes; begins at timestep"
        console.print(f"{verb} {origin.timestep:,} from {origin.path}", soft_wrap=True)
    console.print(f"Everything is kept in {run.path}; Ctrl-C saves and stops", soft_wrap=True)


def saved(status: SavingStatus) -> str:
    """One line on what is safe on disk, and on what went wrong."""
    records = sum(status.records.values())
    text = f"{records:,} records in {status.files:,} files, {status.checkpoints} checkpoints"
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
            f"{row.mean_speed:.2f} m/s",
            f"{row.rms_error:.3f} m/s",
            f"{row.falls} of {row.num_robots}",
            f"{100 * row.foot_lift:.1f} cm",
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
            text.append(f"  {value}\n")
    if console.is_terminal:
        # No side borders: a command that breaks over lines must paste as one.
        console.rule(title, style="green")
        console.print(text, soft_wrap=True)
    else:
        console.print(title)
        console.print(text, soft_wrap=True)
