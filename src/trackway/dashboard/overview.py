"""What a run is and what can be drawn of it: the first thing that its pages ask."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
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
    reasons = episodes.codes("termination_reason")[1]
    return {
        "row": run_row(facts),
        "fields": [*_fields(view, episodes, updates)],
        "markers": markers(view),
        "reasons": sorted(reason for reason in reasons if reason),
        "num_envs": view.num_envs("steps") or max((s.num_envs for s in view.spans), default=0),
        "episodes": len(episodes),
        "updates": len(updates),
    }


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


def markers(view: RunView, begin: int = 0, end: int | None = None) -> list[Marker]:
    """Beginnings, checkpoints and events, oldest first; the newest of each kind.

    Args:
        view: The run.
        begin: The first event to look at.
        end: The one after the last; all by default.
    """
    events = view.records("events")
    codes, kinds = events.codes("event", begin, len(events) if end is None else end)
    chosen = [
        np.flatnonzero(codes == code)[-_MOST_MARKERS:]
        for code, kind in [*enumerate(kinds), (-1, "event")]
        if kind != "scene"
    ]
    counted = [_timesteps(view.records(stream)) for stream in ("updates", "episodes")]
    found: list[Marker] = []
    for facts in _rows(events, begin, np.sort(np.concatenate(chosen))):
        kind = str(facts.pop("event", "event"))
        timestep, unix_s = facts.pop("timestep", None), facts.pop("unix_s", 0.0)
        if timestep is not None:
            update, episode = (float(np.searchsorted(at, timestep, "right")) for at in counted)
            at: Places = {
                "timestep": timestep,
                "time": unix_s,
                "update": update,
                "episode": episode,
            }
            found.append({"kind": kind, "at": at, "facts": facts})
    return sorted(found, key=lambda marker: marker["at"]["time"])


def _timesteps(records: RecordColumns) -> npt.NDArray[np.float64]:
    return records["timestep"] if "timestep" in records else np.empty(0)


def _rows(
    records: RecordColumns, begin: int, chosen: npt.NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """Some records as they were, counted from `begin`, without what was no number and no text."""
    end = begin + int(chosen[-1]) + 1 if len(chosen) else begin
    numbers = {name: records.part(name, begin, end) for name in records.names}
    texts = {name: records.codes(name, begin, end) for name in records.text_names}
    for i in chosen:
        told: dict[str, Any] = {
            name: float(values[i]) for name, values in numbers.items() if np.isfinite(values[i])
        }
        yield told | {
            name: names[codes[i]] for name, (codes, names) in texts.items() if codes[i] >= 0
        }


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/overview", answer_overview)]
