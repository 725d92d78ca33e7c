"""`trackway completion`: what a shell needs to complete commands, options and names of runs."""

from __future__ import annotations

import argparse
import sys
from typing import Final

SHELLS: Final = ("bash", "zsh")
# Asked of the shell, not of Python: a key press should not wait for an interpreter.
_RUNS: Final = {
    "bash": "_trackway_run_dirs",
    "zsh": "_trackway_runs",
    "preamble": {
        "bash": """
_trackway_run_dirs() {
  local run
  for run in latest models/*/run.json; do
    run=${run%/run.json}; run=${run#models/}
    [[ $run != "*" && $run == "$1"* ]] && printf '%s\\n' "$run"
  done
  compgen -d -- "$1"
}
""",
        "zsh": """
_trackway_runs() {
  local -a names
  names=(latest models/*/run.json(N:h:t))
  compadd -a names
  _files -/
}
""",
    },
}


def names_run(action: argparse.Action) -> None:
    """Let the shell complete this argument with runs, and with folders."""
    action.complete = _RUNS  # type: ignore[attr-defined]


def names_folder(action: argparse.Action) -> None:
    """Let the shell complete this argument with folders."""
    action.complete = "directory"  # type: ignore[attr-defined]


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], top: argparse.ArgumentParser
) -> None:
    """Give the command line the command that prints its completion."""
    command = commands.add_parser(
        "completion",
        help="print what your shell needs to complete commands and runs",
        description='For this shell: eval "$(trackway completion bash)". For good, in bash: '
        "trackway completion bash > ~/.local/share/bash-completion/completions/trackway; "
        "in zsh: trackway completion zsh > _trackway, in a folder of $fpath.",
    )
    command.add_argument("shell", choices=SHELLS)
    command.set_defaults(act=lambda args: print_completion(top, args.shell))


def print_completion(top: argparse.ArgumentParser, shell: str) -> None:
    """Print the script that completes this command line."""
    import shtab  # every other command starts without it

    sys.stdout.write(shtab.complete(top, shell) + "\n")
