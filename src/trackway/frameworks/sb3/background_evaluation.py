"""Evaluations beside a training, in slices of its steps and within a share of its time."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from trackway.frameworks.sb3.evaluation import EvaluatedEpisode, Evaluation
from trackway.frameworks.sb3.frozen_policy import FrozenPolicy
from trackway.frameworks.sb3.own_randomness import OwnRandomness
from trackway.frameworks.sb3.side_environment import (
    copy_rand_power,
    side_environment,
    sync_normalization,
)
from trackway.frameworks.sb3.time_budget import TimeBudget

_log = logging.getLogger(__name__)

# However much is allowed, training is never held up longer than this at one step (s).
_SLICE_S = 0.01
# Less than this is saved up: resuming an evaluation costs something each time (s).
_LEAST_SLICE_S = 0.005
# What freezing a policy and keeping its model may take at once (s).
_TO_BEGIN_S = 0.015


@dataclass(frozen=True)
class EvaluationResult:
    """Episodes of the policy as it was at `timestep`."""

    timestep: int
    episodes: tuple[EvaluatedEpisode, ...]
    rand_power: float | None


class EvaluationListener(Protocol):
    """Who asked for evaluations. All three are called on the training thread, on the budget."""

    def evaluation_begins(self, env: VecEnv) -> None:
        """The policy is frozen now; `env` is about to be reset."""

    def evaluation_observed(self, episode_ended: bool) -> None:
        """Environment 0 has been reset or stepped."""

    def evaluation_ends(self, result: EvaluationResult) -> None:
        """All episodes are played."""


class BackgroundEvaluation:
    """Evaluates whenever a multiple of `every` timesteps is reached, as time allows.

        timestep      0 ──── every ────────── 2·every ── 3·every ─────────
        falls due             │                  │          │
        evaluation            ├─ ─ ── ─ ─ ─ ─ ─ ─│─ ── ─ ── │ ┤├─ ─ ── ─
                              │                waits     merged └ of the policy of this moment
                              └ of the policy of this moment

    Attributes:
        merged: Evaluations that fell due while one was already waiting, and became one with it.
        failed: Evaluations given up because the environment or the listener failed.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any] | VecEnv,
        every: int,
        num_episodes: int,
        listener: EvaluationListener,
        budget: TimeBudget,
        *,
        use_curriculum: bool = False,
        called: str = "evaluation",
    ) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            env: Stepped by nobody else.
            every: Timesteps between evaluations.
            num_episodes: Of each.
            listener: Who is told of them.
            budget: The time that they may take.
            use_curriculum: Evaluate at the training's current `rand_power`.
            called: What they are to whoever reads of them: "evaluation", "video".
        """
        if every < 1 or num_episodes < 1:
            raise ValueError(
                f"an evaluation of {num_episodes} episodes every {every} timesteps:"
                " both must be at least 1"
            )
        self._raw_env, self._every, self._num_episodes = env, every, num_episodes
        self._listener, self.budget, self._use_curriculum = listener, budget, use_curriculum
        self._called = called
        self._model: BaseAlgorithm | None = None
        self._env: VecEnv | None = None
        self._policy: FrozenPolicy | None = None
        self._randomness = OwnRandomness(seed=0)
        self._running: Evaluation | None = None
        self._waiting = False
        self._timestep = self._began_at = self._next_due = 0
        self._rand_power: float | None = None
        self.merged = self.failed = 0

    def start(self, model: BaseAlgorithm) -> None:
        """Training begins (or goes on) with this model."""
        if model is not self._model:
            self._model, self._env, self._policy = model, None, None
            # Now, while nobody waits; what fails here fails again, and is told, when it is due.
            with contextlib.suppress(Exception), self._randomness.installed():
                self._prepare(model)
        self._running, self._waiting = None, False
        self._timestep = model.num_timesteps
        self._next_due = (self._timestep // self._every + 1) * self._every
        self.budget.start()

    def state_dict(self) -> dict[str, Any]:
        """What is due; one that runs is begun anew by whoever goes on from here."""
        return {"next_due": self._next_due, "due": self._waiting or self._running is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state, within a training."""
        self._next_due, self._waiting = state["next_due"], state["due"]

    def on_step(self, timestep: int) -> None:
        """Take note of the time, and evaluate as much as the budget allows now."""
        self._timestep = timestep
        if timestep >= self._next_due:
            self._next_due = (timestep // self._every + 1) * self._every
            if self._waiting:
                self._merge()
            self._waiting = True
        if self._running is not None or self._waiting:
            allowance_s = self.budget.allowance_s()
            if allowance_s >= (_TO_BEGIN_S if self._running is None else _LEAST_SLICE_S):
                self._advance(min(allowance_s, _SLICE_S))

    def finish(self, within_s: float) -> bool:
        """Training is over: play what runs or waits to its end; False if the time was too short."""
        end_s = self.budget.clock.monotonic_s() + within_s
        while self._running is not None or self._waiting:
            left_s = end_s - self.budget.clock.monotonic_s()
            if left_s <= 0:
                _log.warning(
                    "The last %s was not over %.0f s after training; it is dropped.",
                    self._called,
                    within_s,
                )
                self._running, self._waiting = None, False
                return False
            self._advance(left_s)
        return True

    def _merge(self) -> None:
        self.merged += 1
        if self.merged == 1:
            _log.info(
                "Fewer %ss than asked for: they may take %.2g %% of the time.",
                self._called,
                100 * self.budget.share,
            )

    def _advance(self, slice_s: float) -> None:
        """Work for `slice_s` seconds at most, but for the last step's own length."""
        clock = self.budget.clock
        end_s = clock.monotonic_s() + slice_s
        with self.budget.spending(), self._randomness.installed():
            try:
                if self._running is None:
                    self._begin()
                while self._running is not None and clock.monotonic_s() < end_s:
                    if self._running.advance():
                        self._end(self._running)
            except Exception as error:  # noqa: BLE001  an environment may raise anything
                self._running = None
                self.failed += 1
                if self.failed == 1:
                    _log.warning("The %s failed (%s); training goes on.", self._called, error)

    def _prepare(self, model: BaseAlgorithm) -> tuple[VecEnv, FrozenPolicy]:
        self._env = self._env or side_environment(self._raw_env, model)
        self._policy = self._policy or FrozenPolicy(model)
        return self._env, self._policy

    def _begin(self) -> None:
        assert self._model is not None
        self._waiting = False
        env, policy = self._prepare(self._model)
        policy.freeze()
        sync_normalization(env, self._model)
        if self._use_curriculum:
            self._rand_power = copy_rand_power(env, self._model)
        self._began_at = self._timestep
        self._listener.evaluation_begins(env)
        observe = self._listener.evaluation_observed
        self._running = Evaluation(policy, env, self._num_episodes, observe)

    def _end(self, evaluation: Evaluation) -> None:
        self._running = None
        result = EvaluationResult(self._began_at, tuple(evaluation.episodes), self._rand_power)
        self._listener.evaluation_ends(result)
