"""The server's memory while a run grows and browsers watch: `make soak`.

TRACKWAY_STREAMING_S=300 streams for so many seconds.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from tests.support.listener import listen

from trackway import Field, Recorder, Schema
from trackway.dashboard.static import BUILT

SECONDS = float(os.environ.get("TRACKWAY_STREAMING_S", "0"))
RATE, FIELDS = 5000, 12
SCHEMA = Schema(*(Field(f"f{i}", "float32") for i in range(FIELDS)))
# What arrays leave when they are made anew, however long it lasts, and what comes to be full.
ALLOCATOR_BYTES = 6e6
pytestmark = [
    pytest.mark.skipif(not SECONDS, reason="streams for minutes: make soak"),
    pytest.mark.skipif(not (BUILT / "index.html").exists(), reason="the page is not built"),
    pytest.mark.timeout(SECONDS + 120),  # whose warning after 100 s is no fault
]


@contextlib.contextmanager
def recording(run) -> Iterator[object]:
    """A training that commits rows at a rate; gives the stream."""
    over = threading.Event()
    with Recorder(run) as recorder:
        steps = recorder.stream("steps", SCHEMA)

        def work() -> None:
            luck, began_s = np.random.default_rng(0), time.monotonic()
            while not over.wait(0.01):
                due = int((time.monotonic() - began_s) * RATE) - steps.committed
                for row in luck.normal(size=(due, FIELDS)).astype(np.float32):
                    steps.write_bytes(row.tobytes())
                    steps.commit()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield steps
        finally:
            over.set()
            thread.join()


def test_streaming_takes_no_memory(tmp_path):
    environment = {**os.environ, "TRACKWAY_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "trackway", "serve", str(tmp_path / "models"), "--port", "0"]
    (tmp_path / "models").mkdir()
    with (
        recording(tmp_path / "models" / "now") as steps,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server,
    ):
        port = int(server.stdout.readline().rsplit(":", 1)[1].strip().strip("/"))
        browsers = [listen(port, "now", [f"steps:f{i}" for i in range(FIELDS)]) for _ in range(3)]
        process, sizes, rows = psutil.Process(server.pid), [], []
        end_s = time.monotonic() + SECONDS
        while time.monotonic() < end_s:
            time.sleep(1)
            sizes.append(process.memory_info().rss)
            rows.append(steps.committed)
        for browser in browsers:
            browser.close()
        server.terminate()
    # What came to life with the first browsers is not counted.
    later = len(sizes) // 4
    grown = max(sizes) - sizes[later]
    told = f"{rows[-1]:,} rows; {sizes[later] / 1e6:.0f} MB after {later} s, then {grown / 1e6:.1f} MB more"
    sys.stdout.write(f"{told}\n")

    assert rows[-1] > 0.5 * SECONDS * RATE
    assert grown < ALLOCATOR_BYTES
    assert max(sizes) < 120e6
