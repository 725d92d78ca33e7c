"""What recorded states move: the simulated model, kept once under the digest of its content.

    scenes/<hash>.npz    every array of the model under MuJoCo's documented name, for everybody
    scenes/<hash>.mjb    the same for MuJoCo of the version that `hash.npz` names

Strings of `names` end with a zero byte; `name_bodyadr` and its like tell where each begins.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from trackway import files
from trackway.probes.mujoco import motion_source


def save_scene_of(folder: Path, env: Any, probe: Any = None) -> dict[str, Any] | None:
    """Keep the model that an environment simulates, and the one to draw where that is another.

    Args:
        folder: Where scenes are kept.
        env: The environment, or a batch of them, under any wrappers.
        probe: What reads it. Where it tells overrides (`scene`: arrays by name, what they are told
            against), the model is kept as it was without them.

    Returns:
        `physics` and `render`, their digests; `substeps`, physics steps in a step of the environment;
        `limits` where the probe tells which quantities end an episode. None where there is no MuJoCo
        simulation.
    """
    source = motion_source(env)
    if source is None:
        return None
    model, drawn = source.model, source.render_model()
    plain = without_overrides(model, getattr(probe, "scene", {}))
    limits = getattr(probe, "limits", None)
    return {
        "physics": save_scene(folder, plain),
        "render": save_scene(folder, plain if drawn is model else drawn),
        "substeps": round(source.step_s / model.opt.timestep),
        **({"limits": limits} if limits else {}),
    }


def without_overrides(model: mujoco.MjModel, scene: Mapping[str, Any]) -> mujoco.MjModel:
    """The model with these arrays as they were; itself, where nothing differs."""
    if all(np.array_equal(value, field_of(model, name)) for name, value in scene.items()):
        return model
    plain = copy.deepcopy(model)
    for name, value in scene.items():
        field_of(plain, name)[...] = value
    return plain


def field_of(model: mujoco.MjModel, name: str) -> Any:
    """An array of the model by the name that overrides use, such as `body_mass` or `opt.gravity`."""
    part, _, option = name.partition(".")
    return getattr(model.opt, option) if option else getattr(model, part)


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
