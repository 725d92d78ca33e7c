"""The models of a run: how good, how exact, whole or not, and what to type to go on from them."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.dashboard.answers import Answer
from trackway.dashboard.messages import CheckpointRow
from trackway.dashboard.runs import Runs
from trackway.dashboard.views import Views
from trackway.errors import CheckpointError
from trackway.query.facts import RunFacts
from trackway.query.run_view import RunView
from trackway.run import RunFolder

Floats = npt.NDArray[np.float64]
Kind = Literal["checkpoint", "best", "final"]

_RECENT: Final = 100
# Checking a zip reads all of it: so many at a time, the newest first, for they are what people go on from.
_CHECKED: Final = 40
_MOST_KNOWN: Final = 2000
_LARGEST: Final = 1 << 30
_TOLD: Final = ("timestep", "algorithm", "exact")


async def answer_checkpoints(request: Request) -> Response:
    """`/api/runs/{run}/checkpoints`: a list of `CheckpointRow`, newest first."""
    runs: Runs = request.app.state.runs
    views: Views = request.app.state.views
    name = request.path_params["run"]

    def work() -> list[CheckpointRow]:
        facts = runs.facts(name)
        with views.use(name) as view:
            returns = _returns(view)
        return checkpoint_rows(facts, *returns)

    return Answer(await asyncio.to_thread(work))


def _returns(view: RunView) -> tuple[Floats, Floats]:
    episodes = view.records("episodes")
    if "return" not in episodes:
        return np.empty(0), np.empty(0)
    return episodes["timestep"].copy(), episodes["return"].copy()


def checkpoint_rows(
    facts: RunFacts,
    timesteps: Floats,
    returns: Floats,
) -> list[CheckpointRow]:
    """Every model of a run, newest first.

    Args:
        facts: Of the run.
        timesteps: When its episodes ended, rising.
        returns: Of these episodes.
    """
    rows: list[CheckpointRow] = []
    left = _CHECKED
    for kind, path in models_of(RunFolder(Path(facts.path))):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # retention took it away
        state = path, stat.st_mtime_ns, stat.st_size
        if state not in _known and left and stat.st_size <= _LARGEST:
            left -= 1
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[state] = _read(path)
        found = _known.get(state)
        whole = found if isinstance(found, Checkpoint) else None
        timestep = whole.timestep if whole else None
        rows.append(_row(facts, kind, path, stat.st_mtime, stat.st_size, found))
        if timestep is not None and len(timesteps):
            end = int(np.searchsorted(timesteps, timestep, side="right"))
            recent = returns[max(0, end - _RECENT) : end]
            known = recent[np.isfinite(recent)]
            rows[-1]["return_mean"] = float(known.mean()) if len(known) else None
    return rows


def _row(
    facts: RunFacts,
    kind: Kind,
    path: Path,
    made_unix: float,
    size: int,
    found: Checkpoint | str | None,
) -> CheckpointRow:
    whole = found if isinstance(found, Checkpoint) else None
    total = facts.planned_timesteps
    # In its own folder a run goes on from its newest checkpoint alone; a program of its own, such as
    # train.py, goes on from any.
    train = ["python", "train.py", "--run", "train", "--model_path", str(path)]
    resume = [*train, *(["--total_timesteps", str(total)] if total else [])]
    fork = [*resume, "--run_name", f"{path.stem}-fork"]
    if kind == "checkpoint" and whole is not None and whole.timestep is not None:
        if str(path) == facts.newest_checkpoint:
            resume = ["trackway", "resume", facts.path]
        fork = ["trackway", "fork", facts.path, "--at", str(whole.timestep)]
    return {
        "name": path.name,
        "kind": kind,
        "timestep": whole.timestep if whole else None,
        "made_unix": made_unix,
        "size_bytes": size,
        "return_mean": None,
        "algorithm": whole.manifest.get("algorithm") if whole else None,
        "verified": None if found is None else whole is not None,
        "exact": whole is not None and whole.resumable and not whole.inexact_because,
        "lacks": whole.inexact_because if whole else [],
        "error": found if isinstance(found, str) else None,
        "resume": shlex.join(resume),
        "fork": shlex.join(fork),
    }


# By path, time and size: a file is read once for each of its states.
_known: Final[dict[tuple[Path, int, int], Checkpoint | str]] = {}


def _read(path: Path) -> Checkpoint | str:
    """The checkpoint without its arrays, or what is wrong with it."""
    try:
        found = read_checkpoint(path)
    except (CheckpointError, OSError) as error:
        return str(error)
    # All else tells nothing here, and would fill the server's memory.
    facts = {name: told for name, told in found.manifest.items() if name in _TOLD}
    return Checkpoint(found.path, facts)


def models_of(run: RunFolder) -> list[tuple[Kind, Path]]:
    """Every model file of a run, newest first."""
    found: list[tuple[Kind, Path]] = [("checkpoint", p) for p in run.checkpoints.glob("*.zip")]
    whole: list[tuple[Kind, Path]] = [("best", run.best_model), ("final", run.final_model)]
    found += [(kind, path) for kind, path in whole if path.is_file()]
    return sorted(found, key=_made, reverse=True)


def _made(model: tuple[Kind, Path]) -> float:
    try:
        return model[1].stat().st_mtime
    except OSError:
        return 0.0


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/checkpoints", answer_checkpoints)]
