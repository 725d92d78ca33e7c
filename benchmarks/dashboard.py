"""How fast the dashboard shows what was recorded, in a real browser, with TensorBoard beside it.

    python benchmarks/dashboard.py                        # 12 charts of 10^7 rows
    python benchmarks/dashboard.py --rows 1000000 --tensorboard 100000

Needs chromium and, for the peer, tensorboard. Prints, for charts of a finished run: the time from the
navigation to the twelfth chart, at the first look ever at a run that was recorded here, then with its
cache deleted, so that the pyramids are made while the browser waits, and with what that look left;
each after the kernel dropped its page cache where it may be told to.
For a run that grows at 5,000 rows/s: from the commit of a row to the frame that shows it. For 200
runs: until the list stands. And what the server takes meanwhile, also over an hour of a training, which
`dashboard_hour.py` lives through in minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from trackway import Field, Recorder, Schema
from trackway.recorder.compactor import LEAST_BYTES
from trackway.storage.places import find_stream

CHARTS = 12
SCHEMA = Schema(*(Field(f"f{i}", "float32") for i in range(CHARTS)))
LIVE_SCHEMA = Schema(Field("committed", "float64"), *SCHEMA)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
DRAWN = "document.querySelectorAll('.plot[aria-label*=\" from \"] canvas').length"
LISTED = "document.querySelectorAll('table.runs tbody tr').length"
MORE = ",".join(f"steps:f{i}" for i in range(CHARTS))


def record_run(run: Path, rows: int) -> None:
    """A finished run of `rows` rows of twelve numbers, walks with spikes in them, looked after."""
    manifest = {"format": "trackway-run", "version": 1, "status": "finished", "config": {}}
    run.mkdir(parents=True)
    (run / "run.json").write_bytes(orjson.dumps(manifest))
    random, height = np.random.default_rng(0), np.zeros(CHARTS)
    with Recorder(run) as recorder:
        steps, done = recorder.stream("steps", SCHEMA), 0
        while done < rows:
            count = min(20_000, rows - done)
            walk = height + np.cumsum(random.normal(size=(count, CHARTS)), axis=0)
            height = walk[-1]
            walk[random.integers(count)] += 500
            for row in walk.astype(np.float32):
                steps.write_bytes(row.tobytes())
                steps.commit()
            done += count
    # Its writer seals what is left; a child of it makes pyramids, then parts.
    stream = find_stream(run, "steps")
    while stream.segments() and rows * SCHEMA.row_bytes(1) > LEAST_BYTES:
        time.sleep(0.1)


@contextlib.contextmanager
def serving(models: Path, cache: Path) -> Iterator[tuple[str, psutil.Process]]:
    """`trackway serve`, its address, its process."""
    command = [sys.executable, "-m", "trackway", "serve", str(models), "--port", "0"]
    environment = {**os.environ, "TRACKWAY_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().rsplit(" ", 1)[1].strip(), psutil.Process(server.pid)
        finally:
            server.terminate()


def until(page: Page, expression: str, wanted: int, timeout_s: float) -> float:
    """Seconds until an expression reaches a number; infinity if it does not."""
    began_s = time.perf_counter()
    while time.perf_counter() - began_s < timeout_s:
        if page.evaluate(expression) >= wanted:
            return time.perf_counter() - began_s
        time.sleep(0.01)
    return float("inf")


def opened(browser: Browser, address: str, expression: str, wanted: int, timeout_s: float) -> float:
    """Seconds from the navigation until the page shows what was wanted, in a fresh window."""
    context = browser.new_context(viewport={"width": 1600, "height": 2600})
    page = context.new_page()
    began_s = time.perf_counter()
    page.goto(address, wait_until="commit")
    waited_s = until(page, expression, wanted, timeout_s)
    took_s = time.perf_counter() - began_s if waited_s < float("inf") else waited_s
    context.close()
    return took_s


def first_load(browser: Browser, address: str, expression: str, wanted: int) -> tuple[float, float]:
    """kB over the wire until a page that was never seen shows what was wanted: of the page, and of data."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    names: dict[str, str] = {}
    sent = {True: 0.0, False: 0.0}

    def count(told: dict[str, Any]) -> None:
        sent["/api/" in names.get(told["requestId"], "")] += told["encodedDataLength"] / 1e3

    wire.on(
        "Network.requestWillBeSent", lambda t: names.update({t["requestId"]: t["request"]["url"]})
    )
    wire.on("Network.loadingFinished", count)
    wire.send("Network.enable")
    page.goto(address, wait_until="commit")
    until(page, expression, wanted, 30)
    page.wait_for_timeout(300)
    context.close()
    return sent[False], sent[True]


def drop_page_cache() -> bool:
    """Let the kernel forget what it read; whether it could be told to."""
    try:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        return False
    return True


def charts(browser: Browser, folder: Path, rows: int) -> None:
    models, cache = folder / "models", folder / "cache"
    os.environ["TRACKWAY_CACHE"] = str(cache)
    record_run(models / "walk", rows)
    for kept in ("first look", "cache deleted", "looked at before"):
        if kept == "cache deleted":
            shutil.rmtree(cache)
        cold = drop_page_cache()
        with serving(models, cache) as (address, server):
            seen_s = opened(browser, f"{address}#/run/walk/live?more={MORE}", DRAWN, CHARTS, 120)
            print(
                f"{CHARTS} charts of {rows:,} rows, {kept}, page cache {'cold' if cold else 'warm'}: "
                f"{seen_s:.2f} s; server {server.memory_info().rss / 1e6:.0f} MB"
            )
            size = len(get(address, f"api/runs/walk/curves?n=500&keys={MORE}"))
            loads = {
                "the list of runs": first_load(browser, address, LISTED, 1),
                "the live page with its charts": first_load(
                    browser, f"{address}#/run/walk/live?more={MORE}", DRAWN, 1
                ),
            }
        print(
            f"  1,000 extremes and 500 means of each chart: {size / CHARTS / 1e3:.2f} kB (goal 8)"
        )
    for name, (page_kb, data_kb) in loads.items():
        print(f"first load of {name}: {page_kb:.1f} kB (goal 60), and {data_kb:.1f} kB of data")


def get(address: str, path: str) -> bytes:
    from urllib.request import urlopen

    with urlopen(address + path) as answer:
        return bytes(answer.read())


WATCH = """
window.lags = []
const Real = window.EventSource
window.EventSource = class extends Real {
  constructor(...given) {
    super(...given)
    this.addEventListener('rows', (event) => {
      const points = JSON.parse(event.data).curves['steps:committed']
      if (!points) return
      const newest = Math.max(...(points.hi ?? points.mean))
      requestAnimationFrame(() => requestAnimationFrame(() => window.lags.push(Date.now() - newest * 1000)))
    })
  }
}
"""


def live(browser: Browser, folder: Path, seconds: float, rate: int, browsers: int) -> None:
    """A run that grows while one page draws it and others listen."""
    models = folder / "live"
    writer = subprocess.Popen(
        [sys.executable, __file__, "--write", str(models / "now"), "--rate", str(rate)],
        stdout=subprocess.PIPE,
    )
    assert writer.stdout is not None
    writer.stdout.readline()
    try:
        with serving(models, folder / "cache") as (address, server):
            page = browser.new_page(viewport={"width": 1600, "height": 2600})
            page.add_init_script(WATCH)
            page.goto(f"{address}#/run/now/live?more=steps:committed,{MORE}")
            until(page, DRAWN, CHARTS, 30)
            port = int(address.rsplit(":", 1)[1].strip("/"))
            others = [listen(port) for _ in range(browsers - 1)]
            time.sleep(3)
            page.evaluate("window.lags.length = 0")
            cpu, began_s = server.cpu_times(), time.perf_counter()
            sizes = []
            while time.perf_counter() - began_s < seconds:
                page.wait_for_timeout(1000)
                sizes.append(server.memory_info().rss / 1e6)
            spent, took_s = server.cpu_times(), time.perf_counter() - began_s
            lags = sorted(page.evaluate("window.lags"))
            used = (spent.user + spent.system - cpu.user - cpu.system) / took_s
            for other in others:
                other.close()
        middle = statistics.median(lags)
        high = lags[int(len(lags) * 0.95)]
        print(
            f"append to pixel at {rate:,} rows/s, {browsers} browsers: p50 {middle:.0f} ms, "
            f"p95 {high:.0f} ms ({len(lags)} frames)"
        )
        print(
            f"  server {sizes[0]:.0f} MB at the beginning, {sizes[-1]:.0f} MB after {took_s:.0f} s, "
            f"{used:.0%} of a core"
        )
    finally:
        writer.terminate()
        writer.wait()


def listen(port: int) -> socket.socket:
    """A browser that listens and takes what it gets."""
    import threading

    link = socket.create_connection(("127.0.0.1", port))
    query = f"keys=steps:committed,{MORE}&x=timestep"
    link.sendall(f"GET /api/runs/now/live?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    def read() -> None:
        with contextlib.suppress(OSError):
            while link.recv(65536):
                pass

    threading.Thread(target=read, daemon=True).start()
    return link


def write_live(run: Path, rate: int) -> None:
    """Commit rows at a rate, each with the time of its commit, until somebody ends this."""
    random = np.random.default_rng(0)
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", LIVE_SCHEMA)
        print("ready", flush=True)
        began_s, rows = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began_s) * rate)
            for _ in range(due - rows):
                values = random.normal(size=CHARTS)
                for i in range(CHARTS):
                    steps.row[f"f{i}"][0] = values[i]
                steps.row["committed"][0] = time.time()
                steps.commit()
            rows = due
            time.sleep(0.002)


def many_runs(browser: Browser, folder: Path, count: int) -> None:
    models = folder / "many"
    record_run(models / "run-000", 20_000)
    for i in range(1, count):
        shutil.copytree(models / "run-000", models / f"run-{i:03d}")
    for kept in ("nothing kept", "catalog kept"):
        with serving(models, folder / "cache-of-many") as (address, _):
            print(
                f"{count} runs listed, {kept}: {opened(browser, address, LISTED, count, 60):.2f} s"
            )


def tensorboard(browser: Browser, folder: Path, rows: int) -> None:
    """The peer: the same charts of its own files."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    logs = folder / "tensorboard"
    logs.mkdir()
    with (logs / "events.out.tfevents.1.benchmark").open("wb") as file:
        writer = RecordWriter(file)
        values = np.cumsum(np.random.default_rng(0).normal(size=(rows, CHARTS)), axis=0)
        for step, row in enumerate(values):
            told = [Summary.Value(tag=f"walk/f{i}", simple_value=v) for i, v in enumerate(row)]
            event = Event(wall_time=1.8e9 + step, step=step, summary=Summary(value=told))
            writer.write(event.SerializeToString())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--port", str(port)]
    began_s = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as server:  # type: ignore[call-overload]
        try:
            address = f"http://127.0.0.1:{port}/"
            tags = 0
            while tags < CHARTS and time.perf_counter() - began_s < 300:
                with contextlib.suppress(OSError):
                    told = orjson.loads(get(address, "data/plugin/scalars/tags"))
                    tags = sum(len(found) for found in told.values())
                time.sleep(0.05)
            loaded_s = time.perf_counter() - began_s
            shown = (
                "[...document.querySelectorAll('*')].filter(e => e.localName === 'line-chart' && "
                "e.querySelector('canvas, svg')).length"
            )
            seen_s = opened(browser, f"{address}#timeseries", shown, CHARTS, 120)
            size = len(get(address, "data/plugin/scalars/scalars?tag=walk%2Ff0&run=."))
            processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(True)]
            memory = sum(process.memory_info().rss for process in processes) / 1e6
            print(
                f"TensorBoard, {CHARTS} charts of {rows:,} rows: {loaded_s:.1f} s until its server knows "
                f"the tags, then {seen_s:.2f} s to the charts; {size / 1e3:.0f} kB a chart "
                f"(a sample of 1,000 rows), {memory:.0f} MB"
            )
        finally:
            server.terminate()


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--seconds", type=float, default=30, help="of streaming")
    options.add_argument("--rate", type=int, default=5000, help="rows/s of the live run")
    options.add_argument("--browsers", type=int, default=20)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--hours", type=float, default=1, help="of a training; 0: none")
    options.add_argument(
        "--tensorboard", type=int, default=1_000_000, help="rows of the peer; 0: none"
    )
    options.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.write is not None:
        write_live(given.write, given.rate)
        return
    program = shutil.which("chromium")
    if program is None:
        print("there is no chromium: apt-get install chromium")
        return
    hour = Path(__file__).with_name("dashboard_hour.py")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        folder = Path(name)
        charts(browser, folder, given.rows)
        live(browser, folder, given.seconds, given.rate, given.browsers)
        many_runs(browser, folder, given.runs)
        if given.tensorboard:
            tensorboard(browser, folder, given.tensorboard)
        browser.close()
    if given.hours:
        subprocess.run([sys.executable, hour, "--hours", str(given.hours)], check=True)


if __name__ == "__main__":
    main()
