"""A robot's simulation, put where a record says it was and moved by what moved it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError
from trackway.replay.model import DIGEST

Array = NDArray[Any]

INPUTS: Final = ("ctrl", "push", "mocap_pos", "mocap_quat")
"""Columns of `steps` that move a robot from outside."""
SOURCES: Final = (
    "time", "qpos", "qvel", "act", "qacc", "qfrc_actuator", "actuator_force", "sensordata",
)  # fmt: skip
"""Arrays of `MjData` that records have numbers of."""
# What a step begins from; `ctrl` is given with every row.
_STATE: Final = int(mujoco.mjtState.mjSTATE_INTEGRATION) & ~int(mujoco.mjtState.mjSTATE_CTRL)
_BAD: Final = [
    int(kind)
    for kind in (
        mujoco.mjtWarning.mjWARN_BADQPOS,
        mujoco.mjtWarning.mjWARN_BADQVEL,
        mujoco.mjtWarning.mjWARN_BADQACC,
    )
]


def override(model: mujoco.MjModel, overrides: Mapping[str, Any]) -> None:
    """Give the model what differs from its scene, as a record of `starts` tells it."""
    for name, told in overrides.items():
        part, _, option = name.partition(".")
        array = getattr(model.opt, option) if option else getattr(model, part)
        array.reshape(-1)[told["index"]] = told["value"]


def begin(data: mujoco.MjData, start: Mapping[str, Any]) -> None:
    """Put the state of a start into data that are as they were made.

    Raises:
        SceneError: It does not fit the model.
    """
    try:
        for name, value in start.items():
            if name == "time":
                data.time = value
            elif hasattr(data, name):
                getattr(data, name)[:] = value
    except (ValueError, TypeError) as error:
        raise SceneError(f"the recorded start does not fit the model: {error}") from error


def advance(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    inputs: Mapping[str, Array],
    row: int,
    substeps: int,
) -> bool:
    """One step with the inputs of a row; whether the simulation holds."""
    if "push" in inputs and inputs["push"][row].any():
        data.qvel[:2] += inputs["push"][row]
    for name in ("ctrl", "mocap_pos", "mocap_quat"):
        if name in inputs:
            getattr(data, name)[:] = inputs[name][row]
    mujoco.mj_step(model, data, substeps)
    return bool(np.isfinite(data.qpos).all() and not data.warning.number[_BAD].any())


class Simulation:
    """One environment's simulation.

    Args:
        scene: The model as recorded; it stays as it is.
        overrides: Where the environment's own differs.
        substeps: Physics steps in a row.

    Raises:
        SceneError: The overrides do not fit the model.
    """

    def __init__(self, scene: mujoco.MjModel, overrides: Mapping[str, Any], substeps: int) -> None:
        self._model, self._substeps = scene, substeps
        if overrides:
            self._model = copy.copy(scene)
            try:
                override(self._model, overrides)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise SceneError(f"recorded overrides do not fit the model: {error}") from error
        self.data = mujoco.MjData(self._model)

    @property
    def state(self) -> NDArray[np.float64]:
        """Everything that the next rows follow from, besides model and inputs."""
        state = np.empty(mujoco.mj_stateSize(self._model, _STATE))
        mujoco.mj_getState(self._model, self.data, state, _STATE)
        return state

    @state.setter
    def state(self, state: NDArray[np.float64]) -> None:
        if len(state) != mujoco.mj_stateSize(self._model, _STATE):
            raise SceneError("the key frame does not fit the model")
        mujoco.mj_setState(self._model, self.data, state, _STATE)

    def run(self, inputs: Mapping[str, Array], sources: Sequence[str]) -> dict[str, Array]:
        """Simulate rows.

        Args:
            inputs: By name in `INPUTS`, `[n, *shape]`.
            sources: Which arrays of `MjData` are wanted.

        Returns:
            They, flat, after each row, `[n, size]`; shorter where the simulation breaks.
        """
        rows = len(next(iter(inputs.values())))
        live = {name: np.atleast_1d(getattr(self.data, name)) for name in sources}
        made = {name: np.empty((rows, array.size)) for name, array in live.items()}
        for row in range(rows):
            if not advance(self._model, self.data, inputs, row, self._substeps):
                return {name: array[:row] for name, array in made.items()}
            for name, array in made.items():
                array[row] = self.data.time if name == "time" else live[name].reshape(-1)
        return made


def simulate_again(
    scenes: Path,
    digest: str,
    version: str,
    substeps: int,
    stretches: Iterator[tuple[NDArray[np.float64], Mapping[str, Any], Mapping[str, Array]]],
    sources: Sequence[str],
) -> Iterator[dict[str, Array]]:
    """Simulate stretches of rows, each from its key frame.

    Args:
        scenes: Where models are kept.
        digest: Names the model.
        version: The version of MuJoCo that made what is wanted.
        substeps: Physics steps in a row.
        stretches: State, overrides, and inputs `[n, *shape]` of each.
        sources: Which arrays of `MjData` are wanted.

    Yields:
        They, flat, after each row of a stretch, `[n, size]`.

    Raises:
        SceneError: The model is missing or damaged, or this is another MuJoCo.
    """
    scene = load_model(scenes, digest, version)
    for state, overrides, inputs in stretches:
        simulation = Simulation(scene, overrides, substeps)
        simulation.state = state
        try:
            yield simulation.run(inputs, sources)
        except (AttributeError, ValueError, mujoco.FatalError) as error:
            raise SceneError(f"the recorded inputs do not fit the model: {error}") from error


def load_model(scenes: Path, digest: str, version: str = mujoco.__version__) -> mujoco.MjModel:
    """A recorded model; nobody may change it.

    Raises:
        SceneError: It is missing or damaged, or was recorded with another MuJoCo.
    """
    if version != mujoco.__version__:
        raise SceneError(
            f"it was proven with MuJoCo {version}, and this is {mujoco.__version__}: "
            f"pip install mujoco=={version}"
        )
    if not DIGEST.fullmatch(digest):
        raise SceneError(f"{digest!r} names no model: the run was recorded without one")
    path = scenes / f"{digest}.mjb"
    try:
        told = path.stat()
        return _load(path, told.st_size, told.st_mtime_ns)
    except OSError as error:
        raise SceneError(f"the model that moved is not there: {error}") from error
    except (ValueError, mujoco.FatalError) as error:
        raise SceneError(f"{path} cannot be read: {error}") from error


@lru_cache(maxsize=4)
def _load(path: Path, _size: int, _mtime_ns: int) -> mujoco.MjModel:
    # MuJoCo trusts what it loads.
    if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem:
        raise SceneError(f"{path} is damaged")
    return mujoco.MjModel.from_binary_path(str(path))
