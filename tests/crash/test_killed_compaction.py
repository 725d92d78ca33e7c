"""Compaction killed at random instants, while training goes on and after it: no row is lost or doubled."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.crash.recording_trainer import NUM_ENVS, state
from tests.crash.test_kills import told, wait_until

from trackway.storage.archive.compact import compact_run
from trackway.storage.places import attempts, find_stream
from trackway.storage.reader import read, read_records
from trackway.storage.verify import verify

ROUNDS = int(os.environ.get("TRACKWAY_KILLS", "12"))
TRAINER = Path(__file__).with_name("recording_trainer.py")
COMPACTOR = """
import sys
from pathlib import Path
from trackway.storage.archive import compact, plan
# Small parts, so that there is much to be merged; again and again.
compact.PART_BYTES = int(sys.argv[2])
while True:
    compact.compact_run(Path(sys.argv[1]))
"""
pytestmark = pytest.mark.crash


def assert_everything_is_there(run, count=None):
    records = read(run, "steps")
    count = len(records) if count is None else count
    assert records.rows.tolist() == list(range(count))
    expected = np.stack([state(row) for row in range(count)]).reshape(count, NUM_ENVS, 9)
    np.testing.assert_array_equal(records["state"], expected)
    events = read_records(run, "events")
    assert [event["row"] for event in events] == [100 * (i + 1) for i in range(len(events))]
    return count


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(90 + 5 * ROUNDS)
def test_no_row_is_lost_or_doubled_when_compaction_is_killed(tmp_path):
    luck = random.Random(os.environ.get("TRACKWAY_SEED", "0"))
    run = tmp_path / "run"
    trainer = subprocess.Popen(
        [sys.executable, TRAINER, run, tmp_path / "acknowledged", "4"],
        start_new_session=True,
    )
    wait_until(lambda: told(tmp_path / "acknowledged")[0] > 0)
    read_before = 0
    for number in range(ROUNDS):
        part_bytes = luck.choice([150_000, 400_000, 2_000_000])
        compactor = subprocess.Popen([sys.executable, "-c", COMPACTOR, run, str(part_bytes)])
        time.sleep(0.45 + luck.random() * 0.5)
        kill(compactor)
        if number % 3 == 0:
            count = assert_everything_is_there(run)
            assert count >= read_before
            read_before = count
    trainer.wait(timeout=60)
    count = assert_everything_is_there(run)
    compact_run(run)
    assert assert_everything_is_there(run, count) > 1000
    folder = find_stream(run, "steps")
    assert verify(folder).whole
    assert folder.segments() == []
    for stream in attempts(run)[-1].streams():
        assert not list(stream.path.glob(".*"))
        assert not stream.contents().superseded
