"""A training that leaves digests of everything, uninterrupted or stopped and resumed.

    python -m tests.support.resumed_training CASE full|both|resume OUT ZIP

`full` writes no checkpoint; `both` writes one and goes on;
`resume` is the same program, started again. `interrupted` and `continued` do it with the user's callback,
stopped in the middle of a rollout.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.logger import KVWriter, Logger
from tests.support import exact_cases

from trackway.checkpoint.archive import FORMAT, pack_arrays
from trackway.checkpoint.assemble import REPLAY_FOLDER, checkpoint_zip
from trackway.checkpoint.read import read_checkpoint
from trackway.frameworks.sb3 import exact, snapshots
from trackway.frameworks.sb3.snapshots import Snapshots
from trackway.legacy import RealTimeSavingCallback

_TIMED = ("time/fps", "time/time_elapsed")


class Metrics(KVWriter):
    """Every row that is logged, exactly."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def write(self, key_values: Any, key_excluded: Any, step: int = 0) -> None:
        row = {k: repr(v) for k, v in sorted(key_values.items()) if k not in _TIMED}
        self.rows.append([step, row])

    def close(self) -> None:
        pass


class Digests:
    """Of everything that the innermost VecEnv gives, step by step."""

    def __init__(self, venv: Any) -> None:
        self.steps: list[str] = []
        self._wait = venv.step_wait
        venv.step_wait = self.step_wait

    def step_wait(self) -> Any:
        result = self._wait()
        digest = hashlib.sha256()
        for part in result[:3]:
            for array in part.values() if isinstance(part, dict) else [part]:
                digest.update(np.ascontiguousarray(array).tobytes())
        self.steps.append(digest.hexdigest()[:12])
        return result


class TakeOrPut(BaseCallback):
    """Writes one checkpoint at the start of a rollout; or resumes from it at the first."""

    def __init__(self, case: exact_cases.Case, mode: str, path: Path, steps: Digests) -> None:
        super().__init__()
        self.case, self.mode, self.path, self.steps = case, mode, path, steps
        self.rollouts = 0
        self.inexact: list[str] = []

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        root = self.locals["callback"]
        if self.rollouts == 0 and self.mode == "both":
            self.snapshots = Snapshots(self.model)
            self.snapshots.begin(root)
            self.snapshots.watch()
        if self.mode == "resume" and self.rollouts == 0:
            exact.restore(self.model, root, read_checkpoint(self.path))
            self.rollouts = self.case.stop_at
            self.steps.steps.clear()
        elif self.rollouts == self.case.stop_at:
            self.steps.steps.clear()
            if self.mode == "both":
                self._save(root)
        self.rollouts += 1

    def _save(self, root: BaseCallback) -> None:
        taken = self.snapshots.take(root, "rollout_start", {})
        for segment in taken.segments:
            path = self.path.parent / REPLAY_FOLDER / segment.name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(pack_arrays(segment.arrays))
        facts = {"format": FORMAT, "timestep": taken.timestep, **taken.facts}
        message = {**taken.content, "manifest": facts}
        self.path.write_bytes(checkpoint_zip(message, taken.arrays, 0.0))

    # Not part of the training that is compared.
    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class StopWithin(BaseCallback):
    """Ends the training in the middle of the rollout that `stop_at` counts."""

    def __init__(self, case: exact_cases.Case) -> None:
        super().__init__()
        self.last = case.stopped_timestep + case.rollout // 2

    def _on_step(self) -> bool:
        return self.num_timesteps < self.last


def with_saving(
    case: exact_cases.Case, mode: str, path: Path, steps: Digests
) -> list[BaseCallback]:
    origin = read_checkpoint(path) if mode == "continued" else None
    folder = path.parent / mode
    saving = RealTimeSavingCallback(
        folder, 100, checkpoint_frequency=10**9, verbose=0, resume_from=origin
    )
    saving.after_restore.append(steps.steps.clear)
    return [saving, StopWithin(case)] if mode == "interrupted" else [saving]


def learned(model: Any) -> dict[str, str]:
    """A digest of every tensor that learning has changed: weights and the optimizers' moments."""
    found: dict[str, str] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            found[name] = hashlib.sha256(value.detach().cpu().numpy().tobytes()).hexdigest()[:12]
        elif isinstance(value, dict):
            for key, part in value.items():
                add(f"{name}.{key}", part)
        elif isinstance(value, list):
            for key, part in enumerate(value):
                add(f"{name}.{key}", part)
        else:
            found[name] = repr(value)

    add("", model.get_parameters())
    for name in model._get_torch_save_params()[1]:
        add(name, getattr(model, name))
    return found


def main(case_name: str, mode: str, out: Path, path: Path) -> None:
    """Train; write what came out of the part after the checkpoint."""
    torch.set_num_threads(1)
    case = exact_cases.CASES[case_name]
    model, others = case.build()
    metrics = Metrics()
    model.set_logger(Logger(None, [metrics]))
    steps = Digests(model.env.unwrapped)
    if mode in ("interrupted", "continued"):
        snapshots._SHARE = 1.0  # so short a training has time for the start of one rollout only
        own = with_saving(case, mode, path, steps)
    else:
        own = [TakeOrPut(case, mode, path, steps)]
    model.learn(
        case.total_timesteps,
        callback=CallbackList([*others, *own]),
        log_interval=case.log_interval,
    )
    if mode == "interrupted":
        (zip_path,) = (path.parent / mode / "checkpoints").glob("*.zip")
        zip_path.rename(path)
    resumed_at = case.stopped_timestep
    result = {
        "learned": learned(model),
        "steps": steps.steps,
        "metrics": [row for row in metrics.rows if row[0] > resumed_at],
        "timesteps": model.num_timesteps,
        "others": case.outcome(model, others),
    }
    out.write_text(json.dumps(result, indent=1))
    model.env.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
