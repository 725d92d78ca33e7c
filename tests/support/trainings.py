"""Small trainings, and reading what they recorded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv


def ppo(venv: VecEnv, **arguments: Any) -> PPO:
    """A learner that is quick rather than good."""
    settings = {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "device": "cpu", "seed": 0}
    return PPO("MlpPolicy", venv, policy_kwargs={"net_arch": [8]}, **(settings | arguments))


def strict_loads(data: bytes) -> Any:
    """JSON as the standard has it: no NaN, no Infinity, UTF-8."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


def documents(folder: Path, pattern: str) -> list[Any]:
    """The content of each file, in the order of writing."""

    def order(path: Path) -> tuple[str, int]:
        *stem, last = path.stem.split("_")
        # checkpoint_20250101_120000_2 comes after checkpoint_20250101_120000
        return ("_".join(stem), int(last)) if len(last) < 6 else (path.stem, 1)

    return [strict_loads(path.read_bytes()) for path in sorted(folder.glob(pattern), key=order)]


def records(folder: Path, kind: str) -> list[dict[str, Any]]:
    """All records of a kind (`episodes`, `environment_states`, `learning_metrics`)."""
    return [record for file in documents(folder / kind, "*.json") for record in file]


def episodes_of(folder: Path) -> list[dict[str, Any]]:
    return [record for record in records(folder, "episodes") if record["record"] == "episode"]


def snapshots_of(folder: Path) -> list[dict[str, Any]]:
    return [record for record in records(folder, "episodes") if record["record"] == "snapshot"]


class Watcher(BaseCallback):
    """Keeps what the learner saw, to compare records with."""

    def __init__(self) -> None:
        super().__init__()
        self.finished: list[tuple[int, int, dict[str, Any]]] = []

    def _on_step(self) -> bool:
        for i in np.flatnonzero(self.locals["dones"]):
            self.finished.append((self.num_timesteps, int(i), dict(self.locals["infos"][i])))
        return True
