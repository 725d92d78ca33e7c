"""The batched Go1: N robots, each in its own simulation, all state in arrays with a row per robot.

    actions ─▶ noise, pushes ─▶ physics ─▶ motion ─▶ terms ─▶ done? ─▶ observation
               └───────────────────── advance ─────────────────────┘      │
                        obs ◀── restart of those that are done ◀───────────┘

Everything random comes from one generator, everything mutable is a named array: the same seed and
actions give the same bits, whatever the number of threads.
"""

from __future__ import annotations

import os

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

from go1 import gait, observation
from go1.biped import BIPED
from go1.config import Go1Config, check_rand_power
from go1.model import build_model, render_model
from go1.motion import Motion, stability
from go1.randomization import DomainRandomization, draw_commands
from go1.task import Step, WeightedTerms
from go1.walking import WALKING

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ids = NDArray[np.intp]

START_UP_S = 1.0
"""Time after an episode's start that does not count for how well commands were followed."""
TRACKING_TOLERANCE = 0.2
"""Largest difference between mean velocity and command of a successful episode, m/s."""
BALANCE_STEPS = 10
MAX_ACTION = 3.0
_BAD_STATE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
    int(mujoco.mjtWarning.mjWARN_BADCTRL),
]
_NO_IDS: Ids = np.empty(0, np.intp)


class Go1Core:
    """N robots stepped together.

    `step` restarts robots whose episode has ended. Who wants to look at them first calls `advance`,
    reads `finished`, and then `restart_finished`, which is the same.

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
        step_count: Actions since the episode began, [N]; a staggered first episode begins late.
        episode_length: Actions since the episode began, not counting what staggering skipped, [N].
        episode_return, episode_rewards, episode_costs: Sums over the episode: [N], [N, terms].
        episode_count, success_count: Finished episodes, and those that succeeded, [N].
        balance_history: The latest values of the task's up_z, newest last, NaN where the episode is
            younger, [N, 10].
        time_flipped_over: Seconds with the trunk's back down, [N].
        motion: Velocities, feet, forces; see `go1.motion.Motion`.
    """

    def __init__(
        self, num_envs: int, config: Go1Config | None = None, *, num_threads: int | None = None
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; got {num_envs}")
        self.num_envs = num_envs
        self.config = config = config or Go1Config()
        self.task = BIPED if config.biped else WALKING
        self.dt = config.dt
        self.frame_skip = config.substeps
        self.max_steps = config.max_steps
        self.action_scale = config.action_scale or self.task.action_scale[config.ctrl_type]
        self.model = build_model(config.ctrl_type, config.physics)
        if num_threads is None:
            num_threads = min(num_envs, len(os.sched_getaffinity(0)))
        self._batch = Batch(self.model, num_envs, num_threads)
        self.qpos: Floats = self._batch.bind("qpos")
        self.qvel: Floats = self._batch.bind("qvel")
        self.ctrl: Floats = self._batch.bind("ctrl")
        self.time: Floats = self._batch.bind("time")
        self.motion = Motion(self._batch, self.dt)
        self.randomization = DomainRandomization(self._batch, config)
        self.terms = WeightedTerms(self.task, config.ctrl_type, config.reward_weights)
        self.rng = np.random.default_rng()

        n = num_envs
        self.obs = np.zeros((n, observation.SIZE), np.float32)
        self.reward = np.zeros(n)
        self.terminated = np.zeros(n, bool)
        self.truncated = np.zeros(n, bool)
        self.diverged = np.zeros(n, bool)
        self.finished = _NO_IDS
        self.command = np.zeros((n, 3))
        self.action = np.zeros((n, 12))
        self.last_action = np.zeros((n, 12))
        self.rand_power = np.full(n, config.rand_power)
        self.action_noise = np.full(n, config.action_noise)
        self.gait_phase = np.zeros(n)
        self.step_count = np.zeros(n, np.int64)
        self.episode_length = np.zeros(n, np.int64)
        self.episode_return = np.zeros(n)
        self.episode_rewards = np.zeros((n, len(self.terms.reward_weights)))
        self.episode_costs = np.zeros((n, len(self.terms.cost_weights)))
        self.step_rewards = np.zeros_like(self.episode_rewards)
        self.step_costs = np.zeros_like(self.episode_costs)
        self.episode_count = np.zeros(n, np.int64)
        self.success_count = np.zeros(n, np.int64)
        self.balance_history = np.full((n, BALANCE_STEPS), np.nan)
        self.time_flipped_over = np.zeros(n)
        self._velocity_sum = np.zeros((n, 2))
        self._front_foot_touched = np.zeros(n, bool)

        self._axes = np.array(self.task.axes)
        self._signs = np.array(self.task.signs)
        self._stance = np.array(self.task.joints)
        self._pose_stiffness = np.array(self.task.pose_stiffness)
        self._feet = np.array(self.task.feet)
        self._gait_offsets = np.array(self.task.gait_offsets)
        self._start_up_steps = round(START_UP_S / self.dt)
        self._ctrl_offset = self._stance if config.ctrl_type == "position" else np.zeros(12)

    # -- the loop ---------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> NDArray[np.float32]:
        """Start every robot afresh and return obs, [N, 50].

        With a seed, everything random from here on is determined; without, the generator goes on.
        """
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self._batch.reset()
        self.obs = np.zeros_like(self.obs)
        self.finished = _NO_IDS
        for flags in (self.terminated, self.truncated, self.diverged):
            flags[:] = False
        for counts in (self.reward, self.episode_count, self.success_count):
            counts[:] = 0
        self.restart(np.arange(self.num_envs))
        if self.config.staggered_starts:
            self.step_count[:] = np.arange(self.num_envs) * self.max_steps // self.num_envs
        return self.obs

    def step(
        self, actions: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], Floats, Bools, Bools]:
        """Apply one action to every robot, [N, 12]; restart those whose episode ends.

        Returns:
            obs (of the new episode where one has ended), reward, terminated, truncated; all but
            obs are overwritten by the next step.
        """
        self.advance(actions)
        self.restart_finished()
        return self.obs, self.reward, self.terminated, self.truncated

    def advance(self, actions: NDArray[np.floating]) -> None:
        """Apply one action to every robot, [N, 12], and leave finished episodes to be looked at."""
        self._act(actions)
        self._move()
        self.motion.update()
        self._judge()

    def restart_finished(self) -> None:
        """Begin a new episode for the robots in `finished`."""
        if len(self.finished):
            self.episode_count[self.finished] += 1
            self.success_count[self.finished] += self.succeeded(self.finished)
            self.restart(self.finished)
            self.finished = _NO_IDS

    # -- what happened ----------------------------------------------------------------------

    def succeeded(self, ids: Ids) -> Bools:
        """Whether these robots' episodes, if they ended now, were successes.

        Walking: it lasted from a start to the time limit, and the mean velocity after the first
        second differed from the command by at most 0.2 m/s. Biped: it lasted so long, and no front
        foot touched the floor. First episodes that staggering shortened are none.
        """
        whole = self.truncated[ids] & (self.episode_length[ids] >= self.max_steps)
        if self.config.biped:
            return whole & ~self._front_foot_touched[ids]
        steps = np.maximum(self.episode_length[ids] - self._start_up_steps, 1)
        error = self._velocity_sum[ids] / steps[:, None] - self.command[ids, :2]
        followed: Bools = np.square(error).sum(axis=1) <= TRACKING_TOLERANCE**2
        return whole & followed

    def termination_reason(self, robot: int) -> str | None:
        """Why the robot's episode has ended: "diverged", "fell", "time_limit"; None if it goes on."""
        if self.diverged[robot]:
            return "diverged"
        if self.terminated[robot]:
            return "fell"
        return "time_limit" if self.truncated[robot] else None

    def reward_sums(self, robot: int) -> dict[str, float]:
        """What each reward added in the robot's episode so far, by name."""
        return dict(
            zip(self.terms.reward_weights, self.episode_rewards[robot].tolist(), strict=True)
        )

    def cost_sums(self, robot: int) -> dict[str, float]:
        """What each cost subtracted in the robot's episode so far, as positive numbers, by name."""
        return dict(zip(self.terms.cost_weights, self.episode_costs[robot].tolist(), strict=True))

    @property
    def up_z(self) -> Floats:
        """Cosine of the tilt from the task's upright posture, [N]."""
        return np.asarray(self.motion.up[:, self._axes[2]] * self._signs[2])

    @property
    def is_healthy(self) -> Bools:
        low, high = self.task.healthy_z_range
        height = self.qpos[:, 2]
        return (self.up_z >= self.task.min_up) & (height >= low) & (height <= high)

    @property
    def is_flipped_over(self) -> Bools:
        return self.motion.up[:, 2] < 0

    @property
    def stability_score(self) -> Floats:
        """How level and quiet the trunk is carried, 0 to 1, [N]; see `go1.motion.stability`."""
        return stability(self.up_z, self._to_task(self.motion.gyro)[:, :2])

    @property
    def curriculum_factor(self) -> Floats:
        """How far each robot's perturbations have been taken away, 0 to 1, [N]."""
        return 1.0 - self.rand_power

    def velocity_along_command(self) -> Floats:
        """Velocity in the task's frame, ahead and sideways, [N, 2], m/s."""
        return self._to_task(self.motion.velocity)[:, :2]

    def render_model(self) -> mujoco.MjModel:
        """The same robot with shapes to look at; its qpos is this one's."""
        return render_model(self.config.ctrl_type, self.config.physics)

    # -- settings that may change while it runs ---------------------------------------------

    def set_rand_power(self, value: float, ids: Ids | None = None) -> None:
        """Set how much randomisation applies; pushes follow at once, the rest at the next start."""
        check_rand_power(value)
        self.rand_power[slice(None) if ids is None else ids] = value

    # -- steps of a step --------------------------------------------------------------------

    def _act(self, actions: NDArray[np.floating]) -> None:
        self.last_action[:] = self.action
        np.clip(actions, -MAX_ACTION, MAX_ACTION, out=self.action)
        if self.action_noise.any():
            noise = self.rng.standard_normal((self.num_envs, 12))
            self.action += self.action_noise[:, None] * noise
        np.multiply(self.action, self.action_scale, out=self.ctrl)
        self.ctrl += self._ctrl_offset
        self.randomization.push(self.qvel, self.rand_power, self.dt, self.rng)

    def _move(self) -> None:
        """Physics. A robot whose simulation breaks is marked; the others do not notice."""
        self.diverged[:] = False
        try:
            self._batch.step(nstep=self.frame_skip)
        except SimulationError as error:
            self.diverged[error.ids] = True
        # MuJoCo resets what became non-finite and counts a warning
        warned = self._batch.warning[:, _BAD_STATE, 1]
        if warned.any():
            self.diverged |= warned.any(axis=1)
        finite = np.isfinite(self.qpos.sum(axis=1) + self.qvel.sum(axis=1))
        if not finite.all():
            self.diverged |= ~finite

    def _judge(self) -> None:
        """Rewards, sums, ends of episodes and the observation after one action."""
        motion, task = self.motion, self.task
        velocity, gyro, up = map(self._to_task, (motion.velocity, motion.gyro, motion.up))
        self.gait_phase += self.config.gait_frequency_hz * self.dt
        self.gait_phase %= 1.0
        foot_phase = gait.foot_phase(self.gait_phase, self._gait_offsets)
        front_contact = motion.foot_contact[:, :2]
        self.terms.evaluate(
            Step(
                velocity=velocity,
                gyro=gyro,
                up=up,
                command=self.command,
                joints=self.qpos[:, 7:],
                action=self.action,
                last_action=self.last_action,
                torque=motion.torque,
                foot_height=motion.foot_height[:, self._feet],
                foot_target=gait.target_height(foot_phase, self.config.swing_height_m),
                foot_speed=motion.foot_velocity[:, self._feet],
                foot_swings=foot_phase < 0.5,
                front_contact=front_contact,
                stance=self._stance,
                pose_stiffness=self._pose_stiffness,
            ),
            self.step_rewards,
            self.step_costs,
        )
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
        self._velocity_sum += (
            velocity[:, :2] * (self.episode_length > self._start_up_steps)[:, None]
        )
        self._front_foot_touched |= front_contact.any(axis=1)
        self.time_flipped_over += self.dt * self.is_flipped_over
        self.balance_history[:, :-1] = self.balance_history[:, 1:]
        self.balance_history[:, -1] = up[:, 2]

        np.less(up[:, 2], task.min_up, out=self.terminated)
        self.terminated |= self.qpos[:, 2] < task.healthy_z_range[0]
        self.terminated |= self.diverged
        np.greater_equal(self.step_count, self.max_steps, out=self.truncated)
        self.truncated &= ~self.terminated
        self.finished = np.flatnonzero(self.terminated | self.truncated)

        self.obs = np.empty_like(self.obs)
        self._observe(slice(None), self.obs)
        if self.diverged.any():
            np.nan_to_num(self.obs, copy=False, posinf=0.0, neginf=0.0)

    def restart(self, ids: Ids) -> None:
        """Put robots into the stance, with noise, and draw their episode's chances; nothing is counted."""
        n, config, rng = len(ids), self.config, self.rng
        which = ids.astype(np.int32)
        self._batch.reset(which, stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self._batch.warning[ids] = 0
        power = self.rand_power[ids]
        self.randomization.restart(ids, power, rng)
        noise = config.reset_noise_scale * (1 + power)[:, None]
        yaw = rng.uniform(-np.pi, np.pi, n)
        self.qpos[ids, :2] = 0.0
        self.qpos[ids, 2] = self.task.height
        self.qpos[ids, 3:7] = _turned(yaw, self.task.quat)
        self.qpos[ids, 7:] = self._stance + noise * rng.uniform(-1, 1, (n, 12))
        self.qvel[ids] = noise * rng.uniform(-1, 1, (n, 18))
        self.ctrl[ids] = self._ctrl_offset
        self.command[ids] = draw_commands(config, n, rng)
        self.gait_phase[ids] = rng.random(n)
        self._batch.forward(which)

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
        self.motion.restart(ids)
        obs = np.empty((n, observation.SIZE), np.float32)
        self._observe(ids, obs)
        self.obs[ids] = obs

    def _observe(self, rows: slice | Ids, out: NDArray[np.float32]) -> None:
        observation.observe(
            out,
            velocity=self._to_task(self.motion.velocity[rows]),
            gyro=self._to_task(self.motion.gyro[rows]),
            up=self._to_task(self.motion.up[rows]),
            joint_offset=self.qpos[rows, 7:] - self._stance,
            joint_velocity=self.qvel[rows, 6:],
            action=self.action[rows],
            command=self.command[rows],
            phase=self.gait_phase[rows],
        )

    def _to_task(self, vectors: Floats) -> Floats:
        """From the trunk's frame to the task's, [N, 3]."""
        return vectors[:, self._axes] * self._signs if self.config.biped else vectors


def _turned(yaw: Floats, quat: tuple[float, float, float, float]) -> Floats:
    """The attitude `quat` turned about the world's vertical, [N, 4]."""
    w, x, y, z = quat
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)
