"""A copy of a policy that stays as it was while training goes on."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy


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
        self.freeze()

    def freeze(self) -> None:
        """Take over the weights of this moment."""
        self._copy.load_state_dict(self._source.state_dict())

    def predict(
        self, obs: Any, state: tuple[np.ndarray, ...] | None, episode_start: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Deterministic actions, [num_envs, …], and the state of a recurrent policy."""
        return self._copy.predict(obs, state, episode_start, deterministic=True)
