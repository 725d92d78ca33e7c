"""The policy of a saved model, without unpickling: what another wrote must not run here.

A model's zip keeps its settings as pickles, beside them in words, and its weights as tensors. The words tell
which network of Stable-Baselines3 it is; `torch.load(weights_only=True)` reads the weights.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from gymnasium import Space
from numpy.typing import NDArray
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.save_util import load_from_zip_file
from stable_baselines3.sac.policies import SACPolicy
from stable_baselines3.td3.policies import TD3Policy

from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.errors import MismatchError

Array = NDArray[Any]
_POLICIES: Final = {kind.__name__: kind for kind in (ActorCriticPolicy, SACPolicy, TD3Policy)}
# As the class prints its own method and the settings print a class: no other words are understood.
_CLASS: Final = re.compile(r"<function (\w+)\.__init__ at ")
_ACTIVATION: Final = re.compile(r"<class 'torch\.nn\.modules\.activation\.(\w+)'>")
_EPSILON: Final = 1e-8


def load_policy(
    path: Path, observation_space: Space[Any], action_space: Space[Any], clip_obs: float = 10.0
) -> Callable[[Array], Array]:
    """A saved model's policy, deterministic: PPO, A2C, SAC or TD3 with `MlpPolicy`.

    Args:
        path: A model that Stable-Baselines3 or Trackway saved.
        observation_space: What it was trained with …
        action_space: … likewise; actions are clipped to it or scaled to it as the algorithm does.
        clip_obs: That of `VecNormalize`, where the checkpoint holds its statistics; they are applied.

    Returns:
        From an observation [*shape], or several [n, *shape], to actions of the same number.

    Raises:
        CheckpointError: It is no model, damaged, or only unpickling would tell what it is.
    """
    checkpoint = read_checkpoint(path)
    with zipfile.ZipFile(checkpoint.path) as archive:
        told = json.loads(archive.read("data"))
    kind = _kind_of(checkpoint, told.get("policy_class"))
    settings = _settings_of(checkpoint, told.get("policy_kwargs") or {})
    if told.get("use_sde"):
        settings["use_sde"] = True
    weights: Any = load_from_zip_file(checkpoint.path, load_data=False, device="cpu")[1]["policy"]
    try:
        policy = kind(observation_space, action_space, lambda _: 0.0, **settings)
        policy.load_state_dict(weights)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise MismatchError(checkpoint.path, str(error)) from error
    normalise = _normaliser(checkpoint, clip_obs)

    def act(obs: Array) -> Array:
        return policy.predict(normalise(obs), deterministic=True)[0]

    return act


def _kind_of(checkpoint: Checkpoint, told: Any) -> type[BasePolicy]:
    match = _CLASS.match(str(told.get("__init__"))) if isinstance(told, dict) else None
    kind = _POLICIES.get(match[1]) if match else None
    if kind is None or told.get("__module__") != kind.__module__:
        raise MismatchError(
            checkpoint.path,
            "its policy is none that could be built without unpickling: MlpPolicy of PPO, A2C, SAC, TD3",
        )
    return kind


def _settings_of(checkpoint: Checkpoint, told: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name, value in told.items():
        if name.startswith((":", "optimizer_")):
            continue  # the pickle and what it is of; what only learns
        match = _ACTIVATION.fullmatch(value) if isinstance(value, str) else None
        if match:
            value = getattr(torch.nn, match[1])
        elif isinstance(value, str):
            raise MismatchError(
                checkpoint.path,
                f"only unpickling would tell its policy's setting {name!r}: {value}",
            )
        settings[name] = value
    return settings


def _normaliser(checkpoint: Checkpoint, clip_obs: float) -> Callable[[Array], Array]:
    """What `VecNormalize.normalize_obs` does with the checkpoint's statistics; nothing without any."""
    statistics = checkpoint.arrays("vecnormalize.npz") or {}
    if "obs/mean" not in statistics:
        return lambda obs: obs
    mean, scale = statistics["obs/mean"], np.sqrt(statistics["obs/var"] + _EPSILON)

    def normalise(obs: Array) -> Array:
        normal: Array = np.clip((obs - mean) / scale, -clip_obs, clip_obs).astype(np.float32)
        return normal

    return normalise
