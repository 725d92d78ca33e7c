"""kill -9 of the trainer and of the writer, at any moment: whole files, and nothing that was safe is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.env_util import make_vec_env
from tests.support.trainings import (
    Watcher,
    documents,
    episodes_of,
    ppo,
    records,
    snapshots_of,
    strict_loads,
)

from trackway.checkpoint.read import read_checkpoint
from trackway.legacy import RealTimeSavingCallback

ROOT = Path(__file__).parents[2]
TRAINER = """
import sys, time
sys.path.insert(0, {root!r})
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.env_util import make_vec_env
from tests.support.trainings import ppo
from trackway.legacy import RealTimeSavingCallback

class Log(BaseCallback):
    def _on_step(self):
        for i in np.flatnonzero(self.locals["dones"]):
            print(self.num_timesteps, int(i), time.monotonic(), flush=True)
        return True

saving = RealTimeSavingCallback({folder!r}, {every}, checkpoint_frequency=300, verbose=0)
ppo(make_vec_env("CartPole-v1", 2)).learn(10**9, callback=CallbackList([saving, Log()]))
"""

pytestmark = pytest.mark.crash


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def writers_of(folder: Path) -> list[int]:
    """Processes that still write for that trainer: they inherit its folder as their own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                home = (entry / "cwd").readlink()
            except OSError:
                continue
            if b"trackway.legacy.json_layout" in command and home == folder:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("every", [50, 10**9])
def test_a_killed_trainer_leaves_whole_files_and_the_tail(every, tmp_path):
    """With a save far away, every episode is still only in the writer's hands."""
    folder = tmp_path / "realtime_data"
    program = TRAINER.format(root=str(ROOT), folder=str(folder), every=every)
    trainer = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    lines = []
    for line in trainer.stdout:
        lines.append(line.split())
        if len(lines) == 60:
            break
    time.sleep(random.random() * 0.3)
    killed_s = time.monotonic()
    trainer.send_signal(signal.SIGKILL)
    lines += [line.split() for line in trainer.stdout]
    trainer.communicate()
    until(lambda: not writers_of(tmp_path))

    for path in folder.glob("**/*.json"):
        strict_loads(path.read_bytes())
    for record in documents(folder, "checkpoints/*.json"):
        read_checkpoint(Path(record["recovery_info"]["model_path"]))
    found = [(record["timestep"], record["env_id"]) for record in episodes_of(folder)]
    assert len(set(found)) == len(found)
    # What had a moment to leave the trainer is there: the outbox looks every 50 ms.
    old = [(int(t), int(i)) for t, i, when in lines if float(when) < killed_s - 2.0]
    assert set(old) <= set(found)
    assert found == [(int(t), int(i)) for t, i, _ in lines][: len(found)]
    [summary] = documents(folder, "training_summary_*.json")
    assert summary["status"] == "killed"


def test_a_writer_killed_again_and_again_loses_no_record_and_doubles_none(tmp_path):
    class Kills(BaseCallback):
        def _on_step(self):
            pid = saving._session.outbox.writer_pid
            if self.n_calls % 150 == 0 and pid is not None and pid != self.last:
                os.kill(pid, signal.SIGKILL)
                self.last = pid
                self.kills += 1
            time.sleep(0.0005)
            return True

    saving = RealTimeSavingCallback(tmp_path, 20, checkpoint_frequency=500, verbose=0)
    watcher, kills = Watcher(), Kills()
    kills.last, kills.kills = None, 0
    ppo(make_vec_env("CartPole-v1", 1)).learn(2000, callback=CallbackList([watcher, saving, kills]))

    assert kills.kills >= 3
    found = [(record["timestep"], record["env_id"]) for record in episodes_of(tmp_path)]
    assert found == [(timestep, i) for timestep, i, _ in watcher.finished]
    snapshots = [record["timestep"] for record in snapshots_of(tmp_path)]
    assert sorted(snapshots) == sorted({*range(20, 2001, 20), watcher.num_timesteps})
    rows = [record["timestep"] for record in records(tmp_path, "learning_metrics")]
    assert sorted(set(rows)) == sorted(snapshots)
    assert saving.status.lost_records == 0
