"""What the learner knows about itself: losses, rates, its optimizer, its schedules."""

from __future__ import annotations

import copy
from typing import Any

import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from trackway.format.jsonable import described, jsonable

# Always in a record, null before the first update or where an algorithm has no such thing.
UPDATE_KEYS = (
    "loss",
    "policy_gradient_loss",
    "value_loss",
    "entropy_loss",
    "approx_kl",
    "clip_fraction",
    "explained_variance",
    "std",
    "gradient_norm",
    "n_updates",
)
_TRAIN = "train/"


class UpdateMetrics:
    """The last update's metrics, kept because the logger forgets them when it writes.

    Attributes:
        collected: How often there was something to take.
    """

    def __init__(self) -> None:
        self.collected = 0
        self._latest: dict[str, Any] = {}
        self._norm_of: Any = None
        self._read_of: Any = None

    def collect(self, model: Any) -> None:
        """Take what the logger holds; call between an update and the logger's next dump."""
        values = getattr(getattr(model, "_logger", None), "name_to_value", None)
        if not values:
            return
        self.collected += 1
        for name, value in values.items():
            if name.startswith(_TRAIN):
                self._latest[name[len(_TRAIN) :]] = jsonable(value)

    def state_dict(self) -> dict[str, Any]:
        """What is kept; see `trackway.checkpoint.stateful`."""
        return {"latest": self._latest, "norm_of": self._norm_of, "read_of": self._read_of}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._latest = state["latest"]
        self._norm_of, self._read_of = state["norm_of"], state["read_of"]

    @property
    def unread(self) -> bool:
        """Whether there was an update since the metrics were read last."""
        return bool(self._latest.get("n_updates") != self._read_of)

    def read(self, model: Any) -> dict[str, Any]:
        """The metrics of the last update, with the norm of the gradients it ended with."""
        updates = self._read_of = self._latest.get("n_updates")
        if updates is not None and updates != self._norm_of:
            self._norm_of = updates
            norm = gradient_norm(model)
            if norm is not None:
                self._latest["gradient_norm"] = norm
        return {**dict.fromkeys(UPDATE_KEYS), **self._latest}


def gradient_norm(model: Any) -> float | None:
    """L2 norm of the gradients that the last minibatch left (after clipping, where it clips)."""
    gradients = [p.grad for p in model.policy.parameters() if p.grad is not None]
    if not gradients:
        return None
    return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))


def learner_settings(model: Any) -> dict[str, Any]:
    """What never changes of the learner; None for what the algorithm does not have."""
    optimizer = find_optimizer(model)
    return {
        **rollout_settings(model),
        "policy_type": type(model.policy).__name__ if hasattr(model, "policy") else None,
        "policy_device": str(model.device) if hasattr(model, "device") else None,
        "optimizer_type": type(optimizer).__name__ if optimizer is not None else None,
    }


def learning_rates(model: Any) -> dict[str, Any]:
    """What the schedule says now, and what the optimizer was given last."""
    optimizer = find_optimizer(model)
    schedule = getattr(model, "lr_schedule", None)
    progress = getattr(model, "_current_progress_remaining", 1.0)
    return {
        "policy_learning_rate": float(schedule(progress)) if callable(schedule) else None,
        "optimizer_lr": optimizer.param_groups[0]["lr"] if optimizer is not None else None,
    }


def rollout_settings(model: Any) -> dict[str, Any]:
    """When learning starts, in timesteps, and how many steps of the VecEnv lie between updates."""
    if isinstance(model, OnPolicyAlgorithm):
        return {
            "learning_starts": model.n_steps * model.n_envs,
            "train_freq": {"frequency": model.n_steps, "unit": "step"},
        }
    return {
        "learning_starts": getattr(model, "learning_starts", None),
        "train_freq": jsonable(getattr(model, "train_freq", None)),
    }


def find_optimizer(model: Any) -> Any:
    """The optimizer of the policy: for actor-critic algorithms, the actor's."""
    for owner in (getattr(model, "policy", None), getattr(model, "actor", None)):
        optimizer = getattr(owner, "optimizer", None)
        if optimizer is not None:
            return optimizer
    return None


def schedule_or_value(value: Any) -> Any:
    """A number as it is; a schedule as its values at the beginning and the end of training."""
    if not callable(value):
        return jsonable(value)
    try:
        return {
            "at_progress_1.0": float(value(1.0)),
            "at_progress_0.0": float(value(0.0)),
            "description": described(value),
        }
    except Exception:  # noqa: BLE001 - somebody else's function; its name is still worth keeping
        return {"description": described(value)}


def architecture(model: Any) -> dict[str, Any]:
    """The network's layers by name, and how many parameters it has."""
    policy = getattr(model, "policy", None)
    if policy is None or not hasattr(policy, "named_modules"):
        return {}
    layers = {
        name: described(module)
        for name, module in policy.named_modules()
        if name and not any(True for _ in module.children())
    }
    return {
        "network_architecture": layers,
        "parameter_count": sum(p.numel() for p in policy.parameters()),
        "trainable_parameter_count": sum(p.numel() for p in policy.parameters() if p.requires_grad),
    }


def text_of(space: Any) -> str:
    """How a space writes itself. It is a copy that does: a Box notes its words, and may be an environment's own."""
    return str(copy.deepcopy(space))
