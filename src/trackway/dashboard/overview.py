"""What a run is and what can be drawn of it: the first thing that its pages ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.dashboard.answers import Answer
from trackway.dashboard.messages import FieldInfo, Marker, Overview, Places
from trackway.dashboard.run_list import run_row
from trackway.dashboard.runs import Runs
from trackway.dashboard.views import with_view
from trackway.query.facts import RunFacts
from trackway.query.records import RecordColumns
from trackway.query.run_view import RunView

# Of one kind; more would hide the curve that they stand on.
_MOST_MARKERS: Final = 200
_NOT_DRAWN: Final = {"row", "timestep", "unix_s", "env", "episode", "n_updates", "train/n_updates"}


async def answer_overview(request: Request) -> Response:
    """`/api/runs/{run}/overview`: an `Overview`."""
    runs: Runs = request.app.state.runs
    facts = await asyncio.to_thread(runs.facts, request.path_params["run"])
    return Answer(await with_view(request, overview, facts))


def overview(view: RunView, facts: RunFacts) -> Overview:
    episodes, updates = view.records("episodes"), view.records("updates")
    reasons = set(episodes.texts("termination_reason")) if _has_reasons(episodes) else set()
    return {
        "row": run_row(facts),
        "fields": [*_fields(view, episodes, updates)],
        "markers": markers(view, episodes, updates),
        "reasons": sorted(reason for reason in reasons if reason),
        "num_envs": view.num_envs("steps") or max((s.num_envs for s in view.spans), default=0),
        "episodes": len(episodes),
        "updates": len(updates),
    }


def _has_reasons(episodes: RecordColumns) -> bool:
    return "termination_reason" in episodes.text_names


def _fields(view: RunView, *records: RecordColumns) -> Iterator[FieldInfo]:
    for stream, fields in view.streams().items():
        for field in fields:
            if field.name not in _NOT_DRAWN:
                yield {
                    "stream": stream,
                    "name": field.name,
                    "unit": field.unit,
                    "description": field.description,
                    "numbers": int(np.prod(field.shape, dtype=int)),
                }
    for stream, columns in zip(("episodes", "updates"), records, strict=True):
        for name in columns.names:
            if name not in _NOT_DRAWN:
                yield {
                    "stream": stream,
                    "name": name,
                    "unit": "",
                    "description": "",
                    "numbers": 1,
                }


def markers(
    view: RunView,
    episodes: RecordColumns,
    updates: RecordColumns,
    which: slice = slice(None),
) -> list[Marker]:
    """Beginnings, checkpoints and events, oldest first; the newest of each kind."""
    found: dict[str, list[Marker]] = {}
    for facts in rows_of(view.records("events"), which):
        kind = str(facts.pop("event", "event"))
        timestep, unix_s = facts.pop("timestep", None), facts.pop("unix_s", None)
        if timestep is None or kind == "scene":
            continue
        at = places(float(timestep), float(unix_s or 0.0), episodes, updates)
        found.setdefault(kind, []).append({"kind": kind, "at": at, "facts": facts})
    newest = (marker for kind in found.values() for marker in kind[-_MOST_MARKERS:])
    return sorted(newest, key=lambda marker: marker["at"]["time"])


def places(
    timestep: float, unix_s: float, episodes: RecordColumns, updates: RecordColumns
) -> Places:
    return {
        "timestep": timestep,
        "time": unix_s,
        "update": _before(updates, timestep),
        "episode": _before(episodes, timestep),
    }


def _before(records: RecordColumns, timestep: float) -> float:
    if "timestep" not in records:
        return 0.0
    return float(np.searchsorted(records["timestep"], timestep, side="right"))


def rows_of(records: RecordColumns, which: slice) -> Iterator[dict[str, Any]]:
    """Some records as they were, without what was no number and no text."""
    numbers = {name: records[name] for name in records.names}
    texts = {name: records.texts(name) for name in records.text_names}
    for i in range(*which.indices(len(records))):
        told: dict[str, Any] = {
            name: float(values[i]) for name, values in numbers.items() if np.isfinite(values[i])
        }
        yield told | {name: t for name, values in texts.items() if (t := values[i]) is not None}


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/overview", answer_overview)]
