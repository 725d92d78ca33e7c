"""What the core remembers of its robots besides their simulations: arrays with a row per robot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from go1 import observation
from go1.block import Block
from go1.checks import check_rand_power
from go1.config import Go1Config
from go1.robot import NUM_JOINTS
from go1.task import WeightedTerms

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ids = NDArray[np.intp]

BALANCE_STEPS = 10
NO_IDS: Ids = np.empty(0, np.intp)
# New arrays after each step, or of the simulations.
_ANEW = ("obs", "finished", "diverged")


class RobotState:
    """The robots' actions, settings, and how their episodes go.

    Attributes:
        obs: What the policy sees, float32 [N, 50]; a new array after each step.
        reward: [N], of the latest action; `step_rewards` and `step_costs`, [N, terms], make it up
            (weighted; costs as what was subtracted).
        terminated: [N], the robot fell or its simulation diverged.
        truncated: [N], its time was up.
        finished: Ids of those, ascending.
        diverged: [N], its simulation became non-finite in the latest action.
        command: Ahead and sideways in m/s, turning in rad/s, [N, 3].
        action, last_action: As applied, noise included, [N, 12], and the one before.
        rand_power, action_noise: [N].
        gait_phase: Of the gait's clock, 0 to 1, [N].
        step_count: Actions since the episode began, [N]; a staggered first episode begins late.
        episode_length: The same, not counting what staggering skipped, [N].
        episode_return, episode_rewards, episode_costs: Sums over the episode: [N], [N, terms].
        episode_count, success_count: Finished episodes, and those that succeeded, [N].
        balance_history: The latest cosines of the tilt from the task's posture, newest last, NaN
            where the episode is younger, [N, 10].
        time_flipped_over: Seconds with the trunk's back down, [N].
        block: The memory of most of these.
    """

    def __init__(self, num_envs: int, config: Go1Config, terms: WeightedTerms) -> None:
        n = num_envs
        self.num_envs = num_envs
        self.terms = terms
        self.obs = np.zeros((n, observation.SIZE), np.float32)
        self.reward = np.zeros(n)
        self.terminated = np.zeros(n, bool)
        self.truncated = np.zeros(n, bool)
        self.diverged = np.zeros(n, bool)
        self.finished = NO_IDS
        self.command = np.zeros((n, 3))
        self.action = np.zeros((n, NUM_JOINTS))
        self.last_action = np.zeros((n, NUM_JOINTS))
        self.rand_power = np.full(n, config.rand_power)
        self.action_noise = np.full(n, config.action_noise)
        self.gait_phase = np.zeros(n)
        # In one matrix: a recorder copies them as one.
        rewards, costs = len(terms.reward_weights), len(terms.cost_weights)
        self._step_terms = np.zeros((n, rewards + costs))
        self.step_count = np.zeros(n, np.int64)
        self.episode_length = np.zeros(n, np.int64)
        self.episode_return = np.zeros(n)
        self.episode_rewards = np.zeros((n, rewards))
        self.episode_costs = np.zeros((n, costs))
        self.episode_count = np.zeros(n, np.int64)
        self.success_count = np.zeros(n, np.int64)
        self.balance_history = np.full((n, BALANCE_STEPS), np.nan)
        self.time_flipped_over = np.zeros(n)
        self._velocity_sum = np.zeros((n, 2))
        self._front_foot_touched = np.zeros(n, bool)
        arrays = [name for name, x in vars(self).items() if isinstance(x, np.ndarray)]
        self.block = Block(self, [name for name in arrays if name not in _ANEW])
        self.step_rewards = self._step_terms[:, :rewards]
        self.step_costs = self._step_terms[:, rewards:]

    def termination_reason(self, robot: int) -> str | None:
        """Why the robot's episode has ended: "diverged", "fell", "time_limit"; None if it goes on."""
        if self.diverged[robot]:
            return "diverged"
        if self.terminated[robot]:
            return "fell"
        return "time_limit" if self.truncated[robot] else None

    def reward_sums(self, robot: int) -> dict[str, float]:
        """What each reward added in the robot's episode so far, by name."""
        sums = self.episode_rewards[robot].tolist()
        return dict(zip(self.terms.reward_weights, sums, strict=True))

    def cost_sums(self, robot: int) -> dict[str, float]:
        """What each cost subtracted in the robot's episode so far, as positive numbers, by name."""
        sums = self.episode_costs[robot].tolist()
        return dict(zip(self.terms.cost_weights, sums, strict=True))

    def set_rand_power(self, value: float, ids: Ids | None = None) -> None:
        """Set how much randomisation applies; pushes follow at once, the rest at the next start."""
        check_rand_power(value)
        self.rand_power[slice(None) if ids is None else ids] = value

    def _forget_everything(self) -> None:
        self.obs = np.zeros_like(self.obs)
        self.finished = NO_IDS
        for flags in (self.terminated, self.truncated, self.diverged):
            flags[:] = False
        for counts in (self.reward, self.episode_count, self.success_count):
            counts[:] = 0

    def _begin_episodes(self, ids: Ids) -> None:
        for array in (
            self.action,
            self.last_action,
            self.step_count,
            self.episode_length,
            self.episode_return,
            self.episode_rewards,
            self.episode_costs,
            self.time_flipped_over,
            self._velocity_sum,
            self._front_foot_touched,
        ):
            array[ids] = 0
        self.balance_history[ids] = np.nan

    def _add_step(self) -> None:
        """Make `reward` of its terms, and add the latest action to the episodes."""
        if self.diverged.any():
            self.step_rewards[self.diverged] = 0.0
            self.step_costs[self.diverged] = 0.0
        np.sum(self.step_rewards, axis=1, out=self.reward)
        self.reward -= self.step_costs.sum(axis=1)
        self.step_count += 1
        self.episode_length += 1
        self.episode_return += self.reward
        self.episode_rewards += self.step_rewards
        self.episode_costs += self.step_costs

    def _add_balance(self, up_z: Floats) -> None:
        self.balance_history[:, :-1] = self.balance_history[:, 1:]
        self.balance_history[:, -1] = up_z
