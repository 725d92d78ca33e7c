"""MuJoCo's batch, with a mark on every simulation that breaks."""

from __future__ import annotations

import os
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch, SimulationError
from numpy.typing import NDArray

Ids = NDArray[np.intp]

_BAD_STATE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
    int(mujoco.mjtWarning.mjWARN_BADCTRL),
]


class Simulations:
    """N simulations of one model on a pool of threads; results do not depend on their number.

    Attributes:
        batch: For binding and expanding fields.
        qpos, qvel, ctrl, time: Live, [N, 19], [N, 18], [N, 12], [N].
        diverged: [N], which became non-finite or raised in the latest `advance`.
    """

    def __init__(self, model: mujoco.MjModel, count: int, num_threads: int | None) -> None:
        if num_threads is None:
            num_threads = min(count, len(os.sched_getaffinity(0)))
        self.batch = Batch(model, count, num_threads)
        self.qpos: NDArray[np.float64] = self.batch.bind("qpos")
        self.qvel: NDArray[np.float64] = self.batch.bind("qvel")
        self.ctrl: NDArray[np.float64] = self.batch.bind("ctrl")
        self.time: NDArray[np.float64] = self.batch.bind("time")
        self.diverged = np.zeros(count, bool)

    def advance(self, substeps: int) -> None:
        """Let time pass. A simulation that breaks is marked; the others do not notice."""
        self.diverged[:] = False
        try:
            self.batch.step(nstep=substeps)
        except SimulationError as error:
            self.diverged[error.ids] = True
        # MuJoCo resets what became non-finite, and counts a warning
        warned = self.batch.warning[:, _BAD_STATE, 1]
        if warned.any():
            self.diverged |= warned.any(axis=1)
        finite = np.isfinite(self.qpos.sum(axis=1) + self.qvel.sum(axis=1))
        if not finite.all():
            self.diverged |= ~finite

    def clear(self, ids: Ids) -> None:
        """Forget everything about these simulations; their state is to be written next."""
        self.batch.reset(ids.astype(np.int32), stage=mujoco.mjtStage.mjSTAGE_NONE.value)
        self.batch.warning[ids] = 0

    def settle(self, ids: Ids) -> None:
        """Derive everything from the state that was written."""
        self.batch.forward(ids.astype(np.int32))

    def state_dict(self) -> dict[str, Any]:
        """What the next step starts from, live: the whole integration state, and warnings."""
        return {"state": self.batch.state, "warning": self.batch.warning}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; per-simulation model fields are to be put back before."""
        self.batch.state[...] = state["state"]
        self.batch.warning[...] = state["warning"]
