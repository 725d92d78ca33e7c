"""One MuJoCo simulation where code expects a batch of them."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray


class OneSimulation:
    """A single simulation with the face of a batch: its arrays have a leading dimension of 1."""

    nsim = 1

    def __init__(self, model: mujoco.MjModel) -> None:
        self.model = model
        self.data = mujoco.MjData(model)
        self._scratch = mujoco.MjData(model)

    def bind(self, name: str) -> NDArray[Any]:
        """A live view of an MjData field."""
        return np.asarray(getattr(self.data, name))[None]

    def expand(self, name: str) -> NDArray[Any]:
        """A live view of an MjModel field."""
        return np.asarray(getattr(self.model, name))[None]

    def expanded(self, name: str) -> NDArray[Any]:
        """An MjModel field, which is the robot's own here in any case."""
        return self.expand(name)

    def set_const(self, _ids: Any = None) -> None:
        mujoco.mj_setConst(self.model, self._scratch)
