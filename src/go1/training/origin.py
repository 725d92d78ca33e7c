"""What a training starts from when it is given a model: a checkpoint of ours, or any other one."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.vec_env import VecEnv

from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.errors import MismatchError

# Plain numbers in every zip of PPO; clip_range is not: it is stored as a pickled function.
_HYPERPARAMETERS = (
    "learning_rate",
    "n_steps",
    "batch_size",
    "n_epochs",
    "gamma",
    "gae_lambda",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
)


@dataclass(frozen=True)
class Origin:
    """A model file, opened and verified; nothing of it has been unpickled.

    Attributes:
        checkpoint: The file.
        described: What Stable-Baselines3 wrote about the model, the readable part.
    """

    checkpoint: Checkpoint
    described: Mapping[str, Any]

    @staticmethod
    def open(path: Path) -> Origin:
        """Open a model file.

        Raises:
            CheckpointError: It is missing, no model, damaged, or of another algorithm.
        """
        return Origin.of(read_checkpoint(path))

    @staticmethod
    def of(checkpoint: Checkpoint) -> Origin:
        """A checkpoint that was read already.

        Raises:
            MismatchError: It is of another algorithm.
        """
        with zipfile.ZipFile(checkpoint.path) as archive:
            described = json.loads(archive.read("data"))
        if "clip_range" not in described:
            raise MismatchError(checkpoint.path, "it is no PPO model, and train.py trains PPO")
        return Origin(checkpoint, described)

    @property
    def path(self) -> Path:
        return self.checkpoint.path

    @property
    def resumes(self) -> bool:
        """Whether training goes on here; otherwise it starts anew from the weights."""
        return self.checkpoint.resumable

    @property
    def timestep(self) -> int:
        return (self.checkpoint.timestep or 0) if self.resumes else 0

    @property
    def ours(self) -> bool:
        """Whether `train.py` wrote it, so that a learner can be built from its settings."""
        return self.checkpoint.document("config.json") is not None

    @property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """The settings it was trained with, as tables; of another's model, what can be read."""
        tables: Mapping[str, Mapping[str, Any]] | None = self.checkpoint.document("config.json")
        if tables is not None:
            return tables
        return {
            "ppo": {
                name: self.described[name]
                for name in _HYPERPARAMETERS
                if isinstance(self.described.get(name), int | float)
            }
        }

    @property
    def facts(self) -> dict[str, Any]:
        """What it keeps of its making, to be compared with where it is used."""
        manifest = self.checkpoint.manifest
        fingerprint = manifest.get("fingerprint", {})
        return {
            "config": self.settings if self.ours else {},
            "versions": manifest.get("compatibility", {}).get("versions", {}),
            "machine": {"cpu": fingerprint["cpu"]} if "cpu" in fingerprint else {},
        }

    @property
    def inexact_because(self) -> list[str]:
        """What of the training's state it does not hold; empty: it goes on bit for bit."""
        return self.checkpoint.inexact_because

    def check_fits(self, envs: VecEnv) -> None:
        """Compare the spaces of model and robots.

        Raises:
            MismatchError: The model sees or does something else than these robots offer.
        """
        for key in ("observation_space", "action_space"):
            shape = tuple(self.described.get(key, {}).get("_shape", ()))
            space = getattr(envs, key)
            if shape != space.shape:
                raise self.mismatch(
                    f"its {key.replace('_', ' ')} has shape {shape}, this robot's {space.shape}"
                )

    def mismatch(self, what: str) -> MismatchError:
        """The error of a model that belongs to another robot."""
        hint = "choose the robot it was trained with (--ctrl_type, --biped, --physics)"
        return MismatchError(self.path, f"{what}; {hint}")
