"""A recorded training without a simulator: what the dashboard shows, in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway import Field, Recorder, Schema
from trackway.probes.machine import SYSTEM_SCHEMA

NUM_ENVS = 4
STEPS = Schema(
    Field("reward", "float64"),
    Field("torque", "float32", (3,), "N m"),
    Field("terminated", "bool"),
    Field("truncated", "bool"),
)


class RecordedRun:
    """Writes a run as a training does, as far as a test lets it."""

    def __init__(
        self, path: Path, *, begin: int = 0, planned: int = 40_000, **options: Any
    ) -> None:
        self.path, self.begin, self.rows, self.updates, self.episodes = path, begin, 0, 0, 0
        self.unix_s = 1.8e9 + begin
        path.mkdir(parents=True, exist_ok=True)
        if not (path / "run.json").exists():
            manifest = {
                "format": "trackway-run", "version": 1, "run_id": path.name,
                "created_unix": self.unix_s, "status": "finished", "command": ["train.py"],
                "config": {"ppo": {"learning_rate": 3e-4, "seed": len(path.name)}, "total_timesteps": planned},
            }  # fmt: skip
            (path / "run.json").write_bytes(orjson.dumps(manifest))
        self.recorder = Recorder(path, ring_bytes=1 << 20, **options)
        self.steps = self.recorder.stream("steps", STEPS, NUM_ENVS)
        self.system = self.recorder.stream("system", SYSTEM_SCHEMA)
        self._tell(
            "events", event="begin", num_envs=NUM_ENVS, algorithm="PPO", environment="Toy-v0",
            planned_timesteps=planned,
        )  # fmt: skip

    @property
    def timestep(self) -> int:
        return self.begin + self.rows * NUM_ENVS

    def train(self, rows: int, *, reward: float = 1.0, nan_at: int | None = None) -> None:
        """So many vector steps: an episode every 5 rows, an update every 50."""
        random = np.random.default_rng(self.rows)
        for _ in range(rows):
            row = self.steps.row
            row["reward"][:] = reward + random.normal(size=NUM_ENVS) * 0.1
            row["torque"][:] = random.normal(size=(NUM_ENVS, 3))
            if self.rows == nan_at:
                row["reward"][1] = np.nan
            self.steps.commit()
            self.rows += 1
            self.unix_s += 0.01
            if self.rows % 5 == 0:
                self._end_episode(reward, random)
            if self.rows % 50 == 0:
                self._update()

    def event(self, kind: str, **facts: Any) -> None:
        self._tell("events", event=kind, **facts)

    def close(self, how: str = "ended") -> None:
        self._tell("events", event="end", how=how, errors=0)
        self.recorder.close()

    def _end_episode(self, reward: float, random: np.random.Generator) -> None:
        self.episodes += 1
        env, fell = self.episodes % NUM_ENVS, bool(random.random() < 0.3)
        self._tell("starts", env=env, episode=self.episodes,
                   start={"rand_power": max(0.0, 1 - self.timestep / 40_000), "command": [float(env) / 2, 0.0, 0.0]})  # fmt: skip
        self._tell(
            "episodes", env=env, episode=self.episodes,
            **{"return": reward * 100 + random.normal(), "length": 50 if fell else 500, "terminated": fell, "truncated": not fell},
            termination_reason="fell" if fell else "time_limit", is_success=not fell,
            reward_components={"progress": reward * 120.0, "pose": reward * 10},
            cost_components={"torque": reward * 30.0},
        )  # fmt: skip

    def _update(self) -> None:
        self.updates += 1
        self._tell("updates", n_updates=self.updates, gradient_norm=0.5, rand_power=0.5,
                   **{"train/approx_kl": 0.01, "train/value_loss": 1 / self.updates, "train/explained_variance": 0.9})  # fmt: skip
        row = self.system.row
        row["unix_s"][0], row["timestep"][0] = self.unix_s, self.timestep
        row["cpu_percent"][0], row["memory_bytes"][0], row["disk_free_bytes"][0] = 90.0, 4e8, 5e10
        row["gpu_memory_bytes"][0] = np.nan
        self.system.commit()

    def _tell(self, stream: str, **facts: Any) -> None:
        told = {"timestep": self.timestep, "unix_s": self.unix_s, "row": self.rows, **facts}
        self.recorder.records(stream).append(told)
