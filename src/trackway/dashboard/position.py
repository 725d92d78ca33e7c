"""How far a page has drawn a run.

A position is how many rows each stream has given to the run's line, `1200.331.25.17.3`: steps,
episodes, updates, system, events. It is the id of the server-sent event that brought a page there, so
a browser that reconnects goes on from it.
"""

from __future__ import annotations

from typing import Final

from trackway.query.run_view import RunView

Position = tuple[int, ...]

STREAMS: Final = ("steps", "episodes", "updates", "system", "events")
COLUMNS: Final = frozenset({"steps", "system"})
# What lies further back than this is drawn anew instead: one question, and a bounded answer.
MOST_NEW_ROWS: Final = 20_000


def position(view: RunView) -> Position:
    """How much each stream has given; of columns, as far as all writers have come that record at once."""
    return tuple(
        sum(view.drawn(stream) if stream in COLUMNS else view.rows(stream)) for stream in STREAMS
    )


def write_position(at: Position) -> str:
    return ".".join(map(str, at))


def read_position(text: str) -> Position | None:
    """A position from an address or from `Last-Event-ID`; None where it is none."""
    parts = text.split(".")
    if len(parts) != len(STREAMS) or not all(p.isdecimal() and len(p) < 16 for p in parts):
        return None
    return tuple(map(int, parts))


def can_append(before: Position, after: Position) -> bool:
    """Whether what lies between is little enough, and comes after."""
    grown = [b - a for a, b in zip(before, after, strict=True)]
    return min(grown) >= 0 and max(grown) <= MOST_NEW_ROWS
