"""What can be set about the learner: arguments of Stable-Baselines3's PPO, and its network.

Looked at before a folder is made: what Stable-Baselines3 would stumble over in the middle of a
training is refused here, in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from go1.checks import check_choice, check_number, check_whole

ACTIVATIONS = ("elu", "relu", "tanh")
# Samples of one rollout: what the learning was tuned for, however many robots share them.
_ROLLOUT_SAMPLES = 6144

_PPO: dict[str, Any] = {
    "learning_rate": [1e-3, 5e-4],  # start → end, or one number
    "batch_size": 1536,
    "n_epochs": 5,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "ent_coef": 0.005,
    "max_grad_norm": 1.0,
}
_POLICY: dict[str, Any] = {"net_arch": [128, 128], "activation": "elu", "log_std_init": -0.5}

_share = partial(check_number, at_least=0.0, at_most=1.0)
_positive = partial(check_number, above=0.0)
_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "n_steps": check_whole,
    "batch_size": partial(check_whole, at_least=2),
    "n_epochs": check_whole,
    "gamma": _share,
    "gae_lambda": _share,
    "clip_range": _positive,
    "clip_range_vf": _positive,
    "ent_coef": check_number,
    "vf_coef": check_number,
    "max_grad_norm": _positive,
    "target_kl": _positive,
    "use_sde": partial(check_choice, allowed=(True, False)),
    "sde_sample_freq": partial(check_whole, at_least=-1),
}
PPO_KEYS = ("learning_rate", *_CHECKS)
POLICY_KEYS = tuple(_POLICY)


def ppo(given: Mapping[str, Any], num_envs: int) -> dict[str, Any]:
    """PPO's arguments: those given, and what is tuned for the others.

    Args:
        given: By name.
        num_envs: Robots that share a rollout.

    Raises:
        ValueError: One of them cannot be used.
    """
    for name, value in given.items():
        if name == "learning_rate":
            _check_rate(value)
        elif not (value is None and name in ("clip_range_vf", "target_kl")):
            _CHECKS[name](name, value)
    settings = {"n_steps": max(1, _ROLLOUT_SAMPLES // num_envs), **_PPO, **given}
    samples = settings["n_steps"] * num_envs
    if samples < 2:
        raise ValueError("n_steps x num_parallel_envs must be 2 or more")
    settings["batch_size"] = min(settings["batch_size"], samples)
    return settings


def policy(given: Mapping[str, Any]) -> dict[str, Any]:
    """The network: what was given, and defaults.

    Raises:
        ValueError: Something cannot be used.
    """
    settings = {**_POLICY, **given}
    layers = settings["net_arch"]
    if not isinstance(layers, list | tuple):
        raise ValueError(f"net_arch must be a list of layers' sizes, [128, 128]; got {layers!r}")
    for size in layers:
        check_whole("each size of net_arch", size)
    check_choice("activation", settings["activation"], ACTIVATIONS)
    check_number("log_std_init", settings["log_std_init"])
    return settings


def _check_rate(value: Any) -> None:
    pair = isinstance(value, list | tuple) and len(value) == 2
    for rate in value if pair else [value]:
        try:
            check_number("learning_rate", rate, at_least=0.0)
        except ValueError:
            raise ValueError(
                f"learning_rate must be a number of at least 0, or two, [start, end]; got {value!r}"
            ) from None
