"""What a checkpoint costs the training: how long it stands still, and how much slower it is.

PPO with 256 robots and some 400,000 parameters; SAC with a replay buffer of a million transitions.
`model.save` into memory, in the same run, is the peer.

    python benchmarks/checkpoint_cost.py
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback

from go1.vec_env import Go1VecEnv
from trackway.sb3 import Checkpointer


class Timed(Checkpointer):
    """Notes the thread's CPU time and the wall time of every rollout start with a checkpoint."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.cpu_ms: list[float] = []
        self.wall_ms: list[float] = []

    def _on_rollout_start(self) -> None:
        number, cpu, wall = self._number, time.thread_time(), time.perf_counter()
        super()._on_rollout_start()
        if self._number > number:
            self.cpu_ms.append(1e3 * (time.thread_time() - cpu))
            self.wall_ms.append(1e3 * (time.perf_counter() - wall))


class Saved(BaseCallback):
    def __init__(self) -> None:
        super().__init__()
        self.cpu_ms: list[float] = []

    def _on_rollout_start(self) -> None:
        cpu = time.thread_time()
        self.model.save(io.BytesIO())
        self.cpu_ms.append(1e3 * (time.thread_time() - cpu))

    def _on_step(self) -> bool:
        return True


def ppo() -> PPO:
    envs = Go1VecEnv(256, seed=0)
    network = {"net_arch": [448, 320, 96]}
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=8,
        batch_size=2048,
        n_epochs=1,
        device="cpu",
        policy_kwargs=network,
    )
    print(f"PPO: {sum(p.numel() for p in model.policy.parameters()):,} parameters, 256 robots")
    return model


def sac(rows: int) -> SAC:
    envs = Go1VecEnv(8, seed=0)
    model = SAC(
        "MlpPolicy", envs, buffer_size=rows, learning_starts=10**9, train_freq=8, device="cpu"
    )
    buffer = model.replay_buffer
    assert buffer is not None
    buffer.observations[:] = 0.5  # touched memory, as after a long training
    buffer.next_observations[:] = 0.5
    print(f"SAC: {buffer.buffer_size * 8:,} transitions")
    return model


def report(name: str, cpu_ms: list[float], more: str = "") -> None:
    later = cpu_ms[1:] or cpu_ms
    middle, worst = statistics.median(later), max(later)
    print(
        f"  {name:34} median {middle:6.2f} ms, worst {worst:6.2f} ms, first {cpu_ms[0]:6.2f} ms{more}"
    )


def blocked(make: Callable[[], Any], total: int, every: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        timed, saved = Timed(Path(folder), every, keep_last=2), Saved()
        make().learn(total, callback=timed)
        report("Checkpointer, thread CPU", timed.cpu_ms)
        report("Checkpointer, wall", timed.wall_ms)
    if make is ppo:
        make().learn(total // 4, callback=saved)
        report("model.save into memory, CPU", saved.cpu_ms)


def throughput(seconds: float, rounds: int) -> None:
    """CPU time of the whole trainer, with a checkpoint every ten seconds and without, in turn."""
    spent: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(rounds):
        for name in spent:
            with tempfile.TemporaryDirectory() as folder:
                model, steps = ppo(), 2048 * max(1, int(seconds * 4))
                every = steps // max(1, round(seconds / 10)) if name == "with" else 10**12
                callback = Checkpointer(Path(folder), every, keep_last=2)
                start = time.process_time()
                model.learn(steps, callback=callback if name == "with" else None)
                spent[name].append(time.process_time() - start)
    ratio = float(np.median(spent["with"]) / np.median(spent["without"]))
    print(f"throughput: {100 * (ratio - 1):+.2f} % CPU time with checkpoints")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of SAC's buffer")
    parser.add_argument("--seconds", type=float, default=20.0, help="of a round of the throughput")
    parser.add_argument("--rounds", type=int, default=3, help="0: no throughput")
    given = parser.parse_args()
    torch.set_num_threads(1)
    blocked(ppo, 2048 * 60, 2048 * 6)
    blocked(lambda: sac(given.rows), 40_000, 5_000)
    if given.rounds:
        throughput(given.seconds, given.rounds)


if __name__ == "__main__":
    main()
