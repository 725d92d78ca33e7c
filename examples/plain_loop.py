"""Record a training loop of your own: no framework, the style of CleanRL.

    python examples/plain_loop.py models/plain_loop

A linear policy learns CartPole by random search on four environments at once. Two things matter
for the recording: the environments are wrapped, and what the learner knows goes into `updates`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium as gym
import numpy as np

from trackway import Recorder, read, read_records
from trackway.gymnasium import RecordVectorEnv


def train(run: Path, updates: int = 20, steps: int = 100, num_envs: int = 4) -> float:
    """Search for weights; the best mean return found."""
    rng = np.random.default_rng(0)
    with Recorder(run) as recorder:
        envs = RecordVectorEnv(gym.make_vec("CartPole-v1", num_envs), recorder)
        learner = recorder.records("updates")
        best, best_weights = 0.0, np.zeros(4)
        obs, _ = envs.reset(seed=0)
        for update in range(updates):
            weights = best_weights + rng.normal(0.0, 1.0, 4)
            ended, total = 0, 0.0
            for _ in range(steps):
                obs, rewards, terminated, truncated, _ = envs.step((obs @ weights > 0).astype(int))
                ended += int((terminated | truncated).sum())
                total += float(rewards.sum())
            score = total / max(ended, 1)
            if score > best:
                best, best_weights = score, weights
            learner.append({"update": update, "score": score, "best": best, "weights": weights})
        envs.close()
    return best


def main() -> None:
    run = Path(sys.argv[1] if len(sys.argv) > 1 else "models/plain_loop")
    best = train(run)
    steps, episodes = read(run, "steps"), read_records(run, "episodes")
    sys.stdout.write(
        f"best {best:.0f}; {steps['reward'].size} steps and {len(episodes)} episodes in {run}\n"
    )


if __name__ == "__main__":
    main()
