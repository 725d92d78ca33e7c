"""An episode simulated again from its record, as it was or as it would have been.

Everything from outside that moved the robot is in the record, so without changes the same MuJoCo on the
same kind of processor gives the same states bit for bit; see `docs/reference/streams.md`. A policy may act
instead of what was recorded: then the motors do what it says, and everything else is as recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError
from trackway.replay.simulation import advance, begin, override

Array = NDArray[Any]


Act = Callable[[], str | None]
"""Looks at the simulation and writes `data.ctrl` for the next step; or says why the episode ends here."""


class Drive(Protocol):
    """Closes the loop between a policy and a simulation: a function of whoever made the environment.

    See `docs/how-to/try-another-policy.md`; `go1.driving` has one.
    """

    def __call__(
        self,
        model: mujoco.MjModel,
        data: mujoco.MjData,
        *,
        checkpoint: Path,
        start: Mapping[str, Any],
        config: Mapping[str, Any],
    ) -> Act:
        """Get ready for an episode.

        Args:
            model: What is simulated, overrides and changes applied.
            data: In the recorded start; nothing has been derived from it (`mj_forward`) yet.
            checkpoint: Whose policy acts.
            start: What the episode began with, as the probe's `start` told.
            config: The run's settings, as its manifest keeps them.
        """


@dataclass(frozen=True)
class Changes:
    """What should be different.

    Attributes:
        friction: Times the sliding friction of every shape.
        mass_kg: Added to the first body that moves, spread like its own mass.
        gravity: Times gravity.
        push: Added to the linear velocity in x and y, m/s …
        push_s: … before the step that begins so long after the start.
    """

    friction: float = 1.0
    mass_kg: float = 0.0
    gravity: float = 1.0
    push: tuple[float, float] = (0.0, 0.0)
    push_s: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Changes:
        return cls(**(dict(told) | {"push": tuple(told["push"])}))


def resimulate(
    model: mujoco.MjModel,
    start: Mapping[str, Any],
    inputs: Mapping[str, Array],
    substeps: int,
    changes: Changes | None = None,
    drive: Callable[[mujoco.MjModel, mujoco.MjData], Act] | None = None,
    most_rows: int = 0,
) -> dict[str, Array]:
    """Simulate an episode.

    Args:
        model: As recorded; it is changed.
        start: What the episode began with, `overrides` included.
        inputs: Columns of its rows by name, `[n, *shape]`, those in `simulation.INPUTS`.
        substeps: Physics steps in a step.
        changes: What should be different.
        drive: Acts instead of the recorded `ctrl`, until it says that the episode ends …
        most_rows: … or for so many steps.

    Returns:
        `qpos` and `qvel` after each step, `[n, nq]` and `[n, nv]`; shorter where the simulation breaks.
        Of what `drive` ended also `ended`, its reason, `[1]`.

    Raises:
        SceneError: The record does not fit the model, or has no inputs.
    """
    changes = changes or Changes()
    if drive is None and "ctrl" not in inputs and model.nu:
        raise SceneError("what the motors were told (ctrl) was not recorded: it cannot be repeated")
    override(model, start.get("overrides") or {})
    data = mujoco.MjData(model)
    _change(model, data, changes)
    begin(data, start)
    step_s = substeps * model.opt.timestep
    push_row = round(changes.push_s / step_s) if any(changes.push) else -1
    moving = _moving_dof(model)
    recorded = len(next(iter(inputs.values()))) if inputs else 0
    rows = recorded if drive is None else most_rows
    act = drive and drive(model, data)
    given = {name: values for name, values in inputs.items() if not (act and name == "ctrl")}
    qpos, qvel = np.empty((rows, model.nq)), np.empty((rows, model.nv))
    for row in range(rows):
        if act and (ended := act()) is not None:
            return {"qpos": qpos[:row], "qvel": qvel[:row], "ended": np.array([ended])}
        if row == push_row:
            data.qvel[moving : moving + 2] += changes.push
        if not advance(model, data, given if row < recorded else {}, row, substeps):
            broken = {"ended": np.array(["diverged"])} if act else {}
            return {"qpos": qpos[:row], "qvel": qvel[:row], **broken}
        qpos[row], qvel[row] = data.qpos, data.qvel
    return {"qpos": qpos, "qvel": qvel}


def _change(model: mujoco.MjModel, data: mujoco.MjData, changes: Changes) -> None:
    if changes.friction != 1.0:
        model.geom_friction[:, 0] *= changes.friction
    if changes.gravity != 1.0:
        model.opt.gravity[:] *= changes.gravity
    if changes.mass_kg:
        body = int(model.jnt_bodyid[0]) if model.njnt else 0
        mass = max(model.body_mass[body] + changes.mass_kg, 1e-3)
        model.body_inertia[body] *= mass / model.body_mass[body]
        model.body_mass[body] = mass
        mujoco.mj_setConst(model, data)
        mujoco.mj_resetData(model, data)


def _moving_dof(model: mujoco.MjModel) -> int:
    free = np.flatnonzero(model.jnt_type == int(mujoco.mjtJoint.mjJNT_FREE))
    return int(model.jnt_dofadr[free[0]]) if len(free) else 0
