"""Killed at random instants and started again, a training ends as if it had never stopped.

The last time it is started on another machine, with what that one fetches from a store to go on.

TRACKWAY_RESUMES=50 pytest tests/crash/test_killed_and_resumed.py
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.forked import Forks
from tests.support.killed_training import CASES, KILLS
from tests.support.programs import wait_for
from tests.support.trainings import episodes_of, snapshots_of

from trackway import files, read_records
from trackway.run import RunFolder
from trackway.storage.compare import compare
from trackway.storage.line import find_line
from trackway.storage.places import attempts
from trackway.sync.folder_store import FolderStore
from trackway.sync.returning import bring_back
from trackway.sync.shipper import Shipper
from trackway.sync.takeover import take_over

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.crash, pytest.mark.slow]


PROGRAM = "tests.support.killed_training"


def train(forks: Forks, case: str, run: Path, out: Path, *kill: str) -> int:
    said = out.with_suffix(".txt")
    status = forks.run(said, PROGRAM, case, str(run), str(out), *kill)
    assert status in (0, -signal.SIGKILL), said.read_text()
    assert (status == 0) == out.exists()
    return status


def train_whole(case: str, run: Path, out: Path) -> None:
    """In a process that was started anew: nothing may depend on where things lie in memory."""
    command = [sys.executable, "-m", PROGRAM, case, str(run), str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def metrics(out: Path) -> set[str]:
    """Rows that were logged, with their timesteps; those that were logged again are the same."""
    return set(out.with_suffix(".metrics").read_text().splitlines())


def moved(run: Path, store: FolderStore, there: Path) -> Path:
    """The run as another machine goes on with it: shipped whole, then taken over."""
    locks = [run / "realtime_data", *(attempt.writer_lock for attempt in attempts(run))]
    wait_for(lambda: not any(files.is_locked(lock) for lock in locks))
    shipper = Shipper(RunFolder(run), store)
    shipper.run(until_done=True)
    shipper.close()
    return take_over(store, run.name, there).run.path


def told(records: list[dict]) -> list[dict]:
    """Records without the time at which they were made."""
    return [
        {
            key: value
            for key, value in record.items()
            if key not in {"timestamp", "detailed_info", "performance_metrics"}
        }
        for record in records
    ]


@pytest.mark.timeout(300 + 60 * KILLS)
@pytest.mark.parametrize("case", CASES)
def test_a_training_that_was_killed_ends_as_the_one_that_was_not(tmp_path, forks, case):
    luck = random.Random(f"{case} {os.environ.get('TRACKWAY_SEED', '0')}")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_whole(case, whole, tmp_path / "whole.json")
    out, kills = tmp_path / "killed.json", CASES[case].kills
    phases = luck.sample(list(kills), len(kills))
    for phase in (phases * KILLS)[:KILLS]:
        kill = f"{phase}:{luck.randint(1, kills[phase])}"
        assert train(forks, case, killed, out, kill) == -signal.SIGKILL, kill
    store = FolderStore(tmp_path / "store")
    killed = moved(killed, store, tmp_path / "elsewhere")
    assert train(forks, case, killed, out) == 0
    bring_back(RunFolder(killed), store)

    assert json.loads(out.read_text()) == json.loads((tmp_path / "whole.json").read_text())
    assert metrics(out) == metrics(tmp_path / "whole.json")
    streams = ["steps", "starts", "episodes"]
    if case != "sac":  # whose updates are recorded as often as time allows
        streams.append("updates")
    for stream in streams:
        found = compare(stream, find_line(whole, stream), find_line(killed, stream))
        assert found.same, found
        assert found.equal_rows > 0
    first, second = (RunFolder(run).realtime_data for run in (whole, killed))
    assert told(episodes_of(second)) == told(episodes_of(first))
    assert told(snapshots_of(second)) == told(snapshots_of(first))
    # What was made again was compared with what a dead attempt had recorded.
    checks = [
        event
        for attempt in attempts(killed)
        for event in read_records(killed, "events", attempt=attempt.name)
        if event["event"] == "re-executed"
    ]
    assert all(check["equal"] for check in checks)
