"""A model that is taken apart and put together without torch is the model."""

from __future__ import annotations

import io
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.save_util import load_from_zip_file

from trackway.checkpoint.torch_file import model_zip
from trackway.format.message import decode, encode
from trackway.frameworks.sb3.model_parts import ModelParts

KINDS = [
    (PPO, "Pendulum-v1"),
    (A2C, "CartPole-v1"),
    (SAC, "Pendulum-v1"),
    (TD3, "Pendulum-v1"),
    (DQN, "CartPole-v1"),
]


def trained(kind: Any, name: str) -> Any:
    fast = {"n_steps": 64} if kind in (PPO, A2C) else {"learning_starts": 20, "buffer_size": 100}
    model = kind(
        "MlpPolicy", gym.make(name), seed=0, device="cpu", policy_kwargs={"net_arch": [8]}, **fast
    )
    return model.learn(128)


@pytest.mark.parametrize(("kind", "name"), KINDS)
def test_it_loads_as_what_was_saved(kind: Any, name: str) -> None:
    model = trained(kind, name)
    own = io.BytesIO(model_zip(*ModelParts(model).take()[:2]))
    theirs = io.BytesIO()
    model.save(theirs)

    loaded = kind.load(own, device="cpu")
    assert loaded.num_timesteps == model.num_timesteps
    own.seek(0)
    theirs.seek(0)
    _, params, variables = load_from_zip_file(own, device="cpu")
    _, expected, expected_variables = load_from_zip_file(theirs, device="cpu")
    assert same(params, expected)
    assert same(variables, expected_variables)


def test_numbers_and_weights_are_those_of_the_moment() -> None:
    model = trained(PPO, "Pendulum-v1")
    parts = ModelParts(model)
    _, memory, done = parts.take()
    done()
    model.learn(64, reset_num_timesteps=False)
    second, again, _ = parts.take()

    assert again is memory
    loaded = PPO.load(io.BytesIO(model_zip(second, again)), device="cpu")
    assert loaded.num_timesteps == model.num_timesteps
    assert loaded._n_updates == model._n_updates
    assert same(loaded.get_parameters(), model.get_parameters())


def test_numbers_that_numpy_or_torch_made_are_numbers_and_what_is_none_stays_as_it_was() -> None:
    model: Any = PPO("MlpPolicy", "Pendulum-v1", device="cpu", policy_kwargs={"net_arch": [8]})
    parts = ModelParts(model)
    model.ent_coef, model.vf_coef = np.float64(0.25), torch.tensor(0.5)
    model.gamma = lambda: 0.9
    model.policy.optimizer.param_groups[0]["eps"] = np.float32(0.125)
    content, memory, _ = parts.take()
    message = decode(encode(0, {"model": content}))[1]

    loaded = PPO.load(io.BytesIO(model_zip(message["model"], memory)), device="cpu")
    assert (loaded.ent_coef, loaded.vf_coef, loaded.gamma) == (0.25, 0.5, 0.99)
    assert loaded.policy.optimizer.param_groups[0]["eps"] == 0.125


@pytest.mark.parametrize("changed", ["shape", "memory", "learns"])
def test_a_model_whose_tensors_are_other_ones_is_copied_as_it_is_now(changed: str) -> None:
    model = PPO("MlpPolicy", gym.make("Pendulum-v1"), device="cpu", policy_kwargs={"net_arch": [8]})
    parts = ModelParts(model)
    parts.take()[2]()
    layer = model.policy.value_net
    if changed == "shape":
        layer.bias = torch.nn.Parameter(torch.arange(3.0))
    elif changed == "memory":
        layer.bias.data = torch.full_like(layer.bias, 7.0)
    else:
        layer.bias.requires_grad_(False)
    content, memory, _ = parts.take()

    _, params, _ = load_from_zip_file(io.BytesIO(model_zip(content, memory)), device="cpu")
    assert same(params, model.get_parameters())


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor):
        return (
            a.dtype == b.dtype
            and a.requires_grad == b.requires_grad
            and bool(np.array_equal(a.detach().numpy(), b.detach().numpy()))
        )
    return bool(a == b)
