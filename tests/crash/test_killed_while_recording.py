"""A training that is killed, with all of its processes, keeps every step that it had made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from trackway import read, read_records

TRAINING = """
import sys
from pathlib import Path
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv
from tests.support.sliding_ball import SlidingBall
from tests.support.trainings import ppo
from go1.vec_env import Go1VecEnv
from trackway.gymnasium import RecordEnv
from trackway.sb3 import RecorderCallback

class Tell(BaseCallback):
    def _on_step(self):
        sys.stdout.write(f"{self.n_calls} {self.locals['rewards'].astype('float32').tobytes().hex()}\\n")
        sys.stdout.flush()
        return True

def make():
    return Monitor(RecordEnv(SlidingBall()))

if __name__ == "__main__":
    envs = Go1VecEnv(4, seed=0) if sys.argv[2] == "batch" else SubprocVecEnv([make] * 2)
    ppo(envs).learn(10**9, callback=[Tell(), RecorderCallback(Path(sys.argv[1]))])
"""


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["batch", "subproc"])
def test_every_step_that_was_made_before_a_kill_is_read_after_it(tmp_path, kind):
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    paths = os.pathsep.join(path for path in sys.path if path)
    training = subprocess.Popen(
        [sys.executable, script, tmp_path / "run", kind],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
        start_new_session=True,
    )
    told = [training.stdout.readline() for _ in range(150)]
    os.killpg(training.pid, signal.SIGKILL)
    told += [line for line in training.stdout.read().splitlines(keepends=True) if line[-1] == "\n"]
    training.wait()
    training.stdout.close()
    rewards = [np.frombuffer(bytes.fromhex(line.split()[1]), np.float32) for line in told]
    steps = read(tmp_path / "run", "steps")

    assert len(told) <= len(steps) <= len(told) + 1
    assert steps.rows.tolist() == list(range(len(steps)))
    np.testing.assert_array_equal(steps["reward"][: len(told)].astype(np.float32), rewards)
    assert np.isfinite(steps["qpos"]).all()
    assert read_records(tmp_path / "run", "events")[0]["event"] == "begin"
