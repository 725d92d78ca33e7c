"""A copy of a policy that stays as it was while training goes on."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.distributions import DiagGaussianDistribution
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy


class FrozenPolicy:
    """The policy of a model as it was at the last `freeze`.

    The copy is built anew and given the weights: `deepcopy` refuses policies in the middle of
    training, whose distributions hold tensors with a history. Building draws from the global
    random generators; call it where that disturbs nobody.
    """

    def __init__(self, model: BaseAlgorithm) -> None:
        self._source: BasePolicy = model.policy
        # What Stable-Baselines3 itself rebuilds a saved policy from.
        parameters = self._source._get_constructor_parameters()
        self._copy = type(self._source)(**parameters).to(self._source.device)
        self._copy.set_training_mode(False)
        self._spare_what_never_changes()
        self.freeze()

    def freeze(self) -> None:
        """Take over the weights of this moment."""
        self._copy.load_state_dict(self._source.state_dict())

    def _spare_what_never_changes(self) -> None:
        """Half of the time of a small network's `predict` goes into what it would find again."""
        copy: Any = self._copy
        copy.set_training_mode = _nothing  # it stays in evaluation mode
        kinds = type(copy), type(getattr(copy, "action_dist", None))
        if kinds == (ActorCriticPolicy, DiagGaussianDistribution):
            copy._predict = partial(_mean_action, copy)

    def predict(
        self, obs: Any, state: tuple[np.ndarray, ...] | None, episode_start: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Deterministic actions, [num_envs, …], and the state of a recurrent policy."""
        return self._copy.predict(obs, state, episode_start, deterministic=True)


def _mean_action(
    policy: ActorCriticPolicy, obs: torch.Tensor, deterministic: bool = True
) -> torch.Tensor:
    """What a Gaussian policy does deterministically, without making a distribution."""
    features: Any = policy.extract_features(obs, policy.pi_features_extractor)
    action: torch.Tensor = policy.action_net(policy.mlp_extractor.forward_actor(features))
    return action


def _nothing(_mode: bool) -> None:
    """Instead of `set_training_mode`."""
