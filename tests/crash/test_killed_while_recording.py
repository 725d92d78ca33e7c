"""A training that is killed, with all of its processes, keeps every step that it had made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv
from tests.support.sliding_ball import SlidingBall
from tests.support.trainings import ppo

from trackway import read, read_records
from trackway.gymnasium import RecordEnv
from trackway.sb3 import RecorderCallback
from trackway.storage.places import find_stream
from trackway.storage.verify import verify

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


@pytest.mark.crash
def test_a_killed_worker_costs_no_step_that_was_made(tmp_path):
    class Kill(BaseCallback):
        def __init__(self):
            super().__init__()
            self.rewards = []

        def _on_step(self):
            self.rewards.append(self.locals["rewards"].astype(np.float32))
            if self.n_calls == 40:
                os.kill(envs.processes[0].pid, signal.SIGKILL)
            return True

    # The first: of a later one that is forked, those before it hold the pipe open for ever.
    envs = SubprocVecEnv([lambda: Monitor(RecordEnv(SlidingBall()))] * 2, start_method="fork")
    kill = Kill()
    try:
        # What Stable-Baselines3 says of it: the other end of a pipe is gone.
        with pytest.raises((EOFError, ConnectionError)), RecorderCallback(tmp_path) as recording:
            ppo(envs).learn(640, callback=[kill, recording])
    finally:
        for worker in envs.processes:
            worker.kill()
            worker.join()
    steps = read(tmp_path, "steps")

    # The other worker may have written its part of a step that was never made.
    assert len(steps) == len(kill.rewards) >= 40
    np.testing.assert_array_equal(steps["reward"].astype(np.float32), kill.rewards)
    assert verify(find_stream(tmp_path, "steps")).whole
    assert read_records(tmp_path, "events")[-1]["how"].startswith("failed: ")
