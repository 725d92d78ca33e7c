"""MuJoCo's model and data as arrays.

The data is taken whole: environments read derived fields of the step before (contact forces,
accelerations), which `mjSTATE_INTEGRATION` leaves out and `mj_forward` does not bring back. MuJoCo
writes it behind a copy of the model, which is cut out and put in again from the model at hand.
Of the model everything is taken that a program may change, not its meshes and textures.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

import numpy as np

Arrays = dict[str, "np.ndarray[Any, Any]"]

_ASSETS = ("mesh_", "tex_", "skin_", "bvh_", "oct_", "name", "text_data", "paths", "flex_vert")
_PARTS = ("opt", "stat")
_MODEL_AT = 18  # bytes of MjData's own form before the model


def is_one(x: object) -> bool:
    """Whether it is a model or a data of MuJoCo."""
    mujoco: Any = sys.modules.get("mujoco")
    return mujoco is not None and isinstance(x, mujoco.MjModel | mujoco.MjData)


def take(x: Any) -> tuple[str, Arrays]:
    """The kind ("MjModel", "MjData"), and a model's fields or a data without its model.

    Raises:
        ValueError: This MuJoCo writes its data in another form.
    """
    mujoco: Any = sys.modules["mujoco"]
    if isinstance(x, mujoco.MjModel):
        return "MjModel", {name: np.array(a) for name, a in _model_fields(x).items()}
    whole, model = x.__getstate__(), _saved(x.model)
    if whole[_MODEL_AT : _MODEL_AT + len(model)] != model:
        raise ValueError("is an MjData in a form that this version does not know")
    rest = whole[:_MODEL_AT] + whole[_MODEL_AT + len(model) :]
    return "MjData", {"whole": np.frombuffer(rest, np.uint8)}


def put(x: Any, arrays: Arrays) -> None:
    """Write what `take` took into a model or data that `check` let pass."""
    mujoco: Any = sys.modules["mujoco"]
    if isinstance(x, mujoco.MjModel):
        fields = _model_fields(x)
        for name, array in arrays.items():
            _write(x, name, fields[name], array)
        return
    rest = arrays["whole"].tobytes()
    whole = rest[:_MODEL_AT] + _saved(x.model) + rest[_MODEL_AT:]
    source = mujoco.MjData.__new__(mujoco.MjData)
    source.__setstate__(whole)
    mujoco.mj_copyData(x, x.model, source)


def check(x: Any, arrays: Arrays) -> None:
    """Compare the sizes of what was taken and what it is to be put into.

    Raises:
        ValueError: They differ.
    """
    kind, own = take(x)
    if {n: a.shape for n, a in own.items() if kind == "MjModel"} != {
        n: a.shape for n, a in arrays.items() if kind == "MjModel"
    } or ("whole" in arrays) != (kind == "MjData"):
        raise ValueError("the MuJoCo models differ in their sizes")
    if (
        kind == "MjData"
        and own["whole"][:_MODEL_AT].tobytes() != arrays["whole"][:_MODEL_AT].tobytes()
    ):
        raise ValueError("the MuJoCo models differ in their sizes")


def twin(x: Any) -> Any:
    """A model or data of the same sizes, with a memory of its own."""
    mujoco: Any = sys.modules["mujoco"]
    return copy.copy(x) if isinstance(x, mujoco.MjModel) else mujoco.MjData(x.model)


def memory_of(x: Any) -> dict[str, tuple[int, int]]:
    """Address and size of each array, to recognise views of them."""
    return {name: (_address(a), a.nbytes) for name, a in _arrays(x).items()}


def array_of(x: Any, name: str) -> np.ndarray[Any, Any]:
    """The live array of that name."""
    array: np.ndarray[Any, Any] = getattr(x, name)
    return array


def _saved(model: Any) -> bytes:
    mujoco: Any = sys.modules["mujoco"]
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def _model_fields(model: Any) -> Arrays:
    fields = {n: a for n, a in _arrays(model).items() if not n.startswith(_ASSETS)}
    for part in _PARTS:
        owner = getattr(model, part)
        for name in _names(owner):
            value = getattr(owner, name)
            if isinstance(value, int | float | np.ndarray | np.generic):
                fields[f"{part}.{name}"] = np.asarray(value)
    return fields


def _write(model: Any, name: str, field: np.ndarray[Any, Any], value: np.ndarray[Any, Any]) -> None:
    part, _, leaf = name.rpartition(".")
    if not part:
        field[...] = value
        return
    owner = getattr(model, part)
    if isinstance(getattr(owner, leaf), np.ndarray):
        getattr(owner, leaf)[...] = value
    else:
        setattr(owner, leaf, value.item())


def _arrays(x: Any) -> Arrays:
    found = {}
    for name in _names(x):
        value = getattr(x, name, None)
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "biuf":
            found[name] = value
    return found


def _names(x: Any) -> list[str]:
    return [name for name in dir(type(x)) if not name.startswith("_")]


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])
