"""The batched Go1: N robots, each in its own simulation, all state in arrays with a row per robot.

    actions ─▶ noise, pushes ─▶ physics ─▶ motion ─▶ terms ─▶ done? ─▶ observation
               └───────────────────── advance ─────────────────────┘      │
                        obs ◀── restart of those that are done ◀───────────┘

Everything random comes from one generator, everything mutable is a named array: the same seed and
actions give the same bits, whatever the number of threads.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from go1 import gait, observation
from go1.biped import BIPED
from go1.config import Go1Config
from go1.model import build_model, render_model
from go1.motion import Motion
from go1.randomization import DomainRandomization, draw_commands
from go1.simulation import Simulations
from go1.state import NO_IDS, RobotState
from go1.task import Step, WeightedTerms
from go1.walking import WALKING

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ids = NDArray[np.intp]

START_UP_S = 1.0
"""Time after an episode's start that does not count for how well commands were followed."""
TRACKING_TOLERANCE = 0.2
"""Largest difference between mean velocity and command of a successful episode, m/s."""
MAX_ACTION = 3.0
# Arrays of the simulations, and what never changes.
_NOT_STATE = frozenset(
    {"qpos", "qvel", "ctrl", "time", "_axes", "_signs", "_stance", "_pose_stiffness", "_feet"}
    | {"_gait_offsets", "_ctrl_offset"}
    | {"_sensors", "_actuator_force", "_qacc", "_qpos", "_qvel", "_gear"}
)


class Go1Core(RobotState):
    """N robots stepped together; their state is described at `RobotState` and `Motion`.

    `step` restarts robots whose episode has ended. Who wants to look at them first calls `advance`,
    reads `finished`, and then `restart_finished`, which is the same.

    Attributes:
        qpos, qvel, ctrl, time: Of the simulations, live, [N, 19], [N, 18], [N, 12], [N].
        motion: Velocities, feet, forces.
    """

    def __init__(
        self, num_envs: int, config: Go1Config | None = None, *, num_threads: int | None = None
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; got {num_envs}")
        self.config = config = config or Go1Config()
        self.task = BIPED if config.biped else WALKING
        terms = WeightedTerms(self.task, config.ctrl_type, config.reward_weights)
        super().__init__(num_envs, config, terms)
        self.dt = config.dt
        self.frame_skip = config.substeps
        self.max_steps = config.max_steps
        self.action_scale = config.action_scale or self.task.action_scale[config.ctrl_type]
        self.model = build_model(config.ctrl_type, config.physics)
        self._simulations = Simulations(self.model, num_envs, num_threads)
        self.qpos, self.qvel = self._simulations.qpos, self._simulations.qvel
        self.ctrl, self.time = self._simulations.ctrl, self._simulations.time
        self.diverged = self._simulations.diverged
        self.motion = Motion(self._simulations.batch, self.dt)
        self.randomization = DomainRandomization(self._simulations.batch, config)
        self.rng = np.random.default_rng()

        self._axes = np.array(self.task.axes)
        self._signs = np.array(self.task.signs)
        self._stance = np.array(self.task.joints)
        self._pose_stiffness = np.array(self.task.pose_stiffness)
        self._feet = np.array(self.task.feet)
        self._gait_offsets = np.array(self.task.gait_offsets)
        self._start_up_steps = round(START_UP_S / self.dt)
        self._ctrl_offset = self._stance if config.ctrl_type == "position" else np.zeros(12)

    # -- its state --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what happens next, live; a core of equal settings takes it."""
        return {
            "robots": _state_of(self),
            "motion": _state_of(self.motion),
            "simulations": self._simulations.state_dict(),
            "physics": self.randomization.state_dict(),
            "rng": self.rng,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the state of a core of equal settings, bit for bit.

        Raises:
            ValueError: It had another number of robots, or its arrays lie elsewhere.
        """
        for owner, arrays in ((self, state["robots"]), (self.motion, state["motion"])):
            # Once there was no block, and each array went by its name.
            if (layout := arrays.get("layout", owner.block.layout)) != owner.block.layout:
                raise ValueError(f"it keeps [{layout}], and here is [{owner.block.layout}]")
        # Model first: what MuJoCo derives from it must not overwrite the simulations' state.
        self.randomization.load_state_dict(state["physics"])
        self._simulations.load_state_dict(state["simulations"])
        for owner, arrays in ((self, state["robots"]), (self.motion, state["motion"])):
            for name, array in arrays.items():
                if name == "block":
                    owner.block.memory[...] = array
                elif name in ("obs", "finished"):  # new ones after each step
                    setattr(owner, name, array.copy())
                elif name != "layout":
                    getattr(owner, name)[...] = array
        self.rng = state["rng"]

    # -- the loop ---------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> NDArray[np.float32]:
        """Start every robot afresh and return obs, [N, 50].

        With a seed, everything random from here on is determined; without, the generator goes on.
        """
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self._forget_everything()
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
        self._simulations.advance(self.frame_skip)
        self.motion.update()
        self._judge()

    def restart_finished(self) -> None:
        """Begin a new episode for the robots in `finished`."""
        if len(self.finished):
            self.episode_count[self.finished] += 1
            self.success_count[self.finished] += self.succeeded(self.finished)
            self.restart(self.finished)
            self.finished = NO_IDS

    def restart(self, ids: Ids) -> None:
        """Put robots into the stance, with noise, and draw their episode's chances; nothing is counted."""
        n, config, rng = len(ids), self.config, self.rng
        self._simulations.clear(ids)
        self._begin_episodes(ids)
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
        self._simulations.settle(ids)
        self.motion.restart(ids)
        obs = np.empty((n, observation.SIZE), np.float32)
        self._observe(ids, obs)
        self.obs[ids] = obs

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

    @property
    def up_z(self) -> Floats:
        """Cosine of the tilt from the task's upright posture, [N]."""
        return np.asarray(self.motion.up[:, self._axes[2]] * self._signs[2])

    @property
    def is_flipped_over(self) -> Bools:
        return self.motion.up[:, 2] < 0

    def velocity_along_command(self) -> Floats:
        """Velocity in the task's frame, ahead and sideways, [N, 2], m/s."""
        return self._to_task(self.motion.velocity)[:, :2]

    def render_model(self) -> mujoco.MjModel:
        """The same robot with shapes to look at; its qpos is this one's."""
        return render_model(self.config.ctrl_type, self.config.physics)

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
        self._add_step()
        self._velocity_sum += (
            velocity[:, :2] * (self.episode_length > self._start_up_steps)[:, None]
        )
        self._front_foot_touched |= front_contact.any(axis=1)
        self.time_flipped_over += self.dt * self.is_flipped_over
        self._add_balance(up[:, 2])

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


def _state_of(owner: Go1Core | Motion) -> dict[str, Any]:
    """Its block, and the arrays that lie elsewhere."""
    memory = owner.block.memory
    elsewhere = {
        name: x
        for name, x in vars(owner).items()
        if name not in _NOT_STATE and isinstance(x, np.ndarray) and x.base is not memory
    }
    return {"layout": owner.block.layout, "block": memory, **elsewhere}


def _turned(yaw: Floats, quat: tuple[float, float, float, float]) -> Floats:
    """The attitude `quat` turned about the world's vertical, [N, 4]."""
    w, x, y, z = quat
    c, s = np.cos(yaw / 2), np.sin(yaw / 2)
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=1)
