"""A checkpoint on its way to the writer: the model's zip, our members of it, and its JSON record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from trackway.checkpoint.archive import FORMAT
from trackway.clock import file_stamp
from trackway.format.jsonable import jsonable
from trackway.frameworks.sb3.learner import (
    architecture,
    rollout_settings,
    schedule_or_value,
    text_of,
)
from trackway.frameworks.sb3.snapshots import Taken
from trackway.frameworks.sb3.state import NOT_CAPTURED
from trackway.legacy.curriculum import CurriculumCallback
from trackway.legacy.observer import Observer
from trackway.probes.system import versions


@cache
def compatibility() -> dict[str, Any]:
    """What has to fit where a checkpoint is opened."""
    return {
        "versions": versions(),
        "platform": sys.platform,
        "model_file_format": "Stable-Baselines3 zip, with members added under trackway/",
    }


def documents(
    observer: Observer,
    timestep: int,
    curriculum: CurriculumCallback | None,
    config: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What a checkpoint keeps beside the state of the training, by the names of its members."""
    episodes = observer.episodes
    return {
        "counters": {"timestep": timestep, **(episodes.state() if episodes else {})},
        "curriculum": curriculum.state() if curriculum else None,
        "config": jsonable(config),
    }


def checkpoint_message(
    model: Any,
    taken: Taken | None,
    timestep: int,
    unix_s: float,
    zip_folder: Path,
    *,
    reason: str,
    learn: int,
    number: int,
    metric: float | None,
    resume_command: Callable[[Path], str],
    total_timesteps: int | None,
) -> dict[str, Any]:
    """Everything that a checkpoint holds but its arrays.

    The file name is a wish: where it is taken, the writer takes the next one, and corrects it in
    the record.

    Args:
        model: The algorithm, or None where the callback is driven by hand.
        taken: Its snapshot.
        timestep: When it was taken.
        unix_s: Now.
        zip_folder: Where its zip is to go.
        reason: Why it is made.
        learn: Which call of `learn` this is.
        number: Checkpoints taken before it.
        metric: How good the policy was, for those that keep the best.
        resume_command: Gives the command that resumes from it.
        total_timesteps: The whole training.
    """
    stem = f"checkpoint_{file_stamp(unix_s)}"
    zip_path = zip_folder / f"{stem}.zip"
    record: dict[str, Any] = {"timestep": timestep, "timestamp": unix_s}
    message: dict[str, Any] = {"kind": "checkpoint", "unix_s": unix_s, "stem": stem}
    training = {"total_timesteps": timestep, "planned_total_timesteps": total_timesteps}
    recovery: dict[str, Any] = {"checkpoint_time": unix_s, "reason": reason}
    if taken is None:
        recovery |= {
            "can_resume": False,
            "resume_instructions": "there is nothing to resume from: the callback was driven by hand, "
            "without a model",
            "model_path": None,
            "exact": list(NOT_CAPTURED),
        }
        record |= {"training_info": training, "missing": ["model_info", "environment_info"]}
    else:
        recovery |= {
            "can_resume": True,
            "resume_instructions": resume_command(zip_path),
            "model_path": str(zip_path),
            "exact": taken.facts["exact"],
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
                "observation_space": text_of(model.observation_space),
                "action_space": text_of(model.action_space),
            },
        }
        facts = {
            "format": FORMAT,
            "timestep": timestep,
            "timestamp": unix_s,
            "reason": reason,
            "number": number,
            "learn": learn,
            "metric": metric,
            "algorithm": type(model).__name__,
            "planned_total_timesteps": total_timesteps,
            **record["environment_info"],
            **taken.facts,
            "compatibility": compatibility(),
        }
        message |= {**taken.content, "manifest": facts}
    record |= {"recovery_info": recovery, "compatibility": dict(compatibility())}
    return {**message, "record": record}
