"""A saved policy drives one Go1 in a simulation that somebody else steps.

`trackway serve --drive go1.driving:drive` tries the policies of checkpoints in recorded episodes with it. What
the policy sees and what its actions do is that of `go1.core`, without noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from go1 import observation
from go1.biped import BIPED
from go1.config import Go1Config
from go1.core import MAX_ACTION
from go1.motion import in_trunk
from go1.robot import NUM_JOINTS
from go1.spaces import batched_interface
from go1.walking import WALKING
from trackway.sb3 import load_policy

Policy = Callable[[NDArray[Any]], NDArray[Any]]


def drive(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    *,
    checkpoint: Path,
    start: Mapping[str, Any],
    config: Mapping[str, Any],
) -> Callable[[], str | None]:
    """Get ready for an episode; arguments and result as in `trackway.replay.resimulate.Drive`.

    Raises:
        CheckpointError: The checkpoint holds no policy for this robot.
        ValueError: The record does not tell what the policy would see.
    """
    if "env" not in config:
        raise ValueError("the run does not tell how its robots were set up")
    settings = Go1Config.from_table(config["env"])
    if settings.physics == "upstream":
        raise ValueError("robots of physics 'upstream' see in a way of their own")
    if "gait_phase" not in start:
        raise ValueError("the gait's clock was not recorded")
    spaces = batched_interface(settings)
    policy = load_policy(checkpoint, spaces.observation_space, spaces.action_space)
    return _Driven(data, policy, settings, start)


class _Driven:
    """One robot, in arrays with a leading dimension of 1 as those of the core."""

    def __init__(
        self, data: mujoco.MjData, policy: Policy, config: Go1Config, start: Mapping[str, Any]
    ) -> None:
        self._qpos, self._qvel, self._ctrl = data.qpos[None], data.qvel[None], data.ctrl
        self._policy, self._config = policy, config
        self._task = task = BIPED if config.biped else WALKING
        self._stance = np.array(task.joints)
        self._scale = config.action_scale or task.action_scale[config.ctrl_type]
        self._offset = self._stance if config.ctrl_type == "position" else np.zeros(NUM_JOINTS)
        self._begin = self._steps = int(start["step"])
        # With the noise that it had; what was recorded as the action is without.
        told = (self._ctrl - self._offset) / self._scale if self._steps else np.zeros(NUM_JOINTS)
        self._action = told[None]
        self._command = np.array([start["command"]])
        self._phase = np.array([start["gait_phase"]])
        for _ in range(self._steps):  # what rows tell of it is rounded
            self._tick()
        self._obs = np.empty((1, observation.SIZE), np.float32)

    def __call__(self) -> str | None:
        up, velocity = in_trunk(self._qpos[:, 3:7], self._qvel[:, :3])
        up, velocity, gyro = map(self._to_task, (up, velocity, self._qvel[:, 3:6]))
        if self._steps > self._begin and (ended := self._ended(float(up[0, 2]))):
            return ended
        observation.observe(
            self._obs,
            velocity=velocity,
            gyro=gyro,
            up=up,
            joint_offset=self._qpos[:, 7:] - self._stance,
            joint_velocity=self._qvel[:, 6:],
            action=self._action,
            command=self._command,
            phase=self._phase,
        )
        np.clip(self._policy(self._obs), -MAX_ACTION, MAX_ACTION, out=self._action)
        self._ctrl[:] = self._action[0] * self._scale + self._offset
        self._tick()
        self._steps += 1
        return None

    def _tick(self) -> None:
        self._phase += self._config.gait_frequency_hz * self._config.dt
        self._phase %= 1.0

    def _ended(self, up_z: float) -> str | None:
        if up_z < self._task.min_up or self._qpos[0, 2] < self._task.healthy_z_range[0]:
            return "fell"
        return "time_limit" if self._steps >= self._config.max_steps else None

    def _to_task(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        return vectors[:, self._task.axes] * self._task.signs
