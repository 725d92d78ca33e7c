"""What recording every step costs: a training with RecorderCallback over the same without.

    python benchmarks/recording_throughput.py

The same learner trains the showpiece's 256 robots in turns, recorded and not, each round in another
order; the ratio of a round is taken within the round. Then the time of the training thread for
reading and committing one row, per environment step.

On a machine that others use, judge by the CPU of all processes: the writer's is part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList

from go1.vec_env import Go1VecEnv
from trackway import Recorder, read
from trackway.sb3 import RecorderCallback

GOAL_RATIO, GOAL_US = 0.99, 0.4


def learner(num_envs: int) -> PPO:
    """PPO as `train.py` sets it up, on so many robots."""
    network = {"net_arch": [128, 128], "activation_fn": torch.nn.ELU, "log_std_init": -0.5}
    return PPO(
        "MlpPolicy",
        Go1VecEnv(num_envs, seed=0),
        learning_rate=1e-3,
        n_steps=6144 // num_envs,
        batch_size=1536,
        n_epochs=5,
        max_grad_norm=1.0,
        policy_kwargs=network,
        device="cpu",
        seed=0,
    )


class Stopwatch(BaseCallback):
    """The first of a list: from the first rollout to the end, wall and processor time."""

    def _on_training_start(self) -> None:
        self.began: tuple[float, ...] | None = None

    def _on_rollout_start(self) -> None:
        self.began = self.began or _now()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        began = self.began or _now()
        self.spent = tuple(now - then for now, then in zip(_now(), began, strict=True))


def _now() -> tuple[float, float, float, float]:
    children = 0.0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            # To the nanosecond, of all of its threads.
            for task in Path(f"/proc/{child.pid}/task").iterdir():
                children += int((task / "schedstat").read_text().split()[0]) / 1e9
    trainer_s = time.process_time()
    return time.perf_counter(), trainer_s, time.thread_time(), trainer_s + children


def throughput(rounds: int, steps: int) -> None:
    """Print the ratios of wall, process and thread time."""
    model = learner(256)
    model.learn(6144, log_interval=None)  # warm
    spent: dict[bool, list[tuple[float, ...]]] = {True: [], False: []}
    for number in range(rounds):
        for recorded in (number % 2 == 0, number % 2 != 0):
            watch = Stopwatch()
            with tempfile.TemporaryDirectory() as folder:
                callbacks: list[BaseCallback] = [watch]
                if recorded:
                    # Compaction, of what is sealed, would fall into another stretch.
                    recorder = Recorder(Path(folder), compact=False)
                    callbacks.append(RecorderCallback(recorder))
                model.learn(steps, callback=CallbackList(callbacks), log_interval=None)
                if recorded:
                    recorder.close()
                    rows = len(read(Path(folder), "steps", fields=["reward"]))
                    if rows != steps // 256 or callbacks[1].errors:
                        raise SystemExit(f"{rows} of {steps // 256} rows were recorded")
            spent[recorded].append(watch.spent)
    print(f"256 robots, {steps} timesteps a stretch, {rounds} rounds")
    print(f"without recording {steps / statistics.median(s[0] for s in spent[False]):8.0f} steps/s")
    for which, name in enumerate(
        ("wall", "trainer CPU", "training thread", "CPU of all processes")
    ):
        ratios = [a[which] / b[which] for a, b in zip(spent[False], spent[True], strict=True)]
        print(
            f"throughput ratio by {name:20} {statistics.median(ratios):.3f} "
            f"(rounds {min(ratios):.3f} to {max(ratios):.3f}; goal {GOAL_RATIO})"
        )


def step_cost(num_envs: int, rounds: int = 15) -> None:
    """Print the thread's time for reading and committing a row, per environment step."""
    envs = Go1VecEnv(num_envs, seed=0, num_threads=1)
    envs.reset()
    envs.step(np.zeros((num_envs, 12), np.float32))
    probe = envs.recorder_probe()
    taken = []
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder)) as recorder:
        stream = recorder.stream("steps", probe.schema, num_envs)
        gather = stream.gather(probe.sources)
        for _ in range(rounds):
            began_ns = time.thread_time_ns()
            for _ in range(50):
                gather.write(stream.at)
                stream.commit()
            taken.append((time.thread_time_ns() - began_ns) / 50 / num_envs / 1e3)
            time.sleep(0.3)  # the writer drains; training would do something else
    print(
        f"probe and commit at {num_envs:3d}: {statistics.median(taken):.3f} us per environment step "
        f"(best {min(taken):.3f}), {probe.schema.row_bytes(1)} bytes"
        + (f"; goal {GOAL_US}" if num_envs == 256 else "")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=49_152, help="timesteps of a stretch")
    arguments = parser.parse_args()
    for num_envs in (12, 256):
        step_cost(num_envs)
    throughput(arguments.rounds, arguments.steps)


if __name__ == "__main__":
    main()
