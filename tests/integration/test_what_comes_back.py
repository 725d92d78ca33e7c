"""Things that programs do, run whole, and stopped and resumed by a program built anew: one outcome."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.sb3 import Checkpointer


class Doing(BaseCallback):
    """What it uses goes into the training; `told` is its outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        model: Any = self.model
        self.told.append(self.use(model))
        model.ent_coef = 0.01 * self.told[-1]

    def use(self, model: Any) -> float:
        raise NotImplementedError


class PopsStages(Doing):
    """Functions of one name; the first is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = deque([lambda: 1.0, lambda: 2.0, lambda: 3.0, lambda: 4.0, lambda: 5.0])

    def use(self, model: Any) -> float:
        return self.stages.popleft()()


def constant(value: float) -> Callable[[], float]:
    def stage() -> float:
        nonlocal value
        value += 0.5
        return value

    return stage


class ExchangesClosures(Doing):
    def __init__(self) -> None:
        super().__init__()
        self.stages = [constant(1.0), constant(2.0)]
        self.bound = deque([lambda i=i: float(i) for i in range(5)])
        self.now = self.stages[0]

    def use(self, model: Any) -> float:
        told, self.now = self.now(), self.stages[len(self.told) % 2]
        return told + self.bound.popleft()()


class MakesThemLazily(Doing):
    def __init__(self) -> None:
        super().__init__()
        self.sums: Any = None
        self.rate: Any = None

    def use(self, model: Any) -> float:
        if self.rate is None:
            start = float(self.num_timesteps)

            def again(left: float) -> float:
                return again(left - 1) + 1 if left > 1 else start

            self.sums, self.rate = defaultdict(lambda: 2.0), again
        self.sums["r"] += 1
        return self.sums["r"] + self.sums[str(len(self.told))] + 1e-3 * self.rate(3.0)


@dataclass(frozen=True)
class Task:
    name: str
    level: int


class CountsByTask(Doing):
    def __init__(self) -> None:
        super().__init__()
        self.rate = {Task("walk", 1): 0.1, Task("run", 2): 0.2}

    def use(self, model: Any) -> float:
        self.rate[Task("walk", 1)] += 0.1
        return sum(self.rate.values())


class HoldsAGroup(Doing):
    group: Any = None

    def _init_callback(self) -> None:
        self.group = self.model.policy.optimizer.param_groups[0]

    def use(self, model: Any) -> float:
        self.group["weight_decay"] += 0.1
        return float(model.policy.optimizer.param_groups[0]["weight_decay"])


class DrawsFromAll(Doing):
    def __init__(self) -> None:
        super().__init__()
        self.roll, self.legacy = partial(random.uniform, 0, 1), np.random.mtrand._rand

    def use(self, model: Any) -> float:
        return float(self.roll() + random.random() + self.legacy.normal() + np.random.normal())  # noqa: NPY002


class TrainsBeside(Doing):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net, self.memory = torch.nn.Linear(4, 1), torch.nn.GRU(4, 2)
        self.optimizer = torch.optim.Adam([*self.net.parameters(), *self.memory.parameters()], 0.1)
        self.rates = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.8)

    def use(self, model: Any) -> float:
        seen = torch.as_tensor(model.rollout_buffer.observations)
        error = (self.net(seen) - 1 + self.memory(seen)[0].mean()).pow(2).mean()
        self.optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.rates.step()
        return float(error.detach())


class SumsGradients(Doing):
    """Steps every fourth time, and reads the policy's."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = torch.nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1)

    def use(self, model: Any) -> float:
        norms = [float(p.grad.norm()) for p in model.policy.parameters() if p.grad is not None]
        seen = torch.as_tensor(model.rollout_buffer.observations)
        self.net(seen).mean().backward()
        if len(self.told) % 4 == 3:
            self.optimizer.step()
            self.optimizer.zero_grad()
        return sum(norms) + float(self.net.weight.detach().sum())


class LooksIntoWeights(Doing):
    def _init_callback(self) -> None:
        self.bias = self.model.policy.value_net.bias.data
        self.weight = self.model.policy.action_net.weight.detach().numpy()
        self.rows = np.zeros(4, np.float32)
        self.whole, self.tensor = torch.zeros(4), torch.from_numpy(self.rows)
        self.head = self.whole[:2]

    def use(self, model: Any) -> float:
        self.bias += 0.1
        self.head += 1
        self.rows += 1
        told = model.policy.value_net.bias.item() + self.whole.sum() + self.tensor.sum()
        return float(told) + float(np.linalg.norm(self.weight))


def ppo(**policy: Any) -> PPO:
    policy = {"net_arch": [8], **policy}
    env = gym.make("CartPole-v1")
    return PPO(
        "MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=1, policy_kwargs=policy
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", Doing.__subclasses__())
def test_what_a_callback_does(kind: type[Doing], tmp_path: Path) -> None:
    def run(*others: BaseCallback) -> list[float]:
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002
        doing = kind()
        ppo().learn(160, callback=[doing, *others])
        return doing.told

    whole = run(Checkpointer(tmp_path, 32))
    checkpoint = list_checkpoints(tmp_path)[1]

    assert read_checkpoint(checkpoint).manifest["exact"] is True
    assert run(Checkpointer(tmp_path / "again", resume_from=checkpoint)) == whole
    assert len(set(whole)) > 1


class Counts(BaseFeaturesExtractor):
    """Tells what is no tensor as torch wants it told."""

    def __init__(self, space: gym.Space[Any]) -> None:
        super().__init__(space, 4)
        self.seen = 0

    def forward(self, obs: torch.Tensor) -> torch.Tensor:
        self.seen += 1
        return obs * (1 + 0.01 * self.seen)

    def get_extra_state(self) -> Any:
        return {"seen": self.seen}

    def set_extra_state(self, state: Any) -> None:
        self.seen = state["seen"]


class Precise(torch.optim.Optimizer):
    """Keeps sums of another type than the weights'."""

    def __init__(self, params: Any, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for weight in self.param_groups[0]["params"]:
            kept = self.state[weight]
            if not kept:
                kept["sum"] = torch.zeros_like(weight, dtype=torch.float64)
                kept["seen"] = torch.zeros_like(weight, dtype=torch.bool)
            kept["sum"] += weight.grad.double() ** 2
            kept["seen"] |= weight.grad > 0
            weight -= (1e-2 * weight.grad / (kept["sum"].sqrt() + 1e-8) * kept["seen"]).float()


@pytest.mark.slow
@pytest.mark.parametrize(
    "policy",
    [
        {"features_extractor_class": Counts},
        {"optimizer_class": Precise, "optimizer_kwargs": {}},
    ],
    ids=["extra state", "types of an optimizer"],
)
def test_what_a_network_or_its_optimizer_keeps(policy: Any, tmp_path: Path) -> None:
    whole, again = ppo(**policy), ppo(**policy)
    whole.learn(160, callback=Checkpointer(tmp_path, 32))
    checkpoint = list_checkpoints(tmp_path)[1]
    again.learn(160, callback=Checkpointer(tmp_path / "again", resume_from=checkpoint))

    def bits(model: PPO) -> list[bytes]:
        return [x.detach().numpy().tobytes() for x in model.policy.parameters()]

    assert read_checkpoint(checkpoint).manifest["exact"] is True
    assert bits(again) == bits(whole)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dummy", "subproc"])
def test_what_stands_in_the_main_module(kind: str, tmp_path: Path) -> None:
    def run(*arguments: Path) -> Any:
        command = [sys.executable, "-m", "tests.support.main_program", kind, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    whole = run(tmp_path)
    checkpoint = list_checkpoints(tmp_path)[2]
    again = run(tmp_path / "again", checkpoint)

    assert read_checkpoint(checkpoint).manifest["exact"] is True
    assert (whole[0], whole[3]) == (5, [0.5, 0.25, 0.125, 1.0, 3.0, 2.0])
    assert again == whole
