"""A training as most are written: everything stands in the main module, and constants beside it.

python -m tests.support.main_program FOLDER [CHECKPOINT]
"""

import json
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from trackway.sb3 import Checkpointer


@dataclass
class Params:
    mass: float = 1.0


@dataclass
class Level:
    height: float = 0.0
    seen: list[float] = field(default_factory=list)


NOMINAL = Params()
TABLE = {"robots": [Params(2.0)]}


def sparse(reward: float) -> float:
    return reward


def dense(reward: float) -> float:
    return reward + 0.5


REWARD = sparse


class Walk(gym.Wrapper):
    default = Params(3.0)

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1"))
        self.params, self.heavy, self.listed = NOMINAL, Walk.default, TABLE["robots"][0]

    def step(self, action: int) -> tuple:
        obs, reward, *rest = self.env.step(action)
        mass = self.params.mass + self.heavy.mass + self.listed.mass + NOMINAL.mass
        return obs, REWARD(reward) * mass, *rest


class Harder(BaseCallback):
    def __init__(self, level: Level) -> None:
        super().__init__()
        self.level, self.calls = level, 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        global REWARD
        self.calls += 1
        self.level.height += 0.1
        self.level.seen.append(env.params.mass)
        if self.calls == 2:
            REWARD = dense
            env.params, env.heavy, env.listed = Params(0.5), Params(0.25), Params(0.125)
        self.model.ent_coef = 0.01 * self.level.height + 0.01 * self.calls


random.seed(1)
env = Walk()
level = Level()
harder = Harder(level)
model = PPO(
    "MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=1, policy_kwargs={"net_arch": [8]}
)
if __name__ == "__main__":
    folder, *checkpoint = map(Path, sys.argv[1:])
    resume_from = checkpoint[0] if checkpoint else None
    model.learn(160, callback=[harder, Checkpointer(folder, 32, resume_from=resume_from)])
    weights = b"".join(x.detach().numpy().tobytes() for x in model.policy.parameters()).hex()
    constants = [NOMINAL.mass, Walk.default.mass, TABLE["robots"][0].mass]
    told = [harder.calls, level.height, level.seen, env.params.mass, constants, weights]
    sys.stdout.write(json.dumps(told) + "\n")
