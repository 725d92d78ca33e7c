"""What is worth knowing of a run at a glance: how it stands, how far it came, how well it does."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway import files
from trackway import run as run_folder
from trackway.clock import Clock
from trackway.errors import TrackwayError
from trackway.query.line import Span, line
from trackway.query.told import RECENT, RECENT_COLUMNS, Told, sparkline
from trackway.run import RunFolder
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import AttemptFolder, attempts

# `system` tells something every second: a training that is silent for so long does not go on.
STALLED_S: Final = 120.0
_WRONG: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class RunFacts:
    """A line of the list of runs; what is not known is None.

    Attributes:
        name: Of its folder.
        path: The folder.
        status: running, stalled (its process lives and records nothing), finished, interrupted, failed,
            crashed (its process is gone without a word), or damaged.
        error: What is wrong with a damaged one.
        created_unix: When it began, in seconds since 1970; `ended_unix`: when it last told something.
        timesteps: How far it came.
        return_mean: Of the last 100 episodes, as `length_mean` and `success_rate`.
        sparkline: Mean returns over the run, at most 40 of them.
        tags: What people wrote to it, as `note`.
        config_text: Its settings, as the manifest has them, in JSON.
    """

    name: str
    path: str
    status: str
    error: str | None = None
    run_id: str | None = None
    created_unix: float | None = None
    ended_unix: float | None = None
    algorithm: str | None = None
    environment: str | None = None
    num_envs: int | None = None
    seed: int | None = None
    planned_timesteps: int | None = None
    timesteps: int | None = None
    attempts: int = 0
    episodes: int | None = None
    updates: int | None = None
    return_mean: float | None = None
    return_best: float | None = None
    length_mean: float | None = None
    success_rate: float | None = None
    checkpoints: int = 0
    newest_checkpoint: str | None = None
    command: str | None = None
    git_commit: str | None = None
    resumed_from: str | None = None
    hostname: str | None = None
    sparkline: list[float | None] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    note: str | None = None
    config_text: str = "{}"

    @property
    def config(self) -> dict[str, Any]:
        """Its settings."""
        settings: dict[str, Any] = orjson.loads(self.config_text)
        return settings

    @property
    def duration_s(self) -> float | None:
        if self.created_unix is None or self.ended_unix is None:
            return None
        return self.ended_unix - self.created_unix

    @property
    def live(self) -> bool:
        """Whether it may tell something new at any time."""
        return self.status in {"running", "stalled"}

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in NAMES}

    @classmethod
    def of(cls, values: Sequence[Any]) -> RunFacts:
        """Put together again from values in the order of `NAMES`.

        Raises:
            ValueError: There are more or fewer.
        """
        made = object.__new__(cls)  # ten thousand constructors of a frozen class take 0.1 s
        vars(made).update(zip(NAMES, values, strict=True))
        return made


NAMES: Final = tuple(f.name for f in fields(RunFacts))


def facts_of(run: RunFolder, clock: Clock) -> RunFacts:
    """Look at a run; whatever is wrong with it is told, not raised."""
    return Look(run, clock).facts()


class Look:
    """Looks at a run, again and again while it grows: what was read once is not read again."""

    def __init__(self, run: RunFolder, clock: Clock) -> None:
        self._run, self._clock = run, clock
        self._told: list[Told] = []

    def facts(self) -> RunFacts:
        """What is known now; whatever is wrong with the run is told, not raised."""
        run = self._run
        made: dict[str, Any] = {"name": run.name, "path": str(run.path)}
        try:
            manifest = run_folder.read_manifest(run) if run.manifest.exists() else None
            spans = _spans(run.path, self._clock)
            self._look_at(spans)
            made |= _of_manifest(manifest or {}) | _of_streams(self._told, made) | _of_files(run)
            if made.get("timesteps") is None:
                made["timesteps"] = (manifest or {}).get("timesteps")
            status = _status(manifest, spans, self._told[-1:], self._clock)
            return RunFacts(status=status, **made)
        # What stands in a damaged file may be of any type; the others are listed all the same.
        except (TrackwayError, OSError, *_WRONG) as error:
            self._told = []
            why = str(error) or type(error).__name__
            return RunFacts(run.name, str(run.path), status="damaged", error=why)

    def _look_at(self, spans: list[Span]) -> None:
        if [told.span for told in self._told] != spans:
            self._told = [Told(span) for span in spans]
        before: dict[int, Any] = {}  # by rank, the timestep of the last update
        for told in self._told:
            told.look(before.get(told.span.rank))
            if told.counts["updates"]:
                before[told.span.rank] = told.last_update


def _spans(run: Path, clock: Clock) -> list[Span]:
    for attempt in attempts(run):
        finish_abandoned(attempt, clock)
    return line(run)


def _of_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    config = manifest.get("config") or {}
    resumed = manifest.get("resumed_from")
    return {
        "run_id": manifest.get("run_id"),
        "created_unix": manifest.get("created_unix"),
        "algorithm": manifest.get("algorithm"),
        "environment": manifest.get("environment"),
        "seed": _found(config, "seed"),
        "planned_timesteps": _found(config, "total_timesteps"),
        "command": " ".join(map(str, manifest.get("command") or [])) or None,
        "git_commit": (manifest.get("git") or {}).get("commit"),
        "hostname": (manifest.get("machine") or {}).get("hostname"),
        "resumed_from": None if resumed is None else str(resumed),
        "config_text": orjson.dumps(config).decode(),
    }


def _of_streams(all_told: list[Told], known: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"attempts": len(all_told)}
    if not all_told:
        return made
    for told in all_told:
        made |= told.settings
    steps = [told.timesteps for told in all_told if told.timesteps is not None]
    if steps:
        made["timesteps"] = int(max(steps))
    begun_unix = min(told.begun_unix for told in all_told)
    if math.isfinite(begun_unix):
        made["created_unix"] = known.get("created_unix") or begun_unix
        made["ended_unix"] = max(told.ended_unix for told in all_told)
    made |= {n: sum(told.counts[n] for told in all_told) for n in ("episodes", "updates")}
    for name, column in zip(
        ("return_mean", "length_mean", "success_rate"), RECENT_COLUMNS, strict=True
    ):
        values = [value for told in all_told for value in told.recent[column]]
        made[name] = _mean(np.array(values[-RECENT:]))
    made["sparkline"] = sparkline([told.returns for told in all_told])
    made["return_best"] = max((m for m in made["sparkline"] if m is not None), default=None)
    return {name: value for name, value in made.items() if value is not None or name not in known}


def _of_files(run: RunFolder) -> dict[str, Any]:
    zips = sorted(run.checkpoints.glob("checkpoint_*.zip"))
    made: dict[str, Any] = {"checkpoints": len(zips)}
    if zips:
        made["newest_checkpoint"] = str(zips[-1])
    try:
        notes = orjson.loads(run.notes.read_bytes())
        tags = notes.get("tags") or []
        made["tags"] = [str(tag) for tag in tags]
        made["note"] = notes.get("note") or notes.get("notes")
    except (OSError, ValueError, AttributeError, TypeError):
        pass  # nobody wrote one, or not as we do
    return made


def _status(
    manifest: Mapping[str, Any] | None, spans: list[Span], last: list[Told], clock: Clock
) -> str:
    alive = any(files.is_locked(span.attempt.lock) for span in _last(spans))
    if alive:
        status = "running"
    elif manifest is not None:
        status = run_folder.status(manifest)
    else:
        status = _told_end(last)
    if status == "running" and spans:
        heard_unix = max((_newest(span.attempt) for span in spans), default=0.0)
        if clock.unix_s() - heard_unix > STALLED_S:
            return "stalled"
    return status


def _last(spans: list[Span]) -> list[Span]:
    """The newest of each rank."""
    return list({span.rank: span for span in spans}.values())


def _told_end(last: list[Told]) -> str:
    """How an attempt ended, where only its events tell; a loop of one's own may tell none."""
    if not last or "begin" not in last[0].ended:
        return "finished"
    ended = {None: "crashed", "ended": "finished", "closed": "interrupted"}
    return ended.get(last[0].ended.get("end"), "failed")


def _newest(attempt: AttemptFolder) -> float:
    """When anything was last written to a stream of the attempt, in seconds since 1970."""
    times = [attempt.path.stat().st_mtime]
    for stream in attempt.streams():
        with os.scandir(stream.path) as entries:
            times.extend(entry.stat().st_mtime for entry in entries)
    return max(times)


def _mean(values: Any) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _found(config: Mapping[str, Any], key: str) -> int | None:
    """A whole number of that name, wherever in the settings it stands."""
    for name, value in config.items():
        if name == key and isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, Mapping) and (deeper := _found(value, key)) is not None:
            return deeper
    return None
