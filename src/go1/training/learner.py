"""The learner: PPO, new, resumed or fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3 import PPO
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from go1.training.origin import Origin
from go1.training.settings import Settings, SettingsError
from trackway.frameworks.sb3.state import restore

_ACTIVATIONS: dict[str, type[torch.nn.Module]] = {
    "elu": torch.nn.ELU,
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
}


def make_learner(settings: Settings, envs: VecEnv, origin: Origin | None) -> PPO:
    """PPO as the settings describe it, with what `origin` brings.

    A model that `train.py` wrote is laid into a learner built afresh from its settings, without
    unpickling anything. Any other is loaded by Stable-Baselines3, with the network it brings. A
    checkpoint goes on where it was taken; a plain model starts at timestep 0.

    Raises:
        MismatchError: The model does not fit the robots.
        SettingsError: A setting makes no learner.
    """
    if origin is not None:
        origin.check_fits(envs)
    arguments = _ppo_arguments(settings)
    device = _checked_device(settings.train.device)
    try:
        if origin is None or origin.ours:
            network = _policy_arguments(settings.policy)
            learner = PPO("MlpPolicy", envs, device=device, policy_kwargs=network, **arguments)
        else:
            learner = PPO.load(origin.path, env=envs, device=device, **arguments)
        if origin is not None and origin.ours:
            learner.set_parameters(str(origin.path), device=device)
            learner._n_updates = origin.described.get("_n_updates", 0)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        if origin is not None:
            raise origin.mismatch(str(error)) from error
        raise SettingsError(f"these settings make no learner: {error}") from error
    if origin is None:
        return learner
    if origin.resumes:
        restore(learner, origin.checkpoint)
    else:
        learner.num_timesteps = 0
    return learner


def _checked_device(device: str) -> str:
    try:
        kind = device if device == "auto" else torch.device(device).type
    except RuntimeError:
        raise SettingsError(f"device is cpu, cuda, cuda:0 … or auto, not {device!r}") from None
    if kind == "cuda" and not torch.cuda.is_available():
        # Stable-Baselines3 would train on the processor and not say so.
        raise SettingsError(f"this machine has no CUDA for device {device!r}; leave --device out")
    return device


def _ppo_arguments(settings: Settings) -> dict[str, Any]:
    arguments = dict(settings.ppo)
    rate = arguments["learning_rate"]
    if isinstance(rate, (list, tuple)):
        start, end = rate
        # Stable-Baselines3's own class, so that plain PPO.load finds it anywhere.
        arguments["learning_rate"] = LinearSchedule(start, end, 1.0)
    return arguments | {"seed": settings.train.seed, "verbose": 0}


def _policy_arguments(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "net_arch": list(policy["net_arch"]),
        "activation_fn": _ACTIVATIONS[policy["activation"]],
        "log_std_init": policy["log_std_init"],
    }
