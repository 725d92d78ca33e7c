"""How a run stands: whether it lives, how far it is, how fast, and when it will be done.

A run lives when its trainer holds its lock. On another machine locks tell nothing, so the age of the
last heartbeat decides: a row of the stream `system`, which comes about once a second between steps.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from trackway import files
from trackway import run as run_folder
from trackway.dashboard.messages import State
from trackway.errors import RunError, TrackwayError
from trackway.format.pieces import Joiner
from trackway.run import RunFolder
from trackway.storage.places import AttemptFolder, attempts
from trackway.storage.reader import Reader, end_row

# An update of the policy passes without a heartbeat; so much silence, and more, is none.
STALLED_S: Final = 60.0
_WINDOW_ROWS: Final = 60
_ENDS: Final[dict[str, State]] = {"ended": "finished", "closed": "interrupted"}


@dataclass(frozen=True)
class Begin:
    """What an attempt said of itself as it began: its event `begin`."""

    timestep: int
    num_envs: int
    planned: int | None
    algorithm: str | None
    environment: str | None
    unix_s: float


@dataclass(frozen=True)
class Heartbeat:
    """The last rows of `system`: when, and how fast training went over them."""

    unix_s: float
    timestep: int
    steps_per_s: float | None
    longest_gap_s: float


@dataclass(frozen=True)
class Standing:
    state: State
    error: str | None = None
    begin: Begin | None = None
    heartbeat: Heartbeat | None = None
    timesteps: int | None = None
    attempts: int = 0

    @property
    def left_s(self) -> float | None:
        """Time until the planned end, at the present speed."""
        planned = self.begin.planned if self.begin else None
        speed = self.heartbeat.steps_per_s if self.heartbeat else None
        if self.state != "running" or not speed or planned is None or self.timesteps is None:
            return None
        return max(0, planned - self.timesteps) / speed


def standing(run: RunFolder, now_unix: float) -> Standing:
    """Look at a run; what cannot be read is told, not raised."""
    manifest: dict[str, Any] | None = None
    try:
        if run.manifest.exists():
            manifest = run_folder.read_manifest(run)
        return _standing(run, manifest, now_unix)
    except RunError as error:
        return Standing("damaged", str(error))
    except (TrackwayError, OSError) as error:
        # The journal cannot be read; the manifest still tells something.
        state = run_folder.status(manifest) if manifest else "damaged"
        return Standing(_known(state), str(error), timesteps=(manifest or {}).get("timesteps"))


def _standing(run: RunFolder, manifest: dict[str, Any] | None, now_unix: float) -> Standing:
    found = attempts(run.path)
    if not found:
        state = _known(run_folder.status(manifest)) if manifest else "unknown"
        return Standing(state, timesteps=(manifest or {}).get("timesteps"))
    last = found[-1]
    begin, beat = read_begin(last), heartbeat(last)
    state = _state(run, manifest, last, beat, now_unix)
    timesteps = (manifest or {}).get("timesteps")
    if begin is not None and (state in {"running", "stalled"} or timesteps is None):
        timesteps = begin.timestep + _rows(last) * begin.num_envs
    return Standing(state, None, begin, beat, timesteps, len(found))


def _state(
    run: RunFolder,
    manifest: dict[str, Any] | None,
    last: AttemptFolder,
    beat: Heartbeat | None,
    now_unix: float,
) -> State:
    silence_s = now_unix - (beat.unix_s if beat else _touched_unix(last))
    patience_s = max(STALLED_S, 5 * beat.longest_gap_s if beat else 0.0)
    if _host(last) == socket.gethostname():
        alive = files.is_locked(last.lock)
    else:
        alive = silence_s < patience_s
    if alive:
        return "stalled" if silence_s > patience_s else "running"
    said = str(manifest.get("status", "unknown")) if manifest else "unknown"
    if said not in {"running", "unknown"}:
        return _known(said)
    if manifest is not None and run_folder.status(manifest) == "running":
        return "running"  # between two attempts of one process
    end = next((e for e in reversed(records(last, "events")) if e.get("event") == "end"), None)
    return _ENDS.get(str(end.get("how")), "failed") if end else "crashed"


def read_begin(attempt: AttemptFolder) -> Begin | None:
    """What the attempt said as it began, if it has said it."""
    for event in records(attempt, "events", limit=64):
        if event.get("event") == "begin":
            return Begin(
                int(event.get("timestep") or 0),
                int(event.get("num_envs") or 1),
                event.get("planned_timesteps"),
                event.get("algorithm"),
                event.get("environment"),
                float(event.get("unix_s") or 0.0),
            )
    return None


def heartbeat(attempt: AttemptFolder) -> Heartbeat | None:
    """The last minute of `system`."""
    folder = attempt.stream("system")
    if not folder.path.is_dir():
        return None
    first = max(0, end_row(folder) - _WINDOW_ROWS)
    rows = Reader(folder, ["unix_s", "timestep"], first).poll()
    if not len(rows):
        return None
    unix_s, timestep = rows["unix_s"][:, 0], rows["timestep"][:, 0]
    span_s = float(unix_s[-1] - unix_s[0])
    return Heartbeat(
        float(unix_s[-1]),
        int(timestep[-1]),
        float(timestep[-1] - timestep[0]) / span_s if span_s > 0 else None,
        float(np.diff(unix_s).max(initial=0.0)),
    )


def records(attempt: AttemptFolder, stream: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Records of a stream of JSON, the first `limit` pieces of them; none where there is none."""
    folder = attempt.stream(stream)
    if not folder.path.is_dir():
        return []
    rows = Reader(folder).poll(limit)
    return Joiner().join(rows.rows, rows.columns)


def _rows(attempt: AttemptFolder) -> int:
    folder = attempt.stream("steps")
    return end_row(folder) if folder.path.is_dir() else 0


def _host(attempt: AttemptFolder) -> str:
    try:
        return str(orjson.loads(attempt.manifest.read_bytes())["host"])
    except (OSError, ValueError, KeyError):
        return socket.gethostname()


def _touched_unix(attempt: AttemptFolder) -> float:
    """When anything of the attempt was last written."""
    paths: list[Path] = [attempt.path]
    for stream in attempt.streams():
        paths += [stream.path, *(segment.path for segment in stream.segments()[-1:])]
    return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)


def _known(state: str) -> State:
    match state:
        case "running" | "finished" | "interrupted" | "failed" | "crashed" | "damaged":
            return state
        case _:
            return "unknown"
