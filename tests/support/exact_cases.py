"""Trainings small enough to be run three times: what is resumed exactly, by algorithm and environment.

python -m tests.support.exact_cases prints the table of docs/explanation/exact-resume.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from sb3_contrib import TQC, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3, HerReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.noise import NormalActionNoise, OrnsteinUhlenbeckActionNoise
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)
from tests.support import changing_program
from tests.support.treacherous import LIARS, TREACHEROUS, HiddenWaves, HiddenWorld

from go1.config import Go1Config
from go1.env import Go1MujocoEnv
from go1.vec_env import Go1VecEnv
from trackway.legacy import CurriculumCallback

Built = tuple[Any, list[BaseCallback]]


def _nothing(model: Any, others: list[BaseCallback]) -> Any:
    return None


@dataclass(frozen=True)
class Case:
    """A training, and the rollout at whose start it is stopped.

    Attributes:
        build: Gives the model and the other callbacks.
        rollout: Timesteps of a rollout.
        stop_at: Rollouts before it is stopped.
        rollouts: Of the whole training.
        log_interval: As `learn` takes it.
        outcome: What else must be equal in the end.
        given: What exactness takes, for the table.
    """

    build: Callable[[], Built]
    rollout: int
    stop_at: int = 3
    rollouts: int = 6
    log_interval: int = 1
    outcome: Callable[[Any, list[BaseCallback]], Any] = _nothing
    given: str = ""

    @property
    def total_timesteps(self) -> int:
        return self.rollout * self.rollouts

    @property
    def stopped_timestep(self) -> int:
        return self.rollout * self.stop_at


class Capricious(gym.Wrapper[Any, Any, Any, Any]):
    """Draws from the generators that a process shares, as careless environments do."""

    def step(self, action: Any) -> Any:
        obs, reward, *rest = self.env.step(action)
        chance = random.random() + np.random.random()  # noqa: NPY002
        return obs, float(reward) + chance, *rest


def _single(name: str, seed: int | None, **settings: Any) -> gym.Env[Any, Any]:
    env: Any = Monitor(gym.make(name, **settings))
    if seed is None:
        return env
    random.seed(seed)  # a worker's own; nobody else seeds them
    np.random.seed(seed)  # noqa: NPY002
    return Capricious(env)


def hidden(kind: Any, **settings: Any) -> VecEnv:
    return kind([HiddenWorld, HiddenWaves], **settings)


def go1_batch() -> Built:
    config = Go1Config(rand_power=1.0, action_noise=0.05, max_episode_time_sec=1.0)
    envs = Go1VecEnv(8, config, seed=5)
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=32,
        batch_size=64,
        n_epochs=2,
        learning_rate=lambda left: 1e-3 * left,
        policy_kwargs={"net_arch": [32]},
        seed=1,
        device="cpu",
    )
    return model, [CurriculumCallback(8 * 32 * 6, 1.0)]


def ppo(envs: Callable[[], VecEnv], **settings: Any) -> Built:
    arguments = {"n_steps": 64, "batch_size": 32, "n_epochs": 2, **settings}
    return PPO("MlpPolicy", envs(), seed=1, device="cpu", **arguments), []


def normalized_subproc() -> VecEnv:
    makers = [partial(_single, "Pendulum-v1", 40 + i, max_episode_steps=50) for i in range(2)]
    return VecNormalize(SubprocVecEnv(makers, start_method="forkserver"), gamma=0.99)


def stacked(name: str = "Ant-v5") -> VecEnv:
    makers = [partial(gym.make, name, max_episode_steps=40) for _ in range(2)]
    return VecFrameStack(VecMonitor(VecNormalize(DummyVecEnv(makers))), 2)


def single_go1s(kind: Any, **settings: Any) -> VecEnv:
    return kind([partial(Go1MujocoEnv, rand_power=1.0, action_noise=0.05)] * 2, **settings)


def evaluated() -> Built:
    model, _ = ppo(partial(stacked, "Pendulum-v1"), use_sde=True, sde_sample_freq=4)
    evaluation = stacked("Pendulum-v1")
    evaluation.seed(7)  # otherwise two uninterrupted trainings differ
    callback = EvalCallback(evaluation, eval_freq=50, n_eval_episodes=2, verbose=0, warn=False)
    return model, [callback]


def evaluations(model: Any, others: list[BaseCallback]) -> Any:
    (callback,) = others
    assert isinstance(callback, EvalCallback)
    return [repr(callback.best_mean_reward), callback.n_calls]


def off_policy(kind: Any, envs: Callable[[], VecEnv], **settings: Any) -> Built:
    arguments = {"learning_starts": 100, "train_freq": 4, "gradient_steps": 2, "batch_size": 32}
    arguments |= {"buffer_size": 300, "policy_kwargs": {"net_arch": [16]}, **settings}
    return kind("MlpPolicy", envs(), seed=1, device="cpu", **arguments), []


def dummy(name: str, count: int = 1, **settings: Any) -> VecEnv:
    return DummyVecEnv([partial(_single, name, None, **settings) for _ in range(count)])


def _td3() -> Built:
    noise = OrnsteinUhlenbeckActionNoise(np.zeros(1), 0.2 * np.ones(1))
    return off_policy(TD3, partial(dummy, "Pendulum-v1", 2), action_noise=noise)


def _sac_normalized() -> Built:
    noise = NormalActionNoise(np.zeros(1), 0.1 * np.ones(1))
    envs = partial(dummy, "Pendulum-v1", max_episode_steps=60)
    return off_policy(SAC, lambda: VecNormalize(envs()), action_noise=noise, use_sde=True)


class Towards(gym.Wrapper[Any, Any, Any, Any]):
    """A pendulum with a goal: where it shall stand."""

    def __init__(self) -> None:
        super().__init__(gym.make("Pendulum-v1", max_episode_steps=30))
        place = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = gym.spaces.Dict(
            observation=self.env.observation_space, achieved_goal=place, desired_goal=place
        )

    def reset(self, **settings: Any) -> Any:
        obs, info = self.env.reset(**settings)
        return self._seen(obs), info

    def step(self, action: Any) -> Any:
        obs, _, *rest = self.env.step(action)
        seen = self._seen(obs)
        reward = self.compute_reward(seen["achieved_goal"], seen["desired_goal"], {})
        return seen, float(reward), *rest

    def compute_reward(self, achieved: Any, desired: Any, info: Any) -> Any:
        return -np.linalg.norm(achieved - desired, axis=-1)

    def _seen(self, obs: Any) -> dict[str, Any]:
        goal = np.array([1.0, 0.0], np.float32)
        return {"observation": obs, "achieved_goal": obs[:2], "desired_goal": goal}


def _hindsight() -> Built:
    arguments = {"learning_starts": 100, "train_freq": 4, "batch_size": 32, "buffer_size": 200}
    model = SAC(
        "MultiInputPolicy",
        DummyVecEnv([Towards]),
        replay_buffer_class=HerReplayBuffer,
        policy_kwargs={"net_arch": [16]},
        seed=1,
        device="cpu",
        **arguments,
    )
    return model, []


def _recurrent() -> Built:
    model = RecurrentPPO(
        "MlpLstmPolicy",
        dummy("CartPole-v1", 2),
        n_steps=32,
        batch_size=32,
        n_epochs=2,
        policy_kwargs={"lstm_hidden_size": 8},
        seed=1,
        device="cpu",
    )
    return model, []


def _a2c() -> Built:
    return A2C("MlpPolicy", dummy("Acrobot-v1", 2), n_steps=20, seed=1, device="cpu"), []


_CHANGES = "what a program gives, and changes while it trains"
_PLAYED = "where a reset makes it anew: the episode is played again"
CASES: dict[str, Case] = {
    "PPO, Go1VecEnv": Case(go1_batch, 8 * 32, log_interval=2),
    "PPO, SubprocVecEnv, VecNormalize": Case(partial(ppo, normalized_subproc), 2 * 64),
    "PPO, Ant-v5, VecFrameStack, VecMonitor, VecNormalize": Case(partial(ppo, stacked), 2 * 64),
    "PPO, gSDE, EvalCallback": Case(
        evaluated, 2 * 64, outcome=evaluations, given="where the evaluation environment is seeded"
    ),
    "PPO, Go1MujocoEnv, DummyVecEnv": Case(partial(ppo, partial(single_go1s, DummyVecEnv)), 2 * 64),
    "PPO, Go1MujocoEnv, SubprocVecEnv": Case(
        partial(ppo, partial(single_go1s, SubprocVecEnv, start_method="forkserver")), 2 * 64
    ),
    "PPO, state hidden in C, DummyVecEnv": Case(
        partial(ppo, partial(hidden, DummyVecEnv)), 2 * 64, given=_PLAYED
    ),
    "PPO, state hidden in C, SubprocVecEnv": Case(
        partial(ppo, partial(hidden, SubprocVecEnv, start_method="forkserver")),
        2 * 64,
        given=_PLAYED,
    ),
    f"PPO, {_CHANGES}, DummyVecEnv": Case(changing_program.in_one_process, 2 * 32),
    f"PPO, {_CHANGES}, SubprocVecEnv": Case(changing_program.in_workers, 2 * 32),
    "RecurrentPPO, CartPole-v1": Case(_recurrent, 2 * 32),
    "A2C, Acrobot-v1": Case(_a2c, 2 * 20, stop_at=20, rollouts=40, log_interval=3),
    "SAC, Pendulum-v1": Case(
        partial(off_policy, SAC, partial(dummy, "Pendulum-v1", max_episode_steps=40)), 4, 90, 150, 4
    ),
    "SAC, gSDE, VecNormalize, noise": Case(_sac_normalized, 4, 90, 150, 4),
    "SAC, HerReplayBuffer": Case(_hindsight, 4, 90, 150, 4),
    "TD3, noise, two environments": Case(_td3, 8, 60, 90, 4),
    "DQN, CartPole-v1": Case(
        partial(off_policy, DQN, partial(dummy, "CartPole-v1")), 4, 90, 150, 4
    ),
    "DQN, returns of three steps": Case(
        partial(off_policy, DQN, partial(dummy, "CartPole-v1"), n_steps=3), 4, 90, 150, 4
    ),
    "TQC, Pendulum-v1": Case(
        partial(off_policy, TQC, partial(dummy, "Pendulum-v1", max_episode_steps=40)), 4, 50, 80, 4
    ),
}

MUJOCO = (
    "Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum",
    "InvertedPendulum", "Pusher", "Reacher", "Swimmer", "Walker2d",
)  # fmt: skip
# Each passes the judge.
GYMNASIUM = (
    *(f"{name}-v5" for name in MUJOCO),
    "Acrobot-v1", "CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Pendulum-v1",
)  # fmt: skip


def table() -> str:
    """What the tests of these cases and of the judge show, as the page has it."""
    rows = {name: ", ".join(filter(None, ("yes", case.given))) for name, case in CASES.items()}
    rows[", ".join(GYMNASIUM)] = "yes: the judge finds each exact"
    rows[f"{len(TREACHEROUS)} treacherous environments"] = (
        "no: the judge finds each out; new episodes begin where it is resumed"
    )
    rows[f"{len(LIARS)} environments that lie when they are played again"] = (
        "no: the judge finds each out; new episodes begin where it is resumed"
    )
    rows["any, a kind of replay buffer of one's own, HerReplayBuffer(copy_info_dict=True)"] = (
        "no: the buffer is filled anew, and `exact` says so"
    )
    lines = [f"| {name} | {exact} |" for name, exact in rows.items()]
    return "\n".join(["| training | exact |", "|---|---|", *lines])


if __name__ == "__main__":
    print(table())  # noqa: T201 - that is what it is for
