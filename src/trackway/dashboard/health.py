"""How a run is kept: what was written, whether anything was lost, what it takes, how long it fits."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from trackway.clock import SYSTEM_CLOCK
from trackway.dashboard.answers import Answer
from trackway.dashboard.heartbeat import heartbeat
from trackway.dashboard.messages import Health, Place, Store, StreamHealth
from trackway.dashboard.run_list import run_row
from trackway.dashboard.runs import Runs
from trackway.errors import TrackwayError
from trackway.query.facts import RunFacts
from trackway.run import RunFolder
from trackway.storage import ring
from trackway.storage.places import StreamFolder, attempts, streams_folder
from trackway.storage.reader import describe, end_row
from trackway.storage.stored import sentences
from trackway.storage.verify import Report, verify
from trackway.sync.acknowledged import read_acknowledged

# So much is read and checked when somebody looks; more is a matter for `trackway verify`.
_CHECKED_BYTES: Final = 512 << 20
_MOST_REPORTS: Final = 512
_DAY_S: Final = 86_400.0


Files = tuple[tuple[Path, int, int], ...]


async def answer_health(request: Request) -> Response:
    """`/api/runs/{run}/health`: a `Health`."""
    runs: Runs = request.app.state.runs
    name = request.path_params["run"]
    return Answer(await asyncio.to_thread(lambda: health(runs.facts(name))))


def health(facts: RunFacts) -> Health:
    run = RunFolder(Path(facts.path))
    streams = [*_streams(run)]
    places = [*_places(run)]
    size = sum(place["size_bytes"] for place in places)
    free = shutil.disk_usage(run.path).free
    row = run_row(facts)
    begun, seen = facts.created_unix, row["seen_unix"]
    age_s = seen - begun if begun is not None and seen is not None else 0.0
    pace = size / age_s if age_s > 0 else None
    waited_s = sum(stream["waited_s"] for stream in streams)
    beat = heartbeat(run.path) if facts.live else None
    return {
        "streams": streams,
        "places": places,
        "size_bytes": size,
        "disk_free_bytes": free,
        "bytes_per_s": pace,
        "days_left": free / pace / _DAY_S if pace and facts.live else None,
        "needed_bytes": pace * row["left_s"] if pace and row["left_s"] is not None else None,
        "lag_ms": (SYSTEM_CLOCK.unix_s() - beat.unix_s) * 1000 if beat else None,
        "waited_share": waited_s / age_s if age_s > 0 else None,
        "stores": [*_stores(run)],
        "verify": shlex.join(["trackway", "verify", str(run.path)]),
    }


def _streams(run: RunFolder) -> Iterator[StreamHealth]:
    for attempt in attempts(run.path):
        for folder in attempt.streams():
            try:
                yield _stream(folder)
            except (TrackwayError, OSError) as error:
                yield _unreadable(folder, str(error))


def _stream(folder: StreamFolder) -> StreamHealth:
    kind = describe(folder)[2]
    contents = folder.contents()
    elsewhere = sentences(folder)
    stats = [(file.path, file.path.stat()) for file in contents.files]
    sizes = [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    size = sum(s for _, s, _ in sizes)
    told: StreamHealth = {
        **_unreadable(folder, None),
        "kind": kind,
        "rows": end_row(folder),
        "size_bytes": size,
        "segments": len(contents.segments),
        "parts": len(contents.parts),
        "faults": elsewhere,
    }
    memory = ring.find_ring(folder.ring_pointer)
    if memory is not None:
        words = memory.words
        return {
            **told,
            "recording": True,
            "waiting": max(0, memory.head - memory.tail),
            "lost": words[ring.LOST] + words[ring.DISCARDED],
            "waits": words[ring.WAITS],
            "waited_s": words[ring.WAITED_NS] / 1e9,
            "failing": memory.said() if words[ring.FAILING] else None,
        }
    if size > _CHECKED_BYTES:
        return told
    report = _checks.report(folder, tuple(sizes))
    if report is None:
        return {**told, "checking": True}
    waits = [note for note in report.notes if note["note"] == "waited"]
    return {
        **told,
        "lost": sum(gap["count"] for gap in report.gaps),
        "waits": sum(note["times"] for note in waits),
        "waited_s": sum(note["seconds"] for note in waits),
        "verified": report.whole,
        "faults": [*report.faults[:20], *elsewhere],
    }


class _Checks:
    """What `verify` says of streams that have ended: one at a time, beside the answers."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="verify")
        self._reports: dict[tuple[StreamFolder, Files], Future[Report]] = {}
        self._lock = Lock()

    def report(self, folder: StreamFolder, state: Files) -> Report | None:
        """Of the files in this state; None while they are being looked at.

        Raises:
            TrackwayError: They cannot be read.
        """
        with self._lock:
            if len(self._reports) > _MOST_REPORTS:
                self._reports.clear()
            key = (folder, state)
            if key not in self._reports:
                self._reports[key] = self._thread.submit(verify, folder)
            found = self._reports[key]
        return found.result() if found.done() else None


_checks = _Checks()


def _unreadable(folder: StreamFolder, why: str | None) -> StreamHealth:
    return {
        "attempt": folder.attempt.name,
        "stream": folder.name,
        "kind": "",
        "rows": 0,
        "size_bytes": 0,
        "segments": 0,
        "parts": 0,
        "recording": False,
        "waiting": 0,
        "lost": 0,
        "waits": 0,
        "waited_s": 0.0,
        "failing": None,
        "checking": False,
        "verified": None if why is None else False,
        "faults": [] if why is None else [why],
    }


def _places(run: RunFolder) -> Iterator[Place]:
    """What lies in the run, by kind."""
    streams = streams_folder(run.path)
    named = {
        "streams": streams,
        "checkpoints": run.checkpoints,
        "videos": run.videos,
        "sync": run.sync,
    }
    seen: dict[str, list[int]] = {}
    for path, size in _files(run.path):
        name = next(
            (n for n, folder in named.items() if path.startswith(f"{folder}{os.sep}")), None
        )
        if name is None:
            name = "records" if path.startswith(f"{run.realtime_data}{os.sep}") else "other"
        seen.setdefault(name, []).append(size)
    for name, sizes in sorted(seen.items(), key=lambda item: -sum(item[1])):
        yield {"name": name, "files": len(sizes), "size_bytes": sum(sizes)}


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)  # noqa: PTH118 -- a Path for each of many thousands
            try:
                yield path, os.lstat(path).st_size
            except OSError:
                continue  # it went meanwhile


def _stores(run: RunFolder) -> Iterator[Store]:
    for path in sorted(run.sync.glob("*.acknowledged")):
        try:
            epoch, shipped = read_acknowledged(path)
            told_unix = path.stat().st_mtime
        except (TrackwayError, OSError, ValueError, KeyError):
            continue
        sizes = [*(size for size, _ in shipped.files.values()), *shipped.grown.values()]
        yield {
            "name": path.stem,
            "epoch": epoch,
            "files": len(sizes),
            "size_bytes": sum(sizes),
            "told_unix": told_unix,
        }


routes: Final[Sequence[BaseRoute]] = [Route("/runs/{run}/health", answer_health)]
