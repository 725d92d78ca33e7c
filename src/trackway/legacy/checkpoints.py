"""A checkpoint on its way to the writer: the model's zip, our members of it, and its JSON record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from trackway.clock import file_stamp
from trackway.format.columns import Columns
from trackway.format.jsonable import jsonable
from trackway.frameworks.sb3.exact import capture as capture_exactly
from trackway.frameworks.sb3.learner import architecture, rollout_settings, schedule_or_value
from trackway.frameworks.sb3.state import NOT_CAPTURED, capture, model_zip
from trackway.legacy.curriculum import CurriculumCallback
from trackway.legacy.observer import Observer
from trackway.probes.system import versions

_FORMAT = 2


@cache
def compatibility() -> dict[str, Any]:
    """What has to fit where a checkpoint is opened."""
    return {
        "versions": versions(),
        "platform": sys.platform,
        "model_file_format": "Stable-Baselines3 zip, with members added under trackway/",
    }


def checkpoint_message(
    observer: Observer,
    timestep: int,
    unix_s: float,
    zip_folder: Path,
    *,
    reason: str,
    resume_command: Callable[[Path], str],
    total_timesteps: int | None,
    curriculum: CurriculumCallback | None,
    config: Mapping[str, Any] | None,
    callback: BaseCallback | None,
    point: str | None,
) -> tuple[dict[str, Any], Columns]:
    """Everything that a checkpoint of this moment holds: a message and its arrays.

    The `point` says whether training can go on from it exactly; see `Session.checkpoint`.
    The file name is a wish: where it is taken, the writer takes the next one, and corrects it in
    the record.
    """
    model, stem = observer.model, f"checkpoint_{file_stamp(unix_s)}"
    zip_path = zip_folder / f"{stem}.zip"
    record: dict[str, Any] = {"timestep": timestep, "timestamp": unix_s}
    message: dict[str, Any] = {"kind": "checkpoint", "unix_s": unix_s, "stem": stem, "zip": None}
    training = {"total_timesteps": timestep, "planned_total_timesteps": total_timesteps}
    arrays: Columns = {}
    recovery = {"checkpoint_time": unix_s, "reason": reason, "exact": list(NOT_CAPTURED)}
    if model is None or not hasattr(model, "save"):
        recovery |= {
            "can_resume": False,
            "resume_instructions": "there is nothing to resume from: the callback was driven by hand, "
            "without a model",
            "model_path": None,
        }
        record |= {"training_info": training, "missing": ["model_info", "environment_info"]}
    else:
        recovery |= {
            "can_resume": True,
            "resume_instructions": resume_command(zip_path),
            "model_path": str(zip_path),
        }
        record |= {
            "model_info": {
                "model_type": type(model).__name__,
                "policy_type": type(model.policy).__name__,
                "learning_rate": schedule_or_value(model.learning_rate),
                "policy_architecture": architecture(model),
            },
            "training_info": training | rollout_settings(model),
            "environment_info": {
                "num_envs": model.n_envs,
                "observation_space": str(model.observation_space),
                "action_space": str(model.action_space),
            },
        }
        snapshot = None if point is None else capture_exactly(model, callback, point)
        if snapshot is not None:
            arrays, message["graph"] = snapshot.graph.arrays, snapshot.graph.document()
            recovery["exact"] = snapshot.inexact or True
        episodes = observer.episodes
        documents = {
            "counters": {"timestep": timestep, **(episodes.state() if episodes else {})},
            "curriculum": curriculum.state() if curriculum else None,
            "config": jsonable(config),
        }
        message |= {
            "zip": model_zip(model),
            "members": capture(model, documents),
            "manifest": {
                "format": _FORMAT,
                "timestep": timestep,
                "timestamp": unix_s,
                "reason": reason,
                "algorithm": type(model).__name__,
                "planned_total_timesteps": total_timesteps,
                **record["environment_info"],
                "exact": recovery["exact"],
                "point": point,
                "iteration": snapshot.iteration if snapshot else None,
                "compatibility": compatibility(),
            },
        }
    record |= {"recovery_info": recovery, "compatibility": dict(compatibility())}
    return {**message, "record": record}, arrays
