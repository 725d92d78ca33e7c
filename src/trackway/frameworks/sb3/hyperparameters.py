"""Everything that was set when training began, as one record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackway.format.jsonable import jsonable
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.learner import (
    architecture,
    find_optimizer,
    rollout_settings,
    schedule_or_value,
)
from trackway.probes.system import (
    command_line,
    git_state,
    machine,
    program_folder,
    versions,
)

# Always in the record, null where the algorithm has no such setting.
_PROMISED = (
    *("learning_rate", "n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "clip_range"),
    *("clip_range_vf", "ent_coef", "vf_coef", "max_grad_norm", "use_sde", "sde_sample_freq"),
    *("target_kl", "tensorboard_log", "policy_kwargs", "verbose", "seed", "device"),
)
_FURTHER = (
    *("buffer_size", "tau", "gradient_steps", "target_entropy", "policy_delay"),
    "normalize_advantage",
)


def read_hyperparameters(
    model: Any, envs: Environments | None, configs: list[dict[str, Any]], started_unix_s: float
) -> dict[str, Any]:
    """The record of a training that begins now.

    Args:
        model: The algorithm, or None where the callback is driven by hand.
        envs: Its environments.
        configs: One entry per environment for `environment_configs`.
        started_unix_s: When training started.
    """
    record: dict[str, Any] = {}
    if model is not None:
        record["model_type"] = type(model).__name__
        record["policy_type"] = type(model.policy).__name__ if hasattr(model, "policy") else None
        for name in _PROMISED + _FURTHER:
            if hasattr(model, name):
                value = getattr(model, name)
                record[name] = str(value) if name == "device" else schedule_or_value(value)
            elif name in _PROMISED:
                record[name] = None
        record |= rollout_settings(model) | architecture(model)
        record["optimizer"] = _optimizer(model)
    if envs is not None:
        record["num_envs"] = envs.num_envs
        record["vec_env"] = type(envs.inner).__name__
        normalizer = envs.normalizer
        record["vec_normalize"] = normalizer is not None and {
            name: jsonable(getattr(normalizer, name))
            for name in ("norm_obs", "norm_reward", "clip_obs", "clip_reward", "gamma", "epsilon")
        }
    record |= {
        "environment_configs": configs,
        "versions": versions(),
        "machine": machine(),
        "git": git_state(program_folder()) or git_state(Path.cwd()),
        "command_line": command_line(),
        "working_directory": str(Path.cwd()),
        "timestamp": started_unix_s,
        "training_start_time": started_unix_s,
    }
    return record


def _optimizer(model: Any) -> dict[str, Any] | None:
    optimizer = find_optimizer(model)
    if optimizer is None:
        return None
    return {"type": type(optimizer).__name__, "arguments": jsonable(optimizer.defaults)}
