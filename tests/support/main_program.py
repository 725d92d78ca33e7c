"""A training as most are written: everything stands in the main module, and constants beside it.

python -m tests.support.main_program dummy|subproc FOLDER [CHECKPOINT]
"""

import json
import sys
from dataclasses import dataclass, field

import gymnasium as gym
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

from trackway.sb3 import Checkpointer


@dataclass
class Params:
    mass: float = 1.0


@dataclass
class Level:
    height: float = 0.0
    seen: list[int] = field(default_factory=list)


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
        self.steps = 0

    def step(self, action: int) -> tuple:
        global REWARD
        self.steps += 1
        if self.steps == 50:
            REWARD = dense
            self.params, self.heavy, self.listed = Params(0.5), Params(0.25), Params(0.125)
        obs, reward, *rest = self.env.step(action)
        return obs, REWARD(reward) * sum(self.masses()), *rest

    def masses(self) -> list[float]:
        held = [self.params, self.heavy, self.listed]
        return [x.mass for x in (*held, NOMINAL, Walk.default, TABLE["robots"][0])]


class Harder(BaseCallback):
    def __init__(self, level: Level) -> None:
        super().__init__()
        self.level, self.calls = level, 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self.calls += 1
        self.level.height += 0.1
        self.level.seen.append(self.calls)
        self.model.ent_coef = 0.01 * self.level.height + 0.01 * self.calls


level = Level()
harder = Harder(level)
if __name__ == "__main__":
    kind, folder, *checkpoint = sys.argv[1:]
    venv = {"dummy": DummyVecEnv, "subproc": SubprocVecEnv}[kind]([Walk])
    small = {"net_arch": [8]}
    model = PPO("MlpPolicy", venv, n_steps=32, batch_size=32, seed=1, policy_kwargs=small)
    resume_from = checkpoint[0] if checkpoint else None
    model.learn(160, callback=[harder, Checkpointer(folder, 32, resume_from=resume_from)])
    weights = b"".join(x.detach().numpy().tobytes() for x in model.policy.parameters()).hex()
    told = [harder.calls, level.height, level.seen, venv.env_method("masses")[0], weights]
    venv.close()
    sys.stdout.write(json.dumps(told) + "\n")
