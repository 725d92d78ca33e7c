"""What stays at full rate whatever a policy says: the episodes one comes back for, and pinned runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from trackway import files
from trackway.errors import RetentionError, StreamError
from trackway.run import RunFolder
from trackway.storage.places import AttemptFolder, find_stream
from trackway.storage.reader import Reader, end_row, read_records

# Before a training that died: 20 s of a Go1.
LAST_ROWS: Final = 1000


@dataclass(frozen=True)
class Pin:
    """Rows `first` to `last` of an attempt's steps, and why they stay."""

    first: int
    last: int
    why: str


def is_pinned(run: RunFolder) -> bool:
    """Whether all of a run stays."""
    return bool(_told(run).get("run"))


def pin_run(run: RunFolder, pinned: bool = True) -> None:
    """Keep all of a run, or no longer."""
    _publish(run, _told(run) | {"run": pinned})


def pin_rows(run: RunFolder, attempt: str, first: int, last: int) -> None:
    """Keep rows of an attempt, such as those of an episode.

    Raises:
        RetentionError: There are no such rows.
    """
    if not 0 <= first <= last:
        raise RetentionError(f"rows {first} to {last} are none: give the first and the last one")
    find_stream(run.path, "steps", attempt)
    told = _told(run)
    rows = [*told.get("rows", []), {"attempt": attempt, "first": first, "last": last}]
    _publish(run, told | {"rows": rows})


def pins(run: RunFolder, attempt: AttemptFolder) -> list[Pin]:
    """What stays of an attempt: best, worst, first success, last before a crash, and what was asked."""
    found = [
        Pin(told["first"], told["last"], "pinned")
        for told in _told(run).get("rows", [])
        if told["attempt"] == attempt.name
    ]
    episodes = [episode for episode in _records(attempt, "episodes") if "row" in episode]
    scored = [episode for episode in episodes if isinstance(episode.get("return"), int | float)]
    if scored:
        found.append(_pin(max(scored, key=lambda e: e["return"]), "the best episode"))
        found.append(_pin(min(scored, key=lambda e: e["return"]), "the worst episode"))
    succeeded = next((episode for episode in episodes if episode.get("is_success")), None)
    if succeeded:
        found.append(_pin(succeeded, "the first success"))
    for event in _records(attempt, "events"):
        if event.get("event") == "simulation_diverged" and "row" in event:
            row = int(event["row"])
            found.append(Pin(max(0, row - LAST_ROWS), row, "before the simulation diverged"))
    ended = _ended(attempt)
    if ended is not None:
        end, reason = ended
        found.append(Pin(max(0, end - LAST_ROWS), end - 1, f"the last rows: {reason}"))
    return found


def _pin(episode: dict[str, Any], why: str) -> Pin:
    last = int(episode["row"])
    return Pin(max(0, last - int(episode.get("length") or LAST_ROWS) + 1), last, why)


def _ended(attempt: AttemptFolder) -> tuple[int, str] | None:
    """After which row the steps ended without being closed, and why."""
    try:
        steps = find_stream(attempt.run, "steps", attempt.name)
        end = end_row(steps)
        reader = Reader(steps, first=end)
        reader.poll()
    except StreamError:
        return None
    return None if reader.end_reason in (None, "closed") else (end, str(reader.end_reason))


def _records(attempt: AttemptFolder, stream: str) -> list[dict[str, Any]]:
    try:
        return read_records(attempt.run, stream, attempt=attempt.name)
    except StreamError:
        return []


def _told(run: RunFolder) -> dict[str, Any]:
    try:
        told = orjson.loads(run.keep.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as error:
        raise RetentionError(f"{run.keep} cannot be read, so nothing is let go: {error}") from error
    if not isinstance(told, dict) or told.get("format") != "trackway-keep":
        raise RetentionError(f"{run.keep} does not say what is kept, so nothing is let go")
    return told


def _publish(run: RunFolder, told: dict[str, Any]) -> None:
    body = {"format": "trackway-keep", "version": 1, **told}
    files.publish(run.keep, orjson.dumps(body, option=orjson.OPT_INDENT_2))
