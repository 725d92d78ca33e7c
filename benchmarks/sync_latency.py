"""From a row recorded on one machine to the same row readable on another, through a bucket.

    python benchmarks/sync_latency.py                 8 writers, 40 ms added to every request
    python benchmarks/sync_latency.py --delay_ms 0 --writers 1

A real S3 server runs on this machine; a proxy delays each answer. Every writer is a run with a
recorder and a shipper of its own; one follower makes all runs again in another folder, as a
dashboard of a bucket does. A row carries the time when it was committed; it counts as visible when
the reader of the copy gives it. Both ends read one clock. At the end all machines burn at once: shippers
and recorders are killed, and what the store has is compared with what was recorded. Printed beside the
delays: what burnt, what the shippers cost of a core, and what a day of such requests costs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the server of the tests

from tests.support.far_bucket import far_bucket

import trackway
from trackway.errors import StreamError
from trackway.format.schema import Field
from trackway.run import create_run, new_manifest, write_manifest
from trackway.storage.places import attempts
from trackway.storage.reader import Reader
from trackway.sync import cost
from trackway.sync.follower import Follower
from trackway.sync.mirror import Mirror
from trackway.sync.opening import open_store

SCHEMA = trackway.Schema(
    Field("committed_unix", "float64", unit="s", description="when this row was committed"),
    Field("state", "float32", (66,), description="as much as a Go1 has to say"),
)
NUM_ENVS = 12
_WARM_S = 16.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--writers", type=int, default=8)
    arguments.add_argument("--delay_ms", type=float, default=40.0)
    arguments.add_argument("--seconds", type=float, default=20.0)
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with far_bucket(folder / "weed", args.delay_ms / 1e3) as url:
            measure(args, folder, url)


def measure(args: argparse.Namespace, folder: Path, url: str) -> None:
    runs = [create_run(folder / "here", f"writer-{n}") for n in range(args.writers)]
    for run in runs:
        write_manifest(run, new_manifest(command=["benchmark"], config={}))
    recorders = [trackway.Recorder(run.path) for run in runs]
    streams = [recorder.stream("steps", SCHEMA, NUM_ENVS) for recorder in recorders]
    shippers = [
        subprocess.Popen([sys.executable, "-m", "trackway", "sync", str(run.path), url])
        for run in runs
    ]
    stop = threading.Event()
    follower = Follower(open_store(url), folder / "there")
    thread = threading.Thread(target=follower.follow, args=(stop,))
    thread.start()
    state = np.zeros((NUM_ENVS, 66), np.float32)
    delays: list[float] = []
    try:
        for seconds in (_WARM_S, args.seconds):
            # The shippers notice within some seconds that somebody watches; then it counts.
            delays = record(seconds, streams, state, folder / "there", runs)
        spent_s = sum(sum(psutil.Process(s.pid).cpu_times()[:2]) for s in shippers)
        last_s = burn(shippers, streams, state)
    finally:
        stop.set()
        thread.join()
        for recorder in recorders:
            recorder.close()
        for shipper in shippers:
            shipper.kill()
            shipper.wait()
    burnt_s = max(last_s - newest_s(url, folder / "rescued", run.name) for run in runs)
    delays.sort()
    told = {
        "writers": args.writers,
        "delay_ms": args.delay_ms,
        "rows": len(delays),
        "p50_s": round(statistics.median(delays), 3),
        "p95_s": round(delays[int(0.95 * len(delays))], 3),
        "worst_s": round(delays[-1], 3),
        "goal_p95_s": 0.7,
        "burnt_s": round(burnt_s, 3),
        "goal_burnt_s": 1.0,
        "shipper_cpu_share": round(spent_s / len(shippers) / (args.seconds + _WARM_S), 4),
        "requests_per_day": cost.sentence(),
        "usd_per_day_watched": round(cost.requests_per_day(1.0).usd, 2),
    }
    print(json.dumps(told, indent=2))


def burn(shippers: list[subprocess.Popen[bytes]], streams, state: np.ndarray) -> float:
    """Record for a moment more, then kill all shippers; when the last row was committed."""
    committed_s = 0.0
    for _ in range(20):
        committed_s = time.time()
        for stream in streams:
            stream.write({"committed_unix": np.full(NUM_ENVS, committed_s), "state": state})
        time.sleep(0.05)
    for shipper in shippers:
        shipper.kill()
    return committed_s


def newest_s(url: str, folder: Path, run: str) -> float:
    """When the newest row was committed that the store has of a run."""
    mirror = Mirror(open_store(url), run, folder)
    while mirror.poll():
        pass
    return float(
        trackway.read(mirror.path, "steps", fields=["committed_unix"])["committed_unix"].max()
    )


def record(seconds: float, streams, state, there: Path, runs) -> list[float]:
    """Ten rows a second into every run; how long each took to be readable in the copy."""
    delays: list[float] = []
    readers: dict[str, Reader] = {}
    began = time.time()
    committed = 0.0
    while time.time() - began < seconds + 2.0:
        now = time.time()
        if now - committed > 0.1 and now - began < seconds:
            committed = now
            for stream in streams:
                stream.write({"committed_unix": np.full(NUM_ENVS, time.time()), "state": state})
        for run in runs:
            if run.name not in readers:
                for attempt in attempts(there / run.name):
                    with contextlib.suppress(StreamError, FileNotFoundError):  # nothing yet
                        readers[run.name] = Reader(attempt.stream("steps"), ["committed_unix"])
            if run.name in readers:
                times = readers[run.name].poll()["committed_unix"][:, 0]
                delays += [time.time() - t for t in times.tolist() if t >= began]
        time.sleep(0.01)
    return delays


if __name__ == "__main__":
    main()
