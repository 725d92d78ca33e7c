"""A MuJoCo environment small enough to read: a ball on a rail, pushed left or right."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np

BALL = """
<mujoco>
  <option timestep="0.01"/>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="aside" pos="0 -2 0" xyaxes="1 0 0 0 0 1"/>
    <body name="ball"><joint name="x" type="slide" axis="1 0 0"/>
      <geom type="sphere" size=".2" rgba="1 0 0 1"/></body>
  </worldbody>
  <actuator><motor joint="x" gear="100"/></actuator>
</mujoco>"""


class SlidingBall(gym.Env[np.ndarray, np.ndarray]):
    """Reward is the ball's speed; an episode ends when it has gone a metre, or after 40 steps.

    It tells what Trackway's contract allows an environment to tell, and draws from NumPy's global
    generator, as careless environments do.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.model = mujoco.MjModel.from_xml_string(BALL)
        self.data = mujoco.MjData(self.model)
        self.frame_skip = 5
        self.rand_power = 0.0
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._steps = 0
        self._total = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[0] = np.random.uniform(-0.1, 0.1)  # noqa: NPY002
        self._steps, self._total = 0, 0.0
        return self._obs(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.data.ctrl[:] = action
        mujoco.mj_step(self.model, self.data, self.frame_skip)
        self._steps += 1
        reward = float(self.data.qvel[0])
        self._total += reward
        far, late = bool(abs(self.data.qpos[0]) > 1), self._steps >= 40
        info: dict[str, Any] = {}
        if far or late:
            info = {
                "is_success": bool(self.data.qpos[0] > 1),
                "termination_reason": "far" if far else "time_limit",
                "reward_components": {"speed": self._total},
                "detailed_info": {"stability_metrics": {"lean": 0.25, "history": [1, 2]}},
            }
        return self._obs(), reward, far, late and not far, info

    def render(self) -> np.ndarray:
        return np.full((32, 48, 3), min(255, self._steps * 6), dtype=np.uint8)

    def set_rand_power(self, value: float) -> None:
        self.rand_power = value

    def _obs(self) -> np.ndarray:
        return np.concatenate([self.data.qpos, self.data.qvel])
