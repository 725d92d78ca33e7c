"""Training steps per CPU-second: the whole PPO loop with the showpiece's settings, nothing recorded.

One and two torch threads take turns in one run. CPU time is of all threads.

    python benchmarks/learning_speed.py [--rounds 2] [--config configs/walk.toml]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from go1.threads import set_torch_threads  # isort: skip  # before torch is imported

from go1.training.environments import training_envs
from go1.training.learner import make_learner
from go1.training.settings import resolve

LIMIT = 8_000
"""Steps per CPU-second that training should reach."""
ROLLOUTS = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--config", type=Path, default=Path("configs/walk.toml"))
    arguments = parser.parse_args()
    settings = resolve({}, arguments.config)
    learner = make_learner(settings, training_envs(settings), None)
    steps = ROLLOUTS * learner.n_steps * learner.n_envs
    learner.learn(steps // ROLLOUTS)  # first calls set things up
    best: dict[int, tuple[float, float]] = {}
    for _ in range(arguments.rounds):
        for threads in (1, 2):
            set_torch_threads(threads)
            cpu, wall = time.process_time(), time.perf_counter()
            learner.learn(steps, reset_num_timesteps=False)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            best[threads] = max(best.get(threads, (0.0, 0.0)), (steps / cpu, steps / wall))
    print("torch threads   steps/CPU-second   steps/second")
    for threads, (per_cpu, per_wall) in best.items():
        print(f"{threads:13d} {per_cpu:18,.0f} {per_wall:14,.0f}")
    print(f"two threads against one: {best[2][0] / best[1][0]:.2f} per CPU-second")
    good = best[1][0] >= LIMIT
    print(
        f"{best[1][0]:,.0f} steps per CPU-second, wanted {LIMIT:,}: {'ok' if good else 'TOO SLOW'}"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
