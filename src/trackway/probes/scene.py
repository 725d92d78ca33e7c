"""What recorded states move: the simulated model, kept once under the digest of its content.

    scenes/<hash>.npz    every array of the model under MuJoCo's documented name, for everybody
    scenes/<hash>.mjb    the same for MuJoCo of the version that `hash.npz` names

Strings of `names` end with a zero byte; `name_bodyadr` and its like tell where each begins.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from trackway import files


def model_bytes(model: mujoco.MjModel) -> bytes:
    """The compiled model as MuJoCo stores it."""
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def save_scene(folder: Path, model: mujoco.MjModel) -> str:
    """Keep a model, unless it is there already; the digest that names it."""
    binary = model_bytes(model)
    digest = hashlib.sha256(binary).hexdigest()
    open_form = folder / f"{digest}.npz"
    if not open_form.exists():
        files.make_folder(folder)
        files.publish(folder / f"{digest}.mjb", binary)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **_arrays(model))
        files.publish(open_form, buffer.getbuffer())
    return digest


def _arrays(model: mujoco.MjModel) -> dict[str, Any]:
    found: dict[str, Any] = {"mujoco_version": np.array(mujoco.__version__)}
    found["names"] = np.frombuffer(model.names, np.uint8)
    for prefix, part in (("", model), ("opt.", model.opt), ("stat.", model.stat)):
        for name in dir(part):
            value = None if name.startswith("_") else getattr(part, name)
            if isinstance(value, np.ndarray | int | float):
                found[prefix + name] = np.asarray(value)
    return found
