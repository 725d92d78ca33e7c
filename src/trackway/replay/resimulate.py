"""An episode simulated again from its record, as it was or as it would have been.

    recorded start ─▶ recorded inputs ─▶ the moment ─▶ what is different holds from here on
                                             ▲
                     recorded state ─────────┘ where the simulation does not come there to the bit

Everything from outside that moved the robot is in the record, so without changes the same MuJoCo on the
same kind of processor gives the same states bit for bit; see `docs/reference/streams.md`. A policy may act
instead of what was recorded: then the motors do what it says, and everything else is as recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import mujoco
import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError
from trackway.replay.changes import Changes
from trackway.replay.recipe import same_bits
from trackway.replay.simulation import advance, begin, override

Array = NDArray[Any]

# Simulated to reach a moment, some seconds of a processor at most; a later one is put in.
_FAR: Final = 20_000

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
            data: In the state in which the policy takes over. In an episode's start nothing has been
                derived from it (`mj_forward`) yet.
            checkpoint: Whose policy acts.
            start: What the episode began with, as the probe's `start` told. Beside that `step`: how
                many steps came before the policy, 0 at the start; and `before`: what the last of
                them led to, by column, as recorded.
            config: The run's settings, as its manifest keeps them.
        """


def resimulate(
    model: mujoco.MjModel,
    start: Mapping[str, Any],
    inputs: Mapping[str, Array],
    substeps: int,
    changes: Changes | None = None,
    drive: Callable[..., Act] | None = None,
    most_rows: int = 0,
    first: int = 0,
    before: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """Simulate an episode, or the rest of one.

    Args:
        model: As recorded; it is changed.
        start: What the episode began with, `overrides` included.
        inputs: Columns of its rows by name, `[n, *shape]`, those in `simulation.INPUTS`.
        substeps: Physics steps in a step.
        changes: What should be different.
        drive: Acts instead of the recorded `ctrl`, until it says that the episode ends …
        most_rows: … or for so many steps.
        first: The first step that is different; those before it are as recorded.
        before: By column what the step before that led to, `[*shape]`; `qpos` at least, unless `first`
            is 0.

    Returns:
        `qpos` and `qvel` after each step from `first` on, `[n, nq]` and `[n, nv]`, with `mocap_pos` and
        `mocap_quat` where there are such; shorter where the simulation breaks. `exact`, `[1]`: whether
        the simulation came to the recorded state to the bit, by itself; else that was put in. Of what
        `drive` ended also `ended`, its reason, `[1]`.

    Raises:
        SceneError: The record does not fit the model, has no inputs, or not the state to go on from.
    """
    changes, before = changes or Changes(), before or {}
    if drive is None and "ctrl" not in inputs and model.nu:
        raise SceneError("what the motors were told (ctrl) was not recorded: it cannot be repeated")
    override(model, start.get("overrides") or {})
    data = mujoco.MjData(model)
    begin(data, start)
    exact = first <= _FAR and _come_to(model, data, inputs, substeps, first, before)
    if not exact:
        _put_in(model, data, start, before)
    changes.apply(model)
    step_s = substeps * model.opt.timestep
    push_row = first + round(changes.push_s / step_s) if any(changes.push) else -1
    recorded = len(next(iter(inputs.values()))) if inputs else 0
    rows = recorded if drive is None else first + most_rows
    known = {**start, "step": first, "before": before}
    act = drive and drive(model, data, start=known)
    given = {name: values for name, values in inputs.items() if not (act and name == "ctrl")}
    moved = ["qpos", "qvel", *(["mocap_pos", "mocap_quat"] if model.nmocap else [])]
    made: dict[str, list[Array]] = {name: [] for name in moved}
    ended = None
    for row in range(first, rows):
        if act and (ended := act()) is not None:
            break
        if row == push_row:
            changes.push_now(model, data)
        if not advance(model, data, given if row < recorded else {}, row, substeps):
            ended = "diverged" if act else None
            break
        for name, states in made.items():
            states.append(getattr(data, name).copy())
    found = {
        name: np.array(states).reshape(len(states), *getattr(data, name).shape)
        for name, states in made.items()
    }
    told = {} if ended is None else {"ended": np.array([ended])}
    return {**found, **told, "exact": np.array([exact])}


def _come_to(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    inputs: Mapping[str, Array],
    substeps: int,
    first: int,
    before: Mapping[str, Array],
) -> bool:
    """Simulate the steps before the first that is different; whether they lead where they led."""
    if first and model.nu and "ctrl" not in inputs:
        return False
    if not all(advance(model, data, inputs, row, substeps) for row in range(first)):
        return False
    known = [name for name in ("qpos", "qvel", "act") if name in before]
    return all(
        bool(same_bits(getattr(data, name).astype(before[name].dtype), before[name]).all())
        for name in known
    )


def _put_in(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    start: Mapping[str, Any],
    before: Mapping[str, Array],
) -> None:
    """Go on from the state that was recorded; from which guess the solver began is not in it."""
    if missing := {"qpos", "qvel"} - before.keys():
        names = " and ".join(sorted(missing))
        raise SceneError(f"it cannot begin there: the state then ({names}) was not recorded")
    mujoco.mj_resetData(model, data)
    begin(data, start)
    state = {n: before[n] for n in ("time", "qpos", "qvel", "act", "ctrl") if n in before}
    begin(data, state)
    mujoco.mj_forward(model, data)
