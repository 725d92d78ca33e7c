"""A training that is killed, again and again, and goes on each time it is started.

    python -m tests.support.killed_training CASE RUN OUT [PHASE:N]

Everything is recorded into RUN; OUT gets what was learned, once training ends. With PHASE:N the process
kills itself at the N-th step, minibatch, step of an evaluation, or while the N-th checkpoint is written.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common import callbacks
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, EvalCallback
from stable_baselines3.common.logger import KVWriter, Logger
from tests.support import exact_cases
from tests.support.resumed_training import learned

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway import files
from trackway.checkpoint.choose import choose
from trackway.legacy import CurriculumCallback, RealTimeSavingCallback
from trackway.legacy.set_aside import set_aside_records
from trackway.run import RunFolder
from trackway.sb3 import RecorderCallback
from trackway.storage.places import attempts

KILLS = int(os.environ.get("TRACKWAY_RESUMES", "2"))
_PARTS = KILLS + 4  # a kill seldom comes later than one and a half checkpoints after the start
_TIMED = ("time/fps", "time/time_elapsed")


@dataclass(frozen=True)
class Case:
    """A training of some parts, with a checkpoint after `every` timesteps, and when it is killed.

    Attributes:
        kills: How many of which things are reached in about one and a half parts.
    """

    build: Any
    every: int
    kills: dict[str, int]
    log_interval: int = 1

    @property
    def total(self) -> int:
        return self.every * _PARTS


def go1_batch() -> exact_cases.Built:
    """Disturbed robots, short episodes, evaluations in between."""
    config = Go1Config(rand_power=1.0, action_noise=0.05, max_episode_time_sec=0.8)
    model = PPO(
        "MlpPolicy",
        Go1VecEnv(6, config, seed=5),
        n_steps=24,
        batch_size=48,
        n_epochs=2,
        learning_rate=lambda left: 1e-3 * left,
        policy_kwargs={"net_arch": [16]},
        seed=1,
        device="cpu",
    )
    evaluation = EvalCallback(
        Go1VecEnv(2, config, seed=9), eval_freq=40, n_eval_episodes=2, verbose=0, warn=False
    )
    return model, [CurriculumCallback(6 * 24 * _PARTS, 1.0), evaluation]


def sac() -> exact_cases.Built:
    environments = partial(exact_cases.dummy, "Pendulum-v1", max_episode_steps=40)
    return exact_cases.off_policy(exact_cases.SAC, environments)


CASES = {
    "go1": Case(go1_batch, 6 * 24, {"step": 36, "minibatch": 9, "evaluation": 15, "checkpoint": 1}),
    "subproc": Case(
        partial(exact_cases.ppo, exact_cases.normalized_subproc),
        2 * 64,
        {"step": 96, "minibatch": 12, "checkpoint": 1},
    ),
    "sac": Case(sac, 60, {"step": 90, "minibatch": 130, "checkpoint": 1}, log_interval=4),
}


class Metrics(KVWriter):
    """Every row that is logged, appended to a file; rows that are made again stand there again."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def write(self, key_values: Any, key_excluded: Any, step: int = 0) -> None:
        row = {k: repr(v) for k, v in sorted(key_values.items()) if k not in _TIMED}
        self._file.write(json.dumps([step, row]) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class Killer(BaseCallback):
    """Kills this process at a chosen instant; the writer too, when a checkpoint is being written."""

    def __init__(self, phase: str, count: int, saving: RealTimeSavingCallback) -> None:
        super().__init__()
        self.phase, self.left, self.saving = phase, count, saving
        self.checkpoint_at: Any = None
        if phase == "minibatch":
            self._count_calls(torch.optim.Adam, "step")
        elif phase == "evaluation":
            plain = callbacks.evaluate_policy

            def evaluate(*given: Any, callback: Any, **named: Any) -> Any:
                def each(*seen: Any) -> None:
                    self.reached("evaluation")
                    callback(*seen)

                return plain(*given, callback=each, **named)

            callbacks.evaluate_policy = evaluate

    def _count_calls(self, owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def counted(*given: Any, **named: Any) -> Any:
            result = plain(*given, **named)
            self.reached("minibatch")
            return result

        setattr(owner, name, counted)

    def reached(self, phase: str) -> None:
        if phase == self.phase:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _on_step(self) -> bool:
        self.reached("step")
        return True

    def _on_rollout_start(self) -> None:
        session = self.saving._session
        if self.phase != "checkpoint" or session is None:
            return
        taken, self.checkpoint_at = self.checkpoint_at, session._checkpoint_at
        if taken != self.checkpoint_at and taken is not None:
            self.left -= 1
            if self.left == 0:
                time.sleep(np.random.default_rng(os.getpid()).uniform(0.0, 0.03))
                os.kill(session.outbox.writer_pid, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    # Not part of the training.
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def train(case: Case, run: RunFolder, out: Path, kill: str | None = None) -> None:
    """Begin, or go on from the newest whole checkpoint; what was learned goes to `out`."""
    while files.is_locked(run.realtime_data):  # by the writer of the one that was killed
        time.sleep(0.02)
    checkpoint = choose(run.checkpoints).checkpoint
    after = -1 if checkpoint is None else checkpoint.timestep
    number = len(attempts(run.path)) + 1
    set_aside_records(run.realtime_data, run.history, after, run.set_aside(number))
    model, others = case.build()
    model.set_logger(Logger(None, [Metrics(out.with_suffix(".metrics"))]))
    saving = RealTimeSavingCallback(
        run.realtime_data,
        save_frequency=case.every // 3,
        checkpoint_frequency=case.every,
        verbose=0,
        resume_from=checkpoint,
    )
    recording = RecorderCallback(run.path)
    killer = Killer(*_parsed(kill), saving)
    if checkpoint is not None:
        model.num_timesteps = checkpoint.timestep
    model.learn(
        case.total - model.num_timesteps,
        callback=CallbackList([saving, *others, recording, killer]),
        reset_num_timesteps=checkpoint is None,
        log_interval=case.log_interval,
    )
    result = {
        "learned": learned(model),
        "timesteps": model.num_timesteps,
        "inexact": [] if checkpoint is None else checkpoint.inexact_because,
    }
    out.write_text(json.dumps(result))
    model.env.close()


def _parsed(kill: str | None) -> tuple[str, int]:
    phase, _, count = (kill or "never:0").partition(":")
    return phase, int(count)


if __name__ == "__main__":
    torch.set_num_threads(1)
    case, run, out, *kill = sys.argv[1:]
    train(CASES[case], RunFolder(Path(run)), Path(out), *kill)
