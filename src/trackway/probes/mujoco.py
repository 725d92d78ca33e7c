"""Where the motion of a MuJoCo environment can be read, whatever it is wrapped in."""

from __future__ import annotations

import contextlib
from typing import Any

import mujoco
import numpy as np


class MotionSource:
    """Reads the positions of one robot of an environment in this process.

    Attributes:
        step_s: Simulated time of one environment step, s.
    """

    def __init__(self, env: Any, index: int) -> None:
        self._env = env
        self._index = index
        self._render_model: mujoco.MjModel | None = None
        self.step_s = _step_s(env)

    @property
    def model(self) -> mujoco.MjModel:
        """The simulated model."""
        return self._env.model

    def render_model(self) -> mujoco.MjModel:
        """The model to draw: same `qpos`, with more to see where the environment offers it."""
        if self._render_model is None:
            build = getattr(self._env, "render_model", None)
            self._render_model = self.model if build is None else build()
        return self._render_model

    def qpos(self) -> np.ndarray:
        """The current positions, a copy, [nq]."""
        if hasattr(self._env, "data"):
            return np.array(self._env.data.qpos)
        return np.array(self._env.qpos[self._index])


def motion_source(env: Any, index: int = 0) -> MotionSource | None:
    """Find the MuJoCo simulation of robot `index` under wrappers and vector environments.

    Understood are `.model` with `.data` (Gymnasium's MuJoCo environments) and `.model` with
    `.qpos` of shape [num_envs, nq] (a batch). None: nothing of the kind in this process.
    """
    core = _innermost(env, index)
    has_positions = hasattr(core, "data") or hasattr(core, "qpos")
    if isinstance(getattr(core, "model", None), mujoco.MjModel) and has_positions:
        return MotionSource(core, index)
    return None


def _innermost(env: Any, index: int) -> Any:
    """The environment under all wrappers. Own attributes only: some wrappers forward the rest."""
    while True:
        own = getattr(env, "__dict__", {})
        if "venv" in own:
            env = own["venv"]
        elif "envs" in own:
            env = own["envs"][index]
        elif "env" in own:
            env = own["env"]
        else:
            return env


def _step_s(env: Any) -> float:
    with contextlib.suppress(AttributeError):
        # A batch says it robot by robot, a single environment by itself.
        return float(env.get_attr("dt")[0] if hasattr(env, "get_attr") else env.dt)
    return float(env.model.opt.timestep * getattr(env, "frame_skip", 1))
