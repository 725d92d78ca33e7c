"""CPU time of one environment step: our batch, smaller batches, and the public environment's way.

Rounds are interleaved in one run, so that a busy machine slows all alike; what counts is the ratio.
CPU time is of all threads and of the worker processes.

    python benchmarks/env_speed.py [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import time
from collections.abc import Callable

import numpy as np
import psutil
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from go1.config import Go1Config
from go1.env import Go1MujocoEnv
from go1.vec_env import Go1VecEnv

LIMIT_US = 80.0
"""What the batch of 256 in physics "full" is allowed to cost."""


def _public_env() -> Go1MujocoEnv:
    return Go1MujocoEnv("position", physics="upstream")


PEERS: dict[str, tuple[Callable[[], VecEnv], int]] = {  # name → (make, vector steps per round)
    "batch of 256, full": (lambda: Go1VecEnv(256, Go1Config(), seed=0), 100),
    "batch of 256, fast": (lambda: Go1VecEnv(256, Go1Config(physics="fast"), seed=0), 100),
    "batch of 256, torque": (lambda: Go1VecEnv(256, Go1Config(ctrl_type="torque"), seed=0), 100),
    "batch of 256, randomised": (lambda: Go1VecEnv(256, Go1Config(rand_power=1.0), seed=0), 100),
    "batch of 12, full": (lambda: Go1VecEnv(12, Go1Config(), seed=0), 1000),
    "batch of 1, full": (lambda: Go1VecEnv(1, Go1Config(), seed=0), 2000),
    "public, single": (lambda: DummyVecEnv([_public_env]), 300),
    "public, DummyVecEnv of 12": (lambda: DummyVecEnv([_public_env] * 12), 30),
    "public, SubprocVecEnv of 12": (lambda: SubprocVecEnv([_public_env] * 12), 30),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    envs = {name: make() for name, (make, _) in PEERS.items()}
    for env in envs.values():
        env.reset()
    cpu: dict[str, list[float]] = {name: [] for name in PEERS}
    wall: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(rounds):
        for name, (_, steps) in PEERS.items():
            used, passed = _measure(envs[name], steps)
            cpu[name].append(used)
            wall[name].append(passed)
    for env in envs.values():
        env.close()
    base = min(cpu["batch of 256, full"])
    print(f"{'':30}  CPU us/step   ratio   wall us/step      (best of {rounds})")
    for name in PEERS:
        best = min(cpu[name])
        print(f"{name:30} {best:12.1f} {best / base:7.1f} {min(wall[name]):14.1f}")
    good = base <= LIMIT_US
    print(f"batch of 256: {base:.1f} us, limit {LIMIT_US:.0f}: {'ok' if good else 'TOO SLOW'}")
    return 0 if good else 1


def _measure(env: VecEnv, steps: int) -> tuple[float, float]:
    """CPU and wall µs per environment step under random actions."""
    rng = np.random.default_rng(0)
    low, high = env.action_space.low, env.action_space.high
    middle, spread = (low + high) / 2, (high - low) / 10  # about as far as a learner's first tries
    shape = (env.num_envs, *env.action_space.shape)
    actions = [
        np.clip(middle + spread * rng.standard_normal(shape), low, high).astype(np.float32)
        for _ in range(20)
    ]
    env.step(actions[0])
    cpu, start = _cpu_s(), time.perf_counter()
    for t in range(steps):
        env.step(actions[t % len(actions)])
    passed = time.perf_counter() - start
    used = _cpu_s() - cpu
    scale = 1e6 / (steps * env.num_envs)
    return used * scale, passed * scale


def _cpu_s() -> float:
    """CPU seconds of this process and its workers."""
    workers = psutil.Process().children(recursive=True)
    times = [worker.cpu_times() for worker in workers]
    return time.process_time() + sum(t.user + t.system for t in times)


if __name__ == "__main__":
    sys.exit(main())
