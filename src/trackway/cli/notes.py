"""`trackway note`: what people write to a run, for the list and the page."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import orjson

from trackway import files
from trackway.cli.arguments import command_of_run
from trackway.cli.recorded import find_recorded
from trackway.errors import RunError
from trackway.run import RunFolder

_LONGEST = 10_000


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Give the command line `note`."""
    note = command_of_run(commands, "note", "write a note or tags to a run, or read them")
    note.add_argument("text", nargs="?", help="the note; '' takes it away")
    note.add_argument("--tag", action="append", default=[], metavar="TAG", help="add a tag")
    note.add_argument("--untag", action="append", default=[], metavar="TAG", help="take one away")
    note.set_defaults(
        act=lambda args: write_note(
            RunFolder(find_recorded(args.models, args.run)), args.text, args.tag, args.untag
        )
    )


def write_note(run: RunFolder, text: str | None, tags: list[str], untags: list[str]) -> None:
    """Change what is given, keep the rest, and print how it stands.

    Raises:
        RunError: What stands there cannot be read, or a tag is none.
    """
    told = _read(run)
    known = [str(tag) for tag in told.get("tags") or []]
    kept = [tag for tag in dict.fromkeys([*known, *tags]) if tag not in untags]
    if any(not tag.strip() or len(tag) > 60 for tag in kept):
        raise RunError("a tag has 1 to 60 letters")
    if text is not None and len(text) > _LONGEST:
        raise RunError(f"a note has up to {_LONGEST:,} letters; put more into a file of its own")
    told |= {"tags": kept, "note": told.get("note") or "" if text is None else text}
    if text is not None or tags or untags:
        files.publish(run.notes, orjson.dumps(told, option=orjson.OPT_INDENT_2))
    sys.stdout.write(f"{run.name}: {', '.join(kept) or 'no tags'}\n")
    if told["note"]:
        sys.stdout.write(f"{told['note']}\n")


def _read(run: RunFolder) -> dict[str, Any]:
    try:
        told = orjson.loads(run.notes.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as error:
        raise RunError(f"{run.notes} cannot be read: {error}; mend or delete it") from error
    if not isinstance(told, dict):
        raise RunError(f'{run.notes} is not as it should be: {{"tags": [], "note": ""}}')
    return told
