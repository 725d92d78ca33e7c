"""One evaluation of one policy, a step at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, is_vecenv_wrapped

from trackway.frameworks.sb3.frozen_policy import FrozenPolicy


@dataclass(frozen=True)
class EvaluatedEpisode:
    """What is known of a finished episode; None and {} where the environment does not say."""

    episode_return: float
    episode_length: int
    is_success: bool | None
    termination_reason: str
    reward_components: dict[str, float] = field(default_factory=dict)
    stability: dict[str, float] = field(default_factory=dict)


class Evaluation:
    """Plays the first episodes of every environment with a deterministic policy.

    Each environment owes a fixed number of episodes from its reset on, so short episodes are
    not counted more often than long ones (as in SB3's `evaluate_policy`). Where there are more
    environments than episodes asked for, each plays one: they are simulated anyway.

    Attributes:
        episodes: Those finished and owed, in the order in which they ended.
    """

    def __init__(
        self,
        policy: FrozenPolicy,
        env: VecEnv,
        num_episodes: int,
        observe: Callable[[bool], None],
    ) -> None:
        """Prepare; the first `advance` resets the environment.

        Args:
            policy: Must not change until the evaluation is over.
            env: Stepped by nobody else.
            num_episodes: How many to play, at least.
            observe: Called after the reset and each step with whether environment 0's episode
                has just ended (its state is then the next episode's first).
        """
        self._policy, self._env, self._observe = policy, env, observe
        num_envs = env.num_envs
        total = max(num_episodes, num_envs)
        self._owed = np.array([(total + i) // num_envs for i in range(num_envs)])
        self._monitored = is_vecenv_wrapped(env, VecMonitor) or env.env_is_wrapped(Monitor)[0]
        self._obs: Any = None
        self._state: tuple[np.ndarray, ...] | None = None
        self._starts = np.ones(num_envs, dtype=bool)
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, dtype=int)
        self.episodes: list[EvaluatedEpisode] = []

    def advance(self) -> bool:
        """Step every environment once (or reset them); True when all episodes are played."""
        if self._obs is None:
            self._obs = self._env.reset()
            self._observe(False)
            return False
        actions, self._state = self._policy.predict(self._obs, self._state, self._starts)
        self._obs, rewards, dones, infos = self._env.step(actions)
        self._returns += rewards
        self._lengths += 1
        self._starts = dones.copy()
        for i in np.flatnonzero(dones).tolist():
            self._end_episode(i, infos[i])
        self._observe(bool(dones[0]))
        return not self._owed.any()

    def _end_episode(self, i: int, info: dict[str, Any]) -> None:
        monitor = info.get("episode")
        if self._monitored and monitor is None:
            return  # a lost life, not an end: Monitor's word counts, as in evaluate_policy
        if self._owed[i] > 0:
            self._owed[i] -= 1
            # Monitor sees the reward before any wrapper changes it.
            total = float(monitor["r"]) if monitor is not None else float(self._returns[i])
            steps = int(monitor["l"]) if monitor is not None else int(self._lengths[i])
            self.episodes.append(_episode(total, steps, info))
        self._returns[i], self._lengths[i] = 0.0, 0


def _episode(total: float, steps: int, info: dict[str, Any]) -> EvaluatedEpisode:
    success = info.get("is_success")
    ended = "truncated" if info.get("TimeLimit.truncated", False) else "terminated"
    components = info.get("reward_components", {})
    detail = info.get("detailed_info", {}).get("stability_metrics", {})
    return EvaluatedEpisode(
        episode_return=total,
        episode_length=steps,
        is_success=None if success is None else bool(success),
        termination_reason=str(info.get("termination_reason", ended)),
        reward_components={name: float(value) for name, value in components.items()},
        stability={name: float(value) for name, value in detail.items() if np.ndim(value) == 0},
    )
