"""kill -9 at random instants: no committed row is lost.

TRACKWAY_KILLS=200 pytest tests/crash/test_kills.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tests.crash.recording_trainer import NUM_ENVS, state

from trackway import files
from trackway.clock import SYSTEM_CLOCK
from trackway.storage.abandoned import finish_abandoned
from trackway.storage.places import attempts
from trackway.storage.reader import read, read_records
from trackway.storage.segments import load

ROUNDS = int(os.environ.get("TRACKWAY_KILLS", "12"))
TRAINER = Path(__file__).with_name("recording_trainer.py")
pytestmark = pytest.mark.crash


def start(run, acknowledged, duration_s):
    return subprocess.Popen(
        [sys.executable, TRAINER, run, acknowledged, str(duration_s)], start_new_session=True
    )


def told(acknowledged):
    values = np.frombuffer(acknowledged.read_bytes(), np.int64) if acknowledged.exists() else []
    return (int(values[0]), int(values[1])) if len(values) else (0, 0)


def wait_until(condition, timeout_s=30.0):
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "nothing happened for too long"
        time.sleep(0.005)


def writer_of(run):
    for process in psutil.process_iter(["pid", "cmdline"]):
        command = process.info["cmdline"] or []
        if "trackway.recorder.stream_writer" in command and str(run) in " ".join(command):
            return process.info["pid"]
    return None


def assert_nothing_is_lost(run, committed, told_events):
    records = read(run, "steps")
    count = len(records)

    assert count >= committed
    assert records.rows.tolist() == list(range(count))
    assert (records["row"] == np.arange(count)[:, None]).all()
    expected = np.stack([state(row) for row in range(count)]).reshape(count, NUM_ENVS, 9)
    np.testing.assert_array_equal(records["state"], expected)
    events = read_records(run, "events")
    assert len(events) >= told_events
    assert [event["row"] for event in events] == [100 * (i + 1) for i in range(len(events))]
    attempt = attempts(run)[-1]

    def sealed():
        # Between two kills the trainer may have started another writer, which is still at it.
        finish_abandoned(attempt, SYSTEM_CLOCK)
        return not any(stream.ring_pointer.exists() for stream in attempt.streams())

    wait_until(sealed)
    for stream in attempt.streams():
        assert all(file.sealed for file in stream.segments())
        assert not any(load(file.path).damage for file in stream.segments())


@pytest.mark.parametrize("who", ["trainer", "writer", "both", "writer, then both"])
@pytest.mark.timeout(60 + 10 * ROUNDS)
def test_no_committed_row_is_lost_when_someone_is_killed(tmp_path, who):
    luck = random.Random(f"{who} {os.environ.get('TRACKWAY_SEED', '0')}")
    for number in range(max(1, ROUNDS // 4)):
        run, acknowledged = tmp_path / f"run {number}", tmp_path / f"acknowledged {number}"
        trainer = start(run, acknowledged, 60.0 if who != "writer" else 1.5)
        wait_until(lambda path=acknowledged: told(path)[0] > 0)
        time.sleep(luck.random() * 0.4)
        victims = {
            "trainer": [[trainer.pid]],
            "writer": [["writer"]] * 3,
            "both": [[trainer.pid, "writer"]],
            "writer, then both": [["writer"], [trainer.pid, "writer"]],
        }[who]
        for group in victims:
            if luck.random() < 0.5:
                group = group[::-1]
            for victim in group:
                pid = writer_of(run) if victim == "writer" else victim
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
            time.sleep(luck.random() * 0.1)
        status = trainer.wait(timeout=60)
        committed, events = told(acknowledged)
        if who in {"trainer", "writer"}:
            # The writer that lives finishes by itself.
            attempt = attempts(run)[-1]
            wait_until(lambda a=attempt: not files.is_locked(a.writer_lock))
            assert not any(s.ring_pointer.exists() for s in attempt.streams())
        assert status == (0 if who == "writer" else -signal.SIGKILL)
        assert_nothing_is_lost(run, committed, events)
