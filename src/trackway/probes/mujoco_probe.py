"""The state of any MuJoCo simulation: what a step led to, and what an episode began with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mujoco
import numpy as np

from trackway.format.schema import Field, Schema
from trackway.probes.probe import Array, Row
from trackway.probes.scene import field_of

# What domain randomisation is known to touch, and what mj_setConst derives from it; whatever else
# differs would be a change of the scene.
RANDOMISED = (
    "body_mass", "body_inertia", "body_ipos", "body_iquat", "body_pos", "body_quat",
    "geom_friction", "geom_size", "geom_pos", "geom_solref", "geom_solimp", "dof_damping",
    "dof_frictionloss", "dof_armature", "jnt_stiffness", "jnt_range", "qpos_spring",
    "actuator_gainprm", "actuator_biasprm", "actuator_gear", "actuator_forcerange", "hfield_data",
    "body_subtreemass", "body_invweight0", "dof_M0", "dof_invweight0", "actuator_acc0",
    "opt.gravity", "opt.wind",
)  # fmt: skip
# What a step of the simulation begins from, besides the model; forces only where there are any.
_START = ("time", "qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat", "eq_active")
_START_UNLESS_ZERO = ("qacc_warmstart", "qfrc_applied", "xfrc_applied", "userdata")
_MOST_GEOMS = 64


class MujocoProbe:
    """Reads a MuJoCo environment: anything with `model` and `data` under its wrappers.

    What MuJoCo derives (forces, contacts, sensors) is that of the last physics step's beginning, a
    few milliseconds before `qpos` and `qvel`, as always after `mj_step`.

    Args:
        env: The environment. Its model and data may be replaced while it lives.
        geoms: Names of the geoms whose contacts are recorded; by default every named geom that
            can touch and can move, if there are no more than 64.

    Attributes:
        scene: Fields of the model by name, against which `start` tells overrides.
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
        self.scene = {name: np.array(field_of(model, name)) for name in RANDOMISED}

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
        state = {name: np.array(getattr(data, name)).tolist() for name in _START}
        state = {name: value for name, value in state.items() if value != []}
        for name in _START_UNLESS_ZERO:
            value = getattr(data, name)
            if value.any():
                state[name] = value.tolist()
        return state | {"overrides": overrides(self.scene, self._env.model)}


def overrides(scene: Mapping[str, Array], model: Any) -> dict[str, Any]:
    """By field, where a model differs from its scene."""
    now = ((name, value, field_of(model, name)) for name, value in scene.items())
    return {n: difference(was, is_) for n, was, is_ in now if not np.array_equal(was, is_)}


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
    for name, shape, unit, description in (
        ("qpos", (model.nq,), ", ".join(lengths), f"positions of the joints: {joints}"),
        ("qvel", (model.nv,), ", ".join(f"{u}/s" for u in lengths), f"velocities of: {joints}"),
        ("mocap_pos", (model.nmocap, 3), "m", "positions of the bodies that are put somewhere"),
        ("mocap_quat", (model.nmocap, 4), "1", "their attitudes, quaternions w x y z"),
        ("act", (model.na,), "1", f"activations of the actuators: {actuators}"),
        (
            "ctrl",
            (model.nu,),
            "1",
            f"what the actuators were told, in their own units: {actuators}",
        ),
        ("actuator_force", (model.nu,), "N, N m", f"what they exerted: {actuators}"),
        ("sensordata", (model.nsensordata,), "SI", f"sensors: {sensors}"),
        (
            "contact_force",
            (len(geoms),),
            "N",
            f"sum of normal forces on each geom: {', '.join(geoms)}",
        ),
    ):
        if shape[0]:
            yield Field(name, "float64", shape, unit, description)


def _named(name: str, number: int) -> str:
    return name or f"#{number}"
