"""Take out of a training what a checkpoint keeps beyond `model.save`, and put it back.

Kept: normalisation statistics, counts, curriculum, the random states of the trainer. Not kept, and
named in `NOT_CAPTURED`: what lives in the environments and in the buffers.
"""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.save_util import data_to_json

from trackway.checkpoint.archive import Arrays, pack_arrays
from trackway.checkpoint.read import Checkpoint
from trackway.errors import MismatchError
from trackway.format.jsonable import jsonable, strict_json
from trackway.frameworks.sb3.environments import Environments

_log = logging.getLogger("trackway")
NOT_CAPTURED = (
    "state of the environments: running episodes are abandoned and new ones begin",
    "rollout buffer: steps since the last update are collected again",
    "replay buffer: off-policy algorithms fill it anew (save it yourself with save_replay_buffer)",
    "random states of the environments: they are seeded anew from the seed and the timestep",
)


@dataclass(frozen=True)
class Restored:
    """What belongs to others than the model: hand it to callbacks and to the program."""

    timestep: int
    counters: dict[str, Any] | None
    curriculum: dict[str, Any] | None
    config: Any


def model_zip(model: Any, leave_out: Iterable[str] = ()) -> bytes:
    """The model as `model.save` writes it: weights, optimizer, settings, timesteps.

    Args:
        model: The algorithm. What of its attributes cannot be pickled is left out, with a warning.
        leave_out: Names of attributes that are not wanted.
    """
    buffer = io.BytesIO()
    try:
        model.save(buffer, exclude=leave_out)
    except Exception:  # whatever a class raises that refuses to be pickled
        names = vars(model).keys() - {*leave_out, *model._excluded_save_params()}
        refused = {name for name in names if not _can_be_saved(vars(model)[name])}
        if not refused:
            raise
        _log.warning(
            "the model is saved without %s, which cannot be pickled", ", ".join(sorted(refused))
        )
        buffer = io.BytesIO()
        model.save(buffer, exclude={*leave_out, *refused})
    return buffer.getvalue()


def _can_be_saved(x: Any) -> bool:
    try:
        data_to_json({"x": x})
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def capture(model: Any, documents: Mapping[str, Any], rng: bool = True) -> dict[str, bytes]:
    """The members that a checkpoint adds to the model's zip, by name.

    Args:
        model: The algorithm, between two steps.
        documents: Further members (`counters`, `curriculum`, `config`), each written as JSON.
        rng: Whether the random states are among them; the exact state has them, too.
    """
    members = _rng_members(model) if rng else {}
    normalizer = _environments(model).normalizer
    if normalizer is not None:
        members["vecnormalize.npz"] = pack_arrays(_normalizer_arrays(normalizer))
    for name, document in documents.items():
        if document is not None:
            members[f"{name}.json"] = strict_json(jsonable(document))
    return members


def _rng_members(model: Any) -> dict[str, bytes]:
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - SB3 draws from it
    rng_arrays: dict[str, Any] = {
        "torch": torch.get_rng_state().numpy(),
        "numpy_keys": numpy_state["state"]["key"],
    }
    cuda: Any = torch.cuda
    if cuda.is_initialized():  # as in `checkpoint.rng`
        rng_arrays["cuda"] = np.stack([s.numpy() for s in cuda.get_rng_state_all()])
    version, internal, gauss = random.getstate()
    space_rng = getattr(model.action_space, "_np_random", None)
    rng = {
        "python": {"version": version, "state": list(internal), "gauss": gauss},
        "numpy": {
            "pos": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
        # Written as text: the state of this generator has 128 bits.
        "action_space": json.dumps(jsonable(space_rng.bit_generator.state)) if space_rng else None,
        "seed": model.seed,
    }
    return {"rng.json": strict_json(rng), "rng.npz": pack_arrays(rng_arrays)}


def restore(model: Any, checkpoint: Checkpoint) -> Restored:
    """Put back into a loaded model and its environments what a checkpoint holds beyond the weights.

    Call it after `PPO.load(checkpoint.path, env=env)` and before `learn(...,
    reset_num_timesteps=False)`. The environments get seeds of their own, so that they do not
    repeat the first episodes of the training.

    Raises:
        MismatchError: The checkpoint holds normalisation statistics that do not fit the environment.
    """
    envs = _environments(model)
    statistics = checkpoint.arrays("vecnormalize.npz")
    if statistics is not None:
        _restore_normalizer(envs, statistics, checkpoint)
    if checkpoint.timestep is not None:
        model.num_timesteps = checkpoint.timestep
    if model.seed is not None:
        envs.venv.seed(model.seed + model.num_timesteps)
    _restore_rng(model, checkpoint)
    return Restored(
        model.num_timesteps,
        checkpoint.document("counters.json"),
        checkpoint.document("curriculum.json"),
        checkpoint.document("config.json"),
    )


def _environments(model: Any) -> Environments:
    return Environments(model.get_env())


def _normalizer_arrays(normalizer: Any) -> dict[str, Any]:
    arrays = {"returns": normalizer.returns}
    for name, statistics in _running_statistics(normalizer).items():
        for part in ("mean", "var", "count"):
            arrays[f"{name}/{part}"] = np.asarray(getattr(statistics, part))
    return arrays


def _running_statistics(normalizer: Any) -> dict[str, Any]:
    found = {"ret": normalizer.ret_rms}
    obs = getattr(normalizer, "obs_rms", None)
    if isinstance(obs, dict):
        found |= {f"obs/{key}": statistics for key, statistics in obs.items()}
    elif obs is not None:
        found["obs"] = obs
    return found


def _restore_normalizer(envs: Environments, arrays: Arrays, checkpoint: Checkpoint) -> None:
    normalizer = envs.normalizer
    if normalizer is None:
        raise MismatchError(
            checkpoint.path,
            "it was trained with VecNormalize; wrap the environment in VecNormalize",
        )
    found = _running_statistics(normalizer)
    for name, statistics in found.items():
        mean = arrays.get(f"{name}/mean")
        if mean is None or mean.shape != np.shape(statistics.mean):
            raise MismatchError(
                checkpoint.path, f"its VecNormalize statistics {name!r} are of another shape"
            )
    for name, statistics in found.items():
        statistics.mean = arrays[f"{name}/mean"].copy()
        statistics.var = arrays[f"{name}/var"].copy()
        statistics.count = float(arrays[f"{name}/count"])
    if arrays["returns"].shape == normalizer.returns.shape:
        normalizer.returns = arrays["returns"].copy()


def _restore_rng(model: Any, checkpoint: Checkpoint) -> None:
    rng, arrays = checkpoint.document("rng.json"), checkpoint.arrays("rng.npz")
    if rng is None or arrays is None:
        return
    if rng["action_space"] is not None:
        model.action_space.np_random.bit_generator.state = json.loads(rng["action_space"])
    python, legacy = rng["python"], rng["numpy"]
    random.setstate((python["version"], tuple(python["state"]), python["gauss"]))
    np.random.set_state(  # noqa: NPY002
        ("MT19937", arrays["numpy_keys"], legacy["pos"], legacy["has_gauss"], legacy["gauss"])
    )
    if "cuda" in arrays and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([torch.from_numpy(s) for s in arrays["cuda"]])
    torch.set_rng_state(torch.from_numpy(arrays["torch"]))
