"""A program that changes, while it trains, all kinds of things that it gave to its training.

Each decides what is learned. A resumed program has them as they are written here.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import CategoricalDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecEnvWrapper

WIND = 0.0
GAINS = {"pole": 1.0}


class Windy(gym.Wrapper[Any, Any, Any, Any]):
    """Rewards follow a global, a dict that many share, and an attribute of the class."""

    slope = 0.0

    def step(self, action: Any) -> Any:
        obs, reward, *rest = self.env.step(action)
        return obs, float(reward) * GAINS["pole"] + WIND + self.slope, *rest

    def blow(self, by: float) -> None:
        global WIND
        WIND += by
        GAINS["pole"] *= 1.1


class Drifting(BaseFeaturesExtractor):
    """Keeps what no `state_dict` tells: numbers, an array, generators, a buffer."""

    def __init__(self, space: Any) -> None:
        super().__init__(space, 4)
        self.calls, self.mean = 0, np.zeros(4, np.float32)
        self.noise, self.torch_noise = np.random.default_rng(3), torch.Generator().manual_seed(3)
        self.register_buffer("last", torch.zeros(4), persistent=False)
        self.counted = counted = {"calls": 0}

        def count(module: Any, given: Any, out: torch.Tensor) -> torch.Tensor:
            counted["calls"] += 1
            return out + 1e-3 * counted["calls"]

        self.register_forward_hook(count)

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        self.mean = 0.9 * self.mean + 0.1 * obs.numpy().mean(0)
        shift = torch.from_numpy(self.mean) + self.last + 0.01 * float(self.noise.normal())
        self.last.copy_(obs.mean(0) * 0.1)
        return obs - shift + 0.01 * torch.randn(4, generator=self.torch_noise) + 1e-3 * self.calls


class Restless(torch.optim.Adam):
    """Has what no `state_dict` tells: a number, a generator; and a hook."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.steps, self.noise, hooked = 0, torch.Generator().manual_seed(5), [0.0]

        def hook(optimizer: Any, given: Any, keywords: Any) -> None:
            hooked[0] += 1e-4
            for group in optimizer.param_groups:
                group["weight_decay"] = hooked[0]

        self.register_step_pre_hook(hook)

    def step(self, closure: Any = None) -> Any:
        self.steps += 1
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                noise = torch.randn(parameter.shape, generator=self.noise)
                parameter.add_(noise, alpha=1e-5 * self.steps)
        return super().step(closure)


class Sharpening(CategoricalDistribution):
    asked = 0

    def proba_distribution(self, action_logits: torch.Tensor) -> Any:
        self.asked += 1
        return super().proba_distribution(action_logits * (1 + 1e-3 * self.asked))


class TwoOptimizers(ActorCriticPolicy):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.action_dist = Sharpening(2)
        self.second = torch.optim.Adam(self.value_net.parameters(), lr=1e-3)

    def evaluate_actions(self, obs: Any, actions: Any) -> Any:
        self.second.zero_grad()
        self.predict_values(obs).pow(2).mean().backward()
        self.second.step()
        return super().evaluate_actions(obs, actions)


class Curious(PPO):
    """Learns a network and a number of its own, which no `save` of PPO knows."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.guess = torch.nn.Linear(4, 1)
        self.guesses = torch.optim.Adam(self.guess.parameters(), lr=1e-2)
        self.weight = torch.zeros(1, requires_grad=True)

    def train(self) -> None:
        buffer = self.rollout_buffer
        error = (self.guess(torch.as_tensor(buffer.observations)) - 1).pow(2)
        with torch.no_grad():
            self.weight += 0.01
        buffer.advantages += self.weight.item() * error.detach().numpy()[..., 0]
        self.guesses.zero_grad()
        error.mean().backward()
        self.guesses.step()
        super().train()


class Counted(VecEnvWrapper):
    total = 0

    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        obs, rewards, dones, infos = self.venv.step_wait()
        Counted.total += 1
        return obs, rewards + Counted.total % 5, dones, infos


class Numbered(SubprocVecEnv):
    """A kind of its own, with something to count in the trainer's process."""

    steps = 0

    def step_wait(self) -> Any:
        obs, rewards, dones, infos = super().step_wait()
        self.steps += 1
        return obs, rewards + self.steps % 7, dones, infos


class Once(BaseCallback):
    """Changes settings at one time, and never again; others it holds, and uses all the time."""

    def __init__(self, halved: dict[str, float]) -> None:
        super().__init__()
        self.halved, self.done = halved, False

    def _init_callback(self) -> None:
        self.optimizer = self.model.policy.optimizer
        self.parameters = list(self.model.policy.parameters())

    def _on_step(self) -> bool:
        if not self.done and self.num_timesteps >= 100:
            self.done = True
            model: Any = self.model
            model.ent_coef, model.n_epochs, model.rollout_buffer.gae_lambda = 0.1, 3, 0.5
            next(model.policy.action_net.parameters()).requires_grad_(False)
            model.policy.mlp_extractor.value_net[1] = torch.nn.ReLU()
            model.policy.raised = [0.0]
            self.training_env.env_method("blow", 0.3)
            Windy.slope = 0.2
        return True

    def _on_rollout_end(self) -> None:
        self.halved["by"] *= 0.7
        if self.done:
            model: Any = self.model
            model.policy.raised[0] += 0.01
            model.vf_coef = 0.5 + model.policy.raised[0]


def build(kind: Any, **settings: Any) -> tuple[Any, list[BaseCallback]]:
    halved, asked = {"by": 1.0}, 0

    def rate(left: float) -> float:
        nonlocal asked
        asked += 1
        return 1e-3 * halved["by"] + 1e-5 * asked

    def make() -> gym.Env[Any, Any]:
        return Windy(gym.make("CartPole-v1"))

    envs: VecEnv = Counted(kind([make, make], **settings))
    network = {"net_arch": [8], "features_extractor_class": Drifting, "optimizer_class": Restless}
    arguments = {"n_steps": 32, "batch_size": 32, "n_epochs": 2, "policy_kwargs": network}
    model = Curious(TwoOptimizers, envs, learning_rate=rate, seed=1, device="cpu", **arguments)
    return model, [Once(halved)]


def in_one_process() -> tuple[Any, list[BaseCallback]]:
    return build(DummyVecEnv)


def in_workers() -> tuple[Any, list[BaseCallback]]:
    return build(Numbered, start_method="forkserver")
