"""Everything that is known of how a run was made, in lines that can be searched."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.clock import iso
from trackway.dashboard.answers import Answer
from trackway.dashboard.messages import Fact
from trackway.dashboard.runs import Runs
from trackway.run import RunFolder
from trackway.storage.places import attempts

# A hyperparameter file of a large network; what is larger was not written by us.
_MOST_BYTES: Final = 8 << 20
_LATEST_UNIX: Final = 2**35


async def answer_facts(request: Request) -> Response:
    """`/api/runs/{run}/facts`: a list of `Fact`."""
    runs: Runs = request.app.state.runs
    run = await asyncio.to_thread(runs.find, request.path_params["run"])
    return Answer(await asyncio.to_thread(lambda: list(facts_of(run))))


def facts_of(run: RunFolder) -> Iterator[Fact]:
    """What the manifest, the hyperparameters and the attempts say, in this order."""
    manifest = _read(run.manifest)
    for section, value in manifest.items():
        name = section if isinstance(value, Mapping) else "run"
        yield from _lines(name, value, "" if isinstance(value, Mapping) else section)
    written = sorted(run.hyperparameters.glob("*.json"))
    if written:
        yield from _lines("hyperparameters", _read(written[-1]), "")
    for attempt in attempts(run.path):
        yield from _lines(f"attempt {attempt.name}", _read(attempt.manifest), "")


def _lines(section: str, value: Any, key: str) -> Iterator[Fact]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _lines(section, inner, f"{key}.{name}" if key else str(name))
    else:
        yield {"section": section, "key": key, "value": text(value, key.rpartition(".")[2])}


def text(value: Any, name: str = "") -> str:
    """A value for people: a command to paste, a time to read, a number as it was meant; lists in one line."""
    if isinstance(value, str):
        return value
    if name == "command" and isinstance(value, list):
        return shlex.join(map(str, value))
    if isinstance(value, float):
        if name.endswith("_unix") and 0 <= value < _LATEST_UNIX:
            return iso(value)
        value = float(f"{value:.12g}")  # 0.3 - 0.1 is 0.19999999999999998
    return orjson.dumps(value, default=str).decode()


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Settings by their dotted path."""
    return {fact["key"]: fact["value"] for fact in _lines("", config, prefix)}


def _read(path: Any) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            return {}
        told = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}  # the list of runs tells that it is damaged
    return told if isinstance(told, dict) else {}


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/facts", answer_facts)]
