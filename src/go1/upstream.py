"""Parity mode: the public environment nimazareian/quadruped-rl-locomotion, reproduced.

A policy trained there runs here unchanged. What it saw and was paid for is kept, including what
looks like an oversight:

- the observation that `step(a_t)` returns carries the action before, a_{t-1};
- its "projected gravity" is not gravity's direction but -sign(yaw) · e / |e|, e = (roll, pitch,
  yaw), and 0 where yaw is exactly 0;
- after a reset velocities are 0, the quaternion is noisy and not normalised, and MuJoCo's forward
  pass has not run;
- "roll" and "pitch" of the healthy ranges are the quaternion's x and y;
- under torque control the joint limit cost compares angles with 90 % of the *torque* range [-1, 1].

The reward is max(0, rewards - costs); the component `floor_at_zero` is what the max added, so that
components sum to the return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from go1.checks import check_rand_power
from go1.config import Go1Config
from go1.model import build_model, render_model
from go1.motion import Motion
from go1.one_simulation import OneSimulation
from go1.presets import preset
from go1.randomization import DomainRandomization
from go1.robot import LEG_NAMES
from go1.rotation import euler_from_quat
from go1.spaces import Interface

Floats = NDArray[np.float64]
Ids = NDArray[np.intp]

MAX_EPISODE_TIME_SEC = 15.0
SIGMA = 0.25
SOFT_RANGE = 0.9
RESET_NOISE_SCALE = 0.1
CLIP_OBS = 100.0
BALANCE_STEPS = 10
COMMAND = (0.5, 0.0, 0.0)
OBS_SCALE = {
    "linear_velocity": 2.0,
    "angular_velocity": 0.25,
    "dofs_position": 1.0,
    "dofs_velocity": 0.05,
}
REWARD_WEIGHTS = {
    "linear_vel_tracking": 2.0,
    "angular_vel_tracking": 1.0,
    "feet_airtime": 1.0,
    "floor_at_zero": 1.0,
}
COST_WEIGHTS = {
    "torque": 2e-4,
    "vertical_vel": 2.0,
    "xy_angular_vel": 0.05,
    "action_rate": 0.01,
    "joint_limit": 10.0,
    "joint_acceleration": 2.5e-7,
    "orientation": 1.0,
    "default_joint_position": 0.1,
}


_THE_ROBOT: Ids = np.zeros(1, np.intp)
_NO_IDS: Ids = np.empty(0, np.intp)


@dataclass(frozen=True)
class UpstreamTask:
    """Start and limits; roll and pitch ranges bound the quaternion's x and y, see above."""

    joints: tuple[float, ...]
    healthy_z_range: tuple[float, float] = (0.22, 0.65)
    healthy_pitch_range: tuple[float, float] = (-np.deg2rad(10), np.deg2rad(10))
    healthy_roll_range: tuple[float, float] = (-np.deg2rad(10), np.deg2rad(10))


@dataclass(frozen=True)
class UpstreamTerms:
    reward_weights: dict[str, float]
    cost_weights: dict[str, float]


class UpstreamCore:
    """One robot as the public environment has it, in the arrays of `go1.core.Go1Core` with N = 1.

    `obs` is float64 [1, 48]: world linear velocity times 2, body angular velocity times .25,
    "projected gravity", command times 2, joint angles relative to the keyframe, joint velocities
    times .05, the action before.
    """

    num_envs = 1

    def __init__(self, config: Go1Config) -> None:
        self.config = config
        self._sim = OneSimulation(build_model(config.ctrl_type, "upstream"))
        self.model = model = self._sim.model
        self.data = self._sim.data
        self.task = UpstreamTask(joints=preset(config.ctrl_type, "upstream").home_joints)
        self.terms = UpstreamTerms(REWARD_WEIGHTS, COST_WEIGHTS)
        self.dt = config.dt
        self.frame_skip = config.substeps
        self.max_steps = int(np.ceil(config.max_episode_time_sec / self.dt))
        self.rng = np.random.default_rng()

        self.qpos, self.qvel = self._sim.bind("qpos"), self._sim.bind("qvel")
        self.motion = Motion(self._sim, self.dt)
        self.randomization = DomainRandomization(self._sim, config)
        self._randomized = False
        self._home: Floats = model.key_qpos[0].copy()
        self._home_ctrl: Floats = model.key_ctrl[0].copy()
        low, high = model.actuator_ctrlrange.T
        margin = 0.5 * (1 - SOFT_RANGE) * (high - low)
        self._soft_low, self._soft_high = low + margin, high - margin
        self._calves = [model.body(f"{leg}_calf").id for leg in LEG_NAMES]
        bounds = model.actuator_ctrlrange.astype(np.float32)
        self.interface = Interface(
            observation_space=gym.spaces.Box(-np.inf, np.inf, (48,), np.float64),
            action_space=gym.spaces.Box(bounds[:, 0], bounds[:, 1], dtype=np.float32),
            obs_scale=OBS_SCALE,
            clip_obs_threshold=CLIP_OBS,
            tracking_velocity_sigma=SIGMA,
            command_low=COMMAND,
            command_high=COMMAND,
            reset_noise_scale=RESET_NOISE_SCALE,
        )

        self.obs = np.zeros((1, 48))
        self.reward = np.zeros(1)
        self.terminated = np.zeros(1, bool)
        self.truncated = np.zeros(1, bool)
        self.finished = _NO_IDS
        self.command = np.array([COMMAND])
        self.action = np.zeros((1, 12))
        self.rand_power = np.array([config.rand_power])
        self.action_noise = np.array([config.action_noise])
        self.step_count = np.zeros(1, np.int64)
        self.episode_return = np.zeros(1)
        self.step_rewards = np.zeros((1, len(REWARD_WEIGHTS)))
        self.step_costs = np.zeros((1, len(COST_WEIGHTS)))
        self.episode_rewards = np.zeros_like(self.step_rewards)
        self.episode_costs = np.zeros_like(self.step_costs)
        self.episode_count = np.zeros(1, np.int64)
        self.success_count = np.zeros(1, np.int64)
        self.balance_history = np.full((1, BALANCE_STEPS), np.nan)
        self.time_flipped_over = np.zeros(1)
        self._air_time = np.zeros(4)
        self._contacts = np.zeros(4, bool)

    # -- the loop ---------------------------------------------------------------------------

    def restart_finished(self) -> None:
        """Count the episode, if it has ended, and begin a new one."""
        if len(self.finished):
            self.episode_count += 1
            self.success_count += self.succeeded(self.finished)
            self.restart(self.finished)

    def restart(self, _ids: Ids) -> None:
        """Begin an episode: the keyframe with noise on all 19 of qpos, no velocity."""
        data, rng, noise = self.data, self.rng, RESET_NOISE_SCALE
        mujoco.mj_resetData(self.model, data)
        data.qpos[:] = self._home + rng.uniform(-noise, noise, self.model.nq)
        data.ctrl[:] = self._home_ctrl + noise * rng.standard_normal(self.model.nu)
        # Draws nothing until it is wanted, so that the seeds of the public environment hold.
        if self.rand_power[0] > 0 or self._randomized:
            self._randomized = True
            self.randomization.restart(_THE_ROBOT, self.rand_power, rng)
        self.command[:] = COMMAND
        self.action = np.zeros((1, 12))
        for array in (
            self.reward,
            self.terminated,
            self.truncated,
            self.step_count,
            self.episode_return,
            self.step_rewards,
            self.step_costs,
            self.episode_rewards,
            self.episode_costs,
            self.time_flipped_over,
            self._air_time,
            self._contacts,
        ):
            array[:] = 0
        self.balance_history[:] = np.nan
        self.finished = _NO_IDS
        self.motion.restart(_THE_ROBOT)
        self._observe()

    def advance(self, actions: NDArray[np.floating]) -> None:
        """Apply one action, [1, 12]: joint targets in rad, or torques as fractions of the gear."""
        # a copy of the action's own type: the public action rate is a float32 difference
        action = np.array(actions)
        if self.action_noise[0]:
            action = action + self.action_noise[0] * self.rng.standard_normal((1, 12))
        self.randomization.push(self.qvel, self.rand_power, self.dt, self.rng)
        self.data.ctrl[:] = action[0]
        mujoco.mj_step(self.model, self.data, nstep=self.frame_skip)
        mujoco.mj_rnePostConstraint(self.model, self.data)
        self.motion.update()
        self.step_count += 1
        self._observe()
        self._score(action)
        self.terminated[:] = ~self.is_healthy
        self.truncated[:] = self.step_count >= self.max_steps
        self.finished = np.flatnonzero(self.terminated | self.truncated)
        self.action = action

        self.time_flipped_over += self.dt * self.is_flipped_over
        self.balance_history[:, :-1] = self.balance_history[:, 1:]
        self.balance_history[:, -1] = self.up_z

    # -- what happened ----------------------------------------------------------------------

    def succeeded(self, _ids: Ids) -> NDArray[np.bool_]:
        """Whether the episode, if it ended now, was a success: healthy until its time was up."""
        return self.truncated & ~self.terminated

    def termination_reason(self, _robot: int = 0) -> str | None:
        """Why the episode has ended, None if it goes on.

        "diverged" (not finite), "fell" (too low), "jumped" (too high), "tilted", "time_limit".
        """
        if not self.terminated[0]:
            return "time_limit" if self.truncated[0] else None
        low, high = self.task.healthy_z_range
        height = self.qpos[0, 2]
        if not self._finite:
            return "diverged"
        if height < low:
            return "fell"
        return "jumped" if height > high else "tilted"

    def reward_sums(self, _robot: int = 0) -> dict[str, float]:
        """Rewards of the episode so far, by term."""
        return dict(zip(REWARD_WEIGHTS, self.episode_rewards[0].tolist(), strict=True))

    def cost_sums(self, _robot: int = 0) -> dict[str, float]:
        """Costs of the episode so far, by term."""
        return dict(zip(COST_WEIGHTS, self.episode_costs[0].tolist(), strict=True))

    def public_info(self) -> dict[str, float]:
        """The keys that the public environment's info has beside the position."""
        return {
            "linear_vel_tracking_reward": float(self.step_rewards[0, 0]),
            "reward_ctrl": -float(self.step_costs[0, 0]),
            "reward_survive": 0.0,
        }

    @property
    def episode_length(self) -> NDArray[np.int64]:
        return self.step_count

    @property
    def time(self) -> Floats:
        """Seconds since the episode began, [1]."""
        return np.array([self.data.time])

    @property
    def up_z(self) -> Floats:
        return self.motion.up[:, 2]

    @property
    def is_healthy(self) -> NDArray[np.bool_]:
        task, state = self.task, self.qpos[0]
        bounded = (
            (state[2], task.healthy_z_range),
            (state[4], task.healthy_roll_range),
            (state[5], task.healthy_pitch_range),
        )
        return np.array([self._finite and all(low <= v <= high for v, (low, high) in bounded)])

    @property
    def is_flipped_over(self) -> NDArray[np.bool_]:
        return self.motion.up[:, 2] < 0

    @property
    def _finite(self) -> bool:
        return bool(np.isfinite(self.qpos).all() and np.isfinite(self.qvel).all())

    def set_rand_power(self, value: float) -> None:
        """Set how much randomisation applies; 0, as in the public environment, is none."""
        check_rand_power(value)
        self.rand_power[:] = value

    def render_model(self) -> mujoco.MjModel:
        """The same robot with shapes to look at."""
        return render_model(self.config.ctrl_type, "upstream")

    # -- the public formulas ----------------------------------------------------------------

    @property
    def projected_gravity(self) -> Floats:
        """What the public environment calls so, [3]."""
        euler = euler_from_quat(self.data.qpos[3:7])
        gravity: Floats = (self.model.opt.gravity @ euler) * euler
        norm = np.linalg.norm(gravity)
        return gravity / norm if norm > 0 else gravity

    def _observe(self) -> None:
        qpos, qvel = self.data.qpos, self.data.qvel
        values = (
            qvel[:3] * OBS_SCALE["linear_velocity"],
            qvel[3:6] * OBS_SCALE["angular_velocity"],
            self.projected_gravity,
            self.command[0] * OBS_SCALE["linear_velocity"],
            (qpos[7:] - self._home[7:]) * OBS_SCALE["dofs_position"],
            qvel[6:] * OBS_SCALE["dofs_velocity"],
            self.action[0],
        )
        self.obs = np.concatenate(values).clip(-CLIP_OBS, CLIP_OBS)[None]

    def _score(self, action: NDArray[np.floating]) -> None:
        data, command = self.data, self.command[0]
        joints = data.qpos[7:]
        excess = (self._soft_low - joints).clip(min=0) + (joints - self._soft_high).clip(min=0)
        rewards = {
            "linear_vel_tracking": np.exp(-_sum_squares(command[:2] - data.qvel[:2]) / SIGMA),
            "angular_vel_tracking": np.exp(-np.square(command[2] - data.qvel[5]) / SIGMA),
            "feet_airtime": self._air_time_reward(),
            "floor_at_zero": 0.0,
        }
        costs = {
            "torque": _sum_squares(data.qfrc_actuator[6:]),
            "vertical_vel": np.square(data.qvel[2]),
            "xy_angular_vel": _sum_squares(data.qvel[3:5]),
            "action_rate": _sum_squares(self.action[0] - action[0]),
            "joint_limit": excess.sum(),
            "joint_acceleration": _sum_squares(data.qacc[6:]),
            "orientation": _sum_squares(self.projected_gravity[:2]),
            "default_joint_position": _sum_squares(joints - self._home_ctrl),
        }
        gained = [value * REWARD_WEIGHTS[name] for name, value in rewards.items()]
        paid = [value * COST_WEIGHTS[name] for name, value in costs.items()]
        net = sum(gained) - sum(paid)
        gained[-1] = max(0.0, -net)
        self.reward[:] = max(0.0, net)
        self.step_rewards[:] = gained
        self.step_costs[:] = paid
        self.episode_return += self.reward
        self.episode_rewards += self.step_rewards
        self.episode_costs += self.step_costs

    def _air_time_reward(self) -> float:
        """Strides longer than a second earn, shorter ones cost, when the foot comes down."""
        contacts = np.linalg.norm(self.data.cfrc_ext[self._calves], axis=1) > 1.0
        touching = contacts | self._contacts
        self._contacts[:] = contacts
        landing = (self._air_time > 0) & touching
        self._air_time += self.dt
        earned = float(np.sum((self._air_time - 1.0) * landing))
        self._air_time[touching] = 0.0
        return earned if np.linalg.norm(self.command[0, :2]) > 0.1 else 0.0


def _sum_squares(x: NDArray[np.floating]) -> Any:
    return np.sum(np.square(x))
