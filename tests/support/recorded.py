"""Runs as the recorder's callback leaves them, without a training: the same streams and facts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from tests.support.clock import FakeClock

from trackway.format.schema import Field, Schema
from trackway.probes.machine import SYSTEM_SCHEMA
from trackway.recorder.recorder import Recorder
from trackway.run import RunFolder, new_manifest, write_manifest

SCHEMA = Schema(
    Field("reward", "float32", unit="1", description="reward of the step"),
    Field("qpos", "float64", (3,), unit="m", description="where the ball is"),
    Field("torque", "float32", (2,), unit="N m", description="torque of the motors: left, right"),
    Field("foot_contact", "bool", (2,), unit="1", description="whether a foot stands: left, right"),
    Field("reward_component.speed", "float32", unit="1"),
    Field("cost_component.energy", "float32", unit="1"),
    Field("terminated", "bool", unit="1"),
    Field("truncated", "bool", unit="1"),
)
EPISODE_ROWS = 50
UPDATE_ROWS = 100
BEGUN_UNIX_S = 1_735_700_000.0
ROW_S = 0.02


def make_run(
    path: Path,
    *,
    status: str = "finished",
    algorithm: str = "PPO",
    seed: int = 0,
    planned: int = 4000,
    **facts: Any,
) -> RunFolder:
    """A run's folder with its manifest."""
    run = RunFolder(path)
    manifest = new_manifest(
        command=["train.py"],
        config={"train": {"seed": seed, "total_timesteps": planned}},
        clock=FakeClock(BEGUN_UNIX_S),
        algorithm=algorithm,
        **facts,
    )
    write_manifest(run, manifest | {"status": status})
    return run


def step_columns(row: int, num_envs: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Row `row` of `steps`, the same whenever it is asked for."""
    rng = np.random.default_rng([seed, row])
    env = np.arange(num_envs)
    at_end = np.full(num_envs, row % EPISODE_ROWS == EPISODE_ROWS - 1)
    swing = np.sin(row / 5 + env)
    return {
        "reward": (rng.normal(size=num_envs) * 0.1 + row / 1000).astype(np.float32),
        "qpos": np.stack([row * 0.01 + env, swing, np.full(num_envs, 0.3)], axis=1),
        "torque": np.stack([swing, -swing], axis=1).astype(np.float32),
        "foot_contact": np.stack([swing > 0, swing <= 0], axis=1),
        "reward_component.speed": np.full(num_envs, 0.5, np.float32),
        "cost_component.energy": np.full(num_envs, 0.1, np.float32),
        "terminated": at_end & (env % 2 == 0),
        "truncated": at_end & (env % 2 == 1),
    }


def record_attempt(
    run: Path,
    rows: int,
    *,
    num_envs: int = 4,
    begin: int = 0,
    seed: int = 0,
    rank: int = 0,
    unix_s: float = BEGUN_UNIX_S,
    close: bool = True,
    checkpoints: Iterable[Path] = (),
    more: tuple[Field, ...] = (),
    segment_bytes: int = 64 << 20,
) -> Recorder:
    """One attempt of `rows` vector steps that begins at timestep `begin`.

    Of `more` fields, every number of row n is n.
    """
    recorder = Recorder(
        run, rank=rank, ring_bytes=1 << 20, segment_bytes=segment_bytes, compact=segment_bytes > 1e6
    )
    steps = recorder.stream("steps", Schema(*SCHEMA, *more), num_envs)
    system = recorder.stream("system", SYSTEM_SCHEMA)
    episodes, updates, events = (recorder.records(n) for n in ("episodes", "updates", "events"))
    starts = recorder.records("starts")

    def now(row: int) -> dict[str, Any]:
        return {"row": row, "timestep": begin + row * num_envs, "unix_s": unix_s + row * ROW_S}

    events.append(
        {
            "event": "begin",
            **now(0),
            "num_envs": num_envs,
            "algorithm": "PPO",
            "environment": "Ball",
        }
    )
    for env in range(num_envs):
        starts.append({**now(0), "env": env, "episode": 1, "start": {}})
    if begin:
        # As a resumed training does, which finds that its learner was updated before.
        updates.append({**now(0), "n_updates": begin // (UPDATE_ROWS * num_envs)})
    returns = np.zeros(num_envs)
    for row in range(rows):
        columns = step_columns(row, num_envs, seed)
        others = {f.name: np.full((num_envs, *f.shape), row, f.dtype) for f in more}
        steps.write(columns | others)
        returns += columns["reward"]
        if row % EPISODE_ROWS == EPISODE_ROWS - 1:
            for env in range(num_envs):
                episodes.append(
                    {
                        **now(row + 1),
                        "row": row,
                        "env": env,
                        "episode": row // EPISODE_ROWS + 1,
                        "return": float(returns[env]),
                        "length": EPISODE_ROWS,
                        "terminated": env % 2 == 0,
                        "truncated": env % 2 == 1,
                        "termination_reason": "fell" if env % 2 == 0 else "time limit",
                        "is_success": env % 2 == 1,
                        "reward_components": {"speed": 0.5 * EPISODE_ROWS},
                        "cost_components": {"energy": 0.1 * EPISODE_ROWS},
                    }
                )
                starts.append({**now(row + 1), "env": env, "episode": row // EPISODE_ROWS + 2})
            returns[:] = 0.0
        if row % UPDATE_ROWS == UPDATE_ROWS - 1:
            loss = float("nan") if row // UPDATE_ROWS == 2 else 1.0 / (row + 1)
            updates.append(
                {**now(row + 1), "n_updates": (row + 1) // UPDATE_ROWS, "train/loss": loss}
            )
            system.write(
                {field.name: [0.0] for field in SYSTEM_SCHEMA}
                | {"unix_s": [unix_s + row * ROW_S], "timestep": [begin + row * num_envs]}
            )
    for path in checkpoints:
        events.append({"event": "checkpoint", **now(rows), "path": str(path)})
    if close:
        events.append({"event": "end", **now(rows), "how": "ended", "errors": 0})
        recorder.close()
    else:
        recorder.sync()
    return recorder
