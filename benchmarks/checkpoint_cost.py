"""What a checkpoint costs the training: how long it stands still, and how much slower it is.

PPO with 256 robots and some 400,000 parameters; SAC with a replay buffer of a million transitions.
`model.save` into memory, in the same run, is the peer.

    python benchmarks/checkpoint_cost.py

Throughput: the same learner trains in turns, a stretch of ten seconds with one checkpoint in its middle
and one without anything, each round in another order; ratios are taken within a round. Machines are
noisier than what is sought, so beside the median stands its error, and what was spent within the
callback itself, as a share of the stretch. Stretches begin when rollouts have gone by: what a training
pays once (the writer's start, the trial of its environments) is not of a checkpoint.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
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


class Stretch(BaseCallback):
    """The first of a list: time by its names, from one rollout's start to another's."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last, self.number = first, last, 0

    def _on_rollout_start(self) -> None:
        if self.number == self.first:
            self.began = _now()
        if self.number == self.last:
            self.spent = {name: at - self.began[name] for name, at in _now().items()}
        self.number += 1

    def _on_step(self) -> bool:
        return True


class Spent(Timed):
    """Notes what the training's thread spends in the callback, of rollouts without a checkpoint, too."""

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(folder, every, keep_last=2)
        self.rollouts_s: list[float] = []

    def _on_rollout_start(self) -> None:
        cpu = time.thread_time()
        super()._on_rollout_start()
        self.rollouts_s.append(time.thread_time() - cpu)


def _now() -> dict[str, float]:
    """Seconds; of the writer to the nanosecond, as long as it lives."""
    writer_ns = 0
    for child in psutil.Process().children():
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{child.pid}/task").iterdir():
                writer_ns += int((task / "schedstat").read_text().split()[0])
    return {
        "wall": time.perf_counter(),
        "training thread": time.thread_time(),
        "trainer's CPU": time.process_time(),
        "writer's CPU": writer_ns / 1e9,
    }


def throughput(seconds: float, rounds: int) -> None:
    """A stretch of so many seconds with a checkpoint, and one without, in turn."""
    model, warm = ppo(), 12
    rollout = model.n_steps * model.n_envs
    trial = Stretch(warm, 4 * warm)
    model.learn(rollout * (4 * warm + 1), callback=trial)
    rollouts = max(4, round(seconds / (trial.spent["wall"] / (3 * warm))))
    spent: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    within: list[float] = []
    for number in range(rounds):
        for name in list(spent) if number % 2 else list(spent)[::-1]:
            stretch = Stretch(warm, warm + rollouts)
            callbacks: list[BaseCallback] = [stretch]
            with tempfile.TemporaryDirectory() as folder:
                if name == "with":
                    callbacks.append(Spent(Path(folder), rollout * (warm + rollouts // 2)))
                model.learn(rollout * (warm + rollouts + 1), callback=callbacks, log_interval=None)
            spent[name].append(stretch.spent)
            if name == "with":
                assert len(callbacks[1].cpu_ms) == 1, "one checkpoint of a stretch"
                share = sum(callbacks[1].rollouts_s[warm : warm + rollouts])
                within.append(share / stretch.spent["training thread"])
    took = statistics.median(s["wall"] for s in spent["without"])
    print(f"throughput: {rounds} rounds of {rollouts} rollouts, {took:.1f} s; goal 1 %")
    for kind in ("wall", "training thread", "trainer's CPU"):
        ratios = [a[kind] / b[kind] - 1 for a, b in zip(*spent.values(), strict=True)]
        # Of a median of as many: 1.25 times that of a mean.
        error = 1.25 * statistics.stdev(ratios) / len(ratios) ** 0.5
        print(
            f"  more {kind:29} median {100 * statistics.median(ratios):+6.2f} % ± {100 * error:.2f}, "
            f"rounds {100 * min(ratios):+.2f} to {100 * max(ratios):+.2f} %"
        )
    print(
        f"  within the callback, of its thread median {100 * statistics.median(within):6.2f} %, "
        f"worst {100 * max(within):.2f} %"
    )
    writer = [s["writer's CPU"] / s["wall"] for s in spent["with"]]
    print(f"  the writer, of a core              median {100 * statistics.median(writer):6.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of SAC's buffer")
    parser.add_argument("--seconds", type=float, default=10.0, help="from checkpoint to checkpoint")
    parser.add_argument("--rounds", type=int, default=9, help="0: no throughput, else at least 2")
    given = parser.parse_args()
    torch.set_num_threads(1)
    blocked(ppo, 2048 * 60, 2048 * 6)
    blocked(lambda: sac(given.rows), 40_000, 5_000)
    if given.rounds:
        throughput(given.seconds, given.rounds)


if __name__ == "__main__":
    main()
