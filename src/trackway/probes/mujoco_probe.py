"""The state of any MuJoCo simulation: what a step led to, and what an episode began with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import mujoco
import numpy as np

from trackway.format.schema import Field, Schema
from trackway.probes.probe import Array, Row

# What domain randomisation is known to touch; whatever else differs would be a change of the scene.
RANDOMISED = (
    "body_mass", "body_inertia", "body_ipos", "body_pos", "geom_friction", "geom_size", "geom_pos",
    "geom_solref", "geom_solimp", "dof_damping", "dof_frictionloss", "dof_armature",
    "jnt_stiffness", "qpos_spring", "actuator_gainprm", "actuator_biasprm", "actuator_gear",
    "actuator_forcerange", "hfield_data",
)  # fmt: skip
_OPTIONS = ("gravity", "wind")
_MOST_GEOMS = 64


class MujocoProbe:
    """Reads a MuJoCo environment: anything with `model` and `data` under its wrappers.

    What MuJoCo derives (forces, contacts, sensors) is that of the last physics step's beginning, a
    few milliseconds before `qpos` and `qvel`, as always after `mj_step`.

    Args:
        env: The environment. Its model and data may be replaced while it lives.
        geoms: Names of the geoms whose contacts are recorded; by default every named geom that
            can touch and can move, if there are no more than 64.
    """

    def __init__(self, env: Any, geoms: Sequence[str] | None = None) -> None:
        self._env = getattr(env, "unwrapped", env)
        model: mujoco.MjModel = self._env.model
        names = _touching(model) if geoms is None else list(geoms)
        self._slot_of = np.full(model.ngeom, len(names), np.intp)
        for slot, name in enumerate(names):
            self._slot_of[model.geom(name).id] = slot
        self._force = np.zeros(len(names) + 1)  # the last one is for all other geoms
        self._wrench = np.zeros(6)
        self._names = names
        self.schema = Schema(*_fields(model, names))
        self._plain = [f.name for f in self.schema if not f.name.startswith("contact_")]
        self._scene = {name: np.array(array) for name, array in _randomised(model)}

    def read(self, row: Row) -> None:
        """Write the simulation's state as it is now."""
        data = self._env.data
        for name in self._plain:
            row[name][0] = getattr(data, name)
        if self._names:
            row["contact_force"][0] = self._contact_forces(self._env.model, data)

    def _contact_forces(self, model: Any, data: Any) -> Array:
        self._force[:] = 0.0
        if data.ncon:
            for i, pair in enumerate(self._slot_of[data.contact.geom]):
                mujoco.mj_contactForce(model, data, i, self._wrench)
                self._force[pair] += self._wrench[0]
        return self._force[:-1]

    def start(self, env: int = 0) -> dict[str, Any]:
        """What the episode begins with: state, and where the model differs from its scene."""
        data = self._env.data
        names = ("time", "qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat")
        state = {name: np.array(getattr(data, name)).tolist() for name in names}
        return {k: v for k, v in state.items() if v != []} | {"overrides": self._overrides()}

    def _overrides(self) -> dict[str, Any]:
        return {
            name: difference(self._scene[name], array)
            for name, array in _randomised(self._env.model)
            if not np.array_equal(self._scene[name], array)
        }


def simulator_warnings(env: Any) -> dict[str, int]:
    """Warnings that an environment's MjData has counted since its last reset, by MuJoCo's names."""
    data = vars(env).get("data")  # its own only: a property may be a copy
    if not isinstance(data, mujoco.MjData):
        return {}
    counts = enumerate(data.warning.number.tolist())
    return {mujoco.mjtWarning(kind).name: count for kind, count in counts if count}


def difference(scene: Array, now: Array) -> dict[str, Any]:
    """Where an array of the model differs: positions in the flattened array, and values."""
    index = np.flatnonzero(np.ravel(scene) != np.ravel(now))
    return {"index": index.tolist(), "value": np.ravel(now)[index].tolist()}


def _randomised(model: Any) -> Iterator[tuple[str, Array]]:
    for name in RANDOMISED:
        yield name, getattr(model, name)
    for name in _OPTIONS:
        yield f"opt.{name}", getattr(model.opt, name)


def _touching(model: mujoco.MjModel) -> list[str]:
    """Named geoms of moving bodies that can collide."""
    moves = model.body_weldid[model.geom_bodyid] != 0
    touches = (model.geom_contype | model.geom_conaffinity) != 0
    names = [model.geom(int(i)).name for i in np.flatnonzero(moves & touches)]
    named = [name for name in names if name]
    return named if len(named) <= _MOST_GEOMS else []


def _fields(model: mujoco.MjModel, geoms: list[str]) -> Iterator[Field]:
    kinds = {int(kind) for kind in model.jnt_type}
    slides = bool(kinds & {0, 2})  # free and slide joints move, all others turn
    turns = bool(kinds - {2})
    lengths = [unit for unit, there in (("m", slides), ("rad", turns)) if there]
    joints = ", ".join(
        _named(model.joint(i).name, i)
        + " (x y z, quaternion w x y z)" * bool(model.jnt_type[i] == 0)
        for i in range(model.njnt)
    )
    actuators = ", ".join(_named(model.actuator(i).name, i) for i in range(model.nu))
    sensors = ", ".join(
        f"{_named(model.sensor(i).name, i)} [{model.sensor_dim[i]}]" for i in range(model.nsensor)
    )
    yield Field("time", "float64", (), "s", "simulated time since the episode began")
    for name, size, unit, description in (
        ("qpos", model.nq, ", ".join(lengths), f"positions of the joints: {joints}"),
        ("qvel", model.nv, ", ".join(f"{u}/s" for u in lengths), f"velocities of: {joints}"),
        ("act", model.na, "1", f"activations of the actuators: {actuators}"),
        ("ctrl", model.nu, "1", f"what the actuators were told, in their own units: {actuators}"),
        ("actuator_force", model.nu, "N, N m", f"what they exerted: {actuators}"),
        ("sensordata", model.nsensordata, "SI", f"sensors: {sensors}"),
        (
            "contact_force",
            len(geoms),
            "N",
            f"sum of normal forces on each geom: {', '.join(geoms)}",
        ),
    ):
        if size:
            yield Field(name, "float64", (size,), unit, description)


def _named(name: str, number: int) -> str:
    return name or f"#{number}"
