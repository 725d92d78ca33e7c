"""What callbacks tell the person at the terminal."""

from __future__ import annotations

from rich import get_console


def say(text: str) -> None:
    """Print a line, above a live display where there is one."""
    get_console().print(text, markup=False, highlight=False, soft_wrap=True)
