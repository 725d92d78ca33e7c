"""Environments beside the training's own: seen through the same glasses, at the same difficulty."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    VecEnv,
    VecNormalize,
    unwrap_vec_normalize,
)


def side_environment(env: gym.Env[Any, Any] | VecEnv, model: BaseAlgorithm) -> VecEnv:
    """`env` as a VecEnv in which `model`'s policy can act; normalised where the training's is.

    Raises:
        ValueError: It is the training environment itself, or its spaces do not fit.
    """
    training_env = model.get_env()
    if training_env is not None and any(env is part for part in _parts(training_env)):
        raise ValueError("it is the training environment itself; make a second one")
    side = env if isinstance(env, VecEnv) else DummyVecEnv([lambda: env])
    for kind in ("observation_space", "action_space"):
        theirs, ours = getattr(side, kind), getattr(model, kind)
        if theirs != ours:
            raise ValueError(f"its {kind} is {theirs}, the training's is {ours}")
    normalizer = model.get_vec_normalize_env()
    if normalizer is not None and unwrap_vec_normalize(side) is None:
        side = VecNormalize(
            side,
            norm_obs=normalizer.norm_obs,
            clip_obs=normalizer.clip_obs,
            epsilon=normalizer.epsilon,
            norm_obs_keys=normalizer.norm_obs_keys,
        )
    own = unwrap_vec_normalize(side)
    if own is not None:
        own.training, own.norm_reward = False, False
    return side


def _parts(env: VecEnv) -> list[Any]:
    return [env, env.unwrapped, *getattr(env.unwrapped, "envs", [])]


def sync_normalization(side: VecEnv, model: BaseAlgorithm) -> None:
    """Copy the training's running statistics, so that the policy sees what it was trained on."""
    ours, theirs = model.get_vec_normalize_env(), unwrap_vec_normalize(side)
    if ours is not None and theirs is not None:
        if ours.norm_obs:
            theirs.obs_rms = deepcopy(ours.obs_rms)
        theirs.ret_rms = deepcopy(ours.ret_rms)


def copy_rand_power(side: VecEnv, model: BaseAlgorithm) -> float | None:
    """Give `side` the training's mean `rand_power`; None where either has no such thing."""
    training_env = model.get_env()
    if training_env is None or not training_env.has_attr("rand_power"):
        return None
    if not side.has_attr("set_rand_power"):
        return None
    power = float(np.mean(training_env.get_attr("rand_power")))
    side.env_method("set_rand_power", power)
    return power
