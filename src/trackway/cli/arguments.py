"""Arguments that many commands take: which run, and where runs are kept."""

from __future__ import annotations

import argparse
from pathlib import Path

from trackway.cli.completion import names_folder, names_run


def add_models(command: argparse.ArgumentParser) -> None:
    """Let the command take `--models`, the folder in which runs are looked up by name."""
    names_folder(
        command.add_argument(
            "--models",
            type=Path,
            default=Path("models"),
            metavar="FOLDER",
            help="where runs are looked up by name (models)",
        )
    )


def add_run(command: argparse.ArgumentParser) -> None:
    """Let the command take a RUN, and `--models`."""
    names_run(
        command.add_argument(
            "run", metavar="RUN", help="a folder, a run's name, how it begins or ends, or: latest"
        )
    )
    add_models(command)


def command_of_run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, says: str
) -> argparse.ArgumentParser:
    """Make a command that takes a RUN."""
    command = commands.add_parser(name, help=says, description=says)
    add_run(command)
    return command
