"""What the dashboard's server holds over an hour of a training, lived through in minutes.

    python benchmarks/dashboard_hour.py
    python benchmarks/dashboard_hour.py --hours 4 --times 30

Feeds what a training gives in an hour at 5,000 rows/s: 18 million rows of 12 numbers, 36,000 episodes
with what they began from, an update and a look at the machine a second; as often faster than the
clock as is asked for. Three browsers listen to all charts, and one asks for the rest as the page does.
Prints the server's memory at every tenth of the way.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # the stand-in of the tests

from tests.support.listener import listen

from trackway import Field, Recorder, Schema
from trackway.probes.machine import SYSTEM_SCHEMA

CHARTS, RATE, EPISODES_PER_S = 12, 5000, 10
SCHEMA = Schema(*(Field(f"f{i}", "float32") for i in range(CHARTS)))
TERMS = [f"term_{i}" for i in range(20)]
KEYS = [
    *(f"steps:f{i}" for i in range(CHARTS)),
    *(f"episodes:{name}" for name in ("return", "length", "reward_components.term_0")),
    *("updates:train/approx_kl", "system:cpu_percent"),
]
ASKED_S = {"curves?n=400&keys=" + ",".join(KEYS): 10.0, "overview": 5.0, "alerts": 5.0}


def feed(run: Path, seconds: int, times: float) -> None:
    """Record so many seconds of a training, so many times as fast as the clock goes."""
    luck, began_s = np.random.default_rng(0), time.monotonic()
    with Recorder(run) as recorder:
        steps, system = recorder.stream("steps", SCHEMA), recorder.stream("system", SYSTEM_SCHEMA)
        episodes, starts, updates = (recorder.records(n) for n in ("episodes", "starts", "updates"))
        recorder.records("events").append({"event": "begin", "timestep": 0, "num_envs": 1})
        print("ready", flush=True)
        for second in range(seconds):
            rows = luck.normal(size=(RATE, CHARTS)).astype(np.float32)
            rows[luck.integers(RATE), luck.integers(CHARTS)] += 500
            for row in rows:
                steps.write_bytes(row.tobytes())
                steps.commit()
            row = (second + 1) * RATE
            told = {"row": row, "timestep": row, "unix_s": 1.8e9 + second}
            for number in range(EPISODES_PER_S):
                told |= {"env": 0, "episode": second * EPISODES_PER_S + number}
                values = dict(zip(TERMS, luck.normal(size=len(TERMS)).tolist(), strict=True))
                starts.append({**told, "start": {"rand_power": 0.5, "command": [0.5, 0.0, 0.0]}})
                fell = {"termination_reason": "fell" if luck.random() < 0.1 else "time_limit"}
                episodes.append(
                    {**told, **fell, "return": luck.normal(), "length": 500, "is_success": True}
                    | {"reward_components": values, "cost_components": values}
                )
            updates.append({**told, "train/approx_kl": 0.01, "train/value_loss": luck.random()})
            for name in SYSTEM_SCHEMA:
                system.row[name.name][0] = 0.0
            system.row["unix_s"][0], system.row["timestep"][0] = 1.8e9 + second, row
            system.commit()
            time.sleep(max(0.0, began_s + (second + 1) / times - time.monotonic()))
        print("over", flush=True)
        sys.stdin.read(1)  # the run stays alive until it was looked at


def browse(address: str, over: threading.Event) -> None:
    """Ask what the page asks beside the stream of events."""
    due = dict.fromkeys(ASKED_S, 0.0)
    while not over.wait(0.2):
        for path, every_s in ASKED_S.items():
            if time.monotonic() >= due[path]:
                due[path] = time.monotonic() + every_s
                with urlopen(f"{address}api/runs/now/{path}") as answer:
                    answer.read()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--hours", type=float, default=1.0)
    options.add_argument("--times", type=float, default=20.0, help="as fast as the clock goes")
    options.add_argument("--feed", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    seconds = int(given.hours * 3600)
    if given.feed is not None:
        feed(given.feed, seconds, given.times)
        return
    with tempfile.TemporaryDirectory() as name:
        models, cache = Path(name) / "models", Path(name) / "cache"
        environment = {**os.environ, "TRACKWAY_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        own = [sys.executable, __file__, "--feed", str(models / "now")]
        own += ["--hours", str(given.hours), "--times", str(given.times)]
        serve = [sys.executable, "-m", "trackway", "serve", str(models), "--port", "0"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(own, env=environment, **pipes) as writer:  # type: ignore[call-overload]
            writer.stdout.readline()
            with subprocess.Popen(serve, env=environment, **pipes) as server:  # type: ignore[call-overload]
                watch(server, writer, seconds)
                server.terminate()
            writer.stdin.close()


def watch(server: subprocess.Popen[str], writer: subprocess.Popen[str], seconds: int) -> None:
    """Print what the server takes until all is recorded."""
    assert server.stdout is not None
    address, process = (
        server.stdout.readline().rsplit(" ", 1)[1].strip(),
        psutil.Process(server.pid),
    )
    port, over = int(address.rsplit(":", 1)[1].strip("/")), threading.Event()
    browsers = [listen(port, "now", KEYS) for _ in range(3)]
    asking = threading.Thread(target=browse, args=(address, over))
    asking.start()
    ended = threading.Thread(target=writer.stdout.readline)  # type: ignore[union-attr]
    ended.start()
    began_s, sizes, told = time.monotonic(), [], 0
    while ended.is_alive():
        time.sleep(0.5)
        sizes.append(process.memory_info().rss / 1e6)
        with urlopen(f"{address}api/runs") as answer:
            timesteps = _timesteps(answer.read())
        if timesteps >= told * seconds * RATE / 10:
            used = process.cpu_times()
            cpu = (used.user + used.system) / (time.monotonic() - began_s)
            print(
                f"{timesteps / RATE / 60:5.1f} min of training: server {sizes[-1]:.0f} MB, at most "
                f"{max(sizes):.0f} MB; {cpu:.0%} of a core",
                flush=True,
            )
            told += 1
    over.set()
    asking.join()
    for browser in browsers:
        browser.close()
    tenth = len(sizes) // 10
    first, last = max(sizes[tenth : 2 * tenth]), max(sizes[-tenth:])
    print(
        f"{timesteps:,} rows x {CHARTS} charts and {timesteps // RATE * EPISODES_PER_S:,} episodes in "
        f"{time.monotonic() - began_s:.0f} s: {last - first:+.1f} MB from the second tenth to the last"
    )


def _timesteps(answer: bytes) -> int:
    import orjson

    (row,) = orjson.loads(answer)["runs"]
    return int(row["timesteps"] or 0)


if __name__ == "__main__":
    main()
