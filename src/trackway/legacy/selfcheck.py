"""Trains for a few seconds, then reads back everything that was recorded and checks it.

    python test_realtime_saving.py

Prints what was checked, and ends with an error where something is not as the specification says.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.vec_env import VecEnv

from trackway.checkpoint.read import read_checkpoint
from trackway.clock import SYSTEM_CLOCK
from trackway.legacy import promised
from trackway.legacy.curriculum import CurriculumCallback
from trackway.legacy.saving import ComprehensiveSavingCallback

STEPS, SAVE_EVERY, CHECKPOINT_EVERY, RAND_POWER = 6_144, 1_000, 3_000, 0.1


class SelfCheck:
    """One training, and the checks of what it left on disk.

    Args:
        make_envs: The environments to train in.
        folder: Where to record.
    """

    def __init__(self, make_envs: Callable[[], VecEnv], folder: Path) -> None:
        self._make_envs = make_envs
        self.experiment = folder / "models" / "selfcheck"
        self.data = self.experiment / "realtime_data"

    def check(self) -> bool:
        """Check everything that `train` recorded, and say so; whether all is well."""
        well = True
        for check in (
            self._structure,
            self._episodes,
            self._environment_states,
            self._learning_metrics,
            self._checkpoints,
            self._hyperparameters,
            self._summaries,
        ):
            name = (check.__doc__ or check.__name__).rstrip(".")
            try:
                facts = check()
            except Exception as error:  # noqa: BLE001 - a report says all that is wrong, not the first
                well = False
                _say(f"  FAILED  {name}\n          {type(error).__name__}: {error}")
            else:
                _say(f"  ok      {name}: {facts}")
        return well

    def train(self) -> None:
        """Train for some seconds, with the callbacks as a program would have them."""
        envs = self._make_envs()
        saving = ComprehensiveSavingCallback(
            save_dir=str(self.data),
            save_frequency=SAVE_EVERY,
            checkpoint_frequency=CHECKPOINT_EVERY,
            total_timesteps=STEPS,
            verbose=0,
        )
        self.curriculum = CurriculumCallback(STEPS, RAND_POWER)
        self.seen = _Seen()
        steps = STEPS // (4 * envs.num_envs)
        self.model = PPO("MlpPolicy", envs, n_steps=steps, batch_size=256, seed=0, device="cpu")
        start_s = SYSTEM_CLOCK.monotonic_s()
        self.model.learn(STEPS, callback=CallbackList([self.curriculum, saving, self.seen]))
        took_s = SYSTEM_CLOCK.monotonic_s() - start_s
        self.num_envs = envs.num_envs
        self.status = saving.status
        envs.close()
        steps, files = self.model.num_timesteps, self.status.files
        _say(f"trained {steps:,} timesteps in {took_s:.1f} s, recorded in {files} files")

    def _structure(self) -> str:
        """Every folder is there, every file whole and standard JSON."""
        for folder in (
            *("episodes", "environment_states", "learning_metrics"),
            *("checkpoints", "hyperparameters"),
        ):
            _expect(list((self.data / folder).glob("*.json")), f"no file in {folder}/")
        # The user's folders; what lies below streams/ is not said file by file.
        files = [*self.data.glob("*.json"), *self.data.glob("*/*.json")]
        for file in files:
            _load(file)
        left = [path.name for path in self.experiment.glob("**/.*")]
        _expect(not left, f"temporary files are left: {left}")
        zips = len(list((self.experiment / "checkpoints").glob("*.zip")))
        _equal(len(files) + zips, self.status.files, "files on disk")
        return f"{len(files)} JSON files, {zips} zips"

    def _episodes(self) -> str:
        """Every finished episode is recorded once, with what the environment said of it."""
        records = list(self._records("episodes"))
        episodes = [record for record in records if record["record"] == "episode"]
        _keep_promise(episodes, promised.EPISODE)
        _equal(len(episodes), len(self.seen.episodes), "episodes")
        for record, (timestep, env_id, info) in zip(episodes, self.seen.episodes, strict=True):
            _equal(
                (record["timestep"], record["env_id"]), (timestep, env_id), "place of an episode"
            )
            _equal(record["episode_return"], float(info["episode"]["r"]), "return")
            _equal(record["episode_length"], int(info["episode"]["l"]), "length")
            _equal(record["termination_reason"], info["termination_reason"], "reason")
        snapshots = [record for record in records if record["record"] == "snapshot"]
        _keep_promise(snapshots, promised.SNAPSHOT)
        for record in snapshots:
            detail = record["detailed_info"]
            quaternion = detail["robot_state"]["orientation"]["quaternion"]
            _expect(abs(np.linalg.norm(quaternion) - 1) < 1e-3, f"quaternion {quaternion}")
            _expect(0 <= record["performance_metrics"]["stability_score"] <= 1, "stability score")
            _expect(0 <= record["success_rate"] <= 1, "success rate")
        _equal(len(snapshots), self.num_envs * len(self._timesteps(snapshots)), "snapshots")
        return f"{len(episodes)} episodes, {len(snapshots)} snapshots of {self.num_envs} robots"

    def _environment_states(self) -> str:
        """The environments' settings and the curriculum's value, as the robots have it."""
        records = list(self._records("environment_states"))
        self._on_time(records)
        _keep_promise(records, promised.ENVIRONMENT_STATE)
        for record in records:
            _equal(record["num_envs"], self.num_envs, "num_envs")
            _equal(len(record["rand_power"]), self.num_envs, "rand_power of each robot")
            meant = self.curriculum.value_at(record["timestep"])
            off = max(abs(value - meant) for value in record["rand_power"])
            _expect(off <= RAND_POWER / 500, f"rand_power is {off} off the curriculum")
        first, last = records[0]["rand_power"][0], records[-1]["rand_power"][0]
        return f"{len(records)} records, rand_power from {first:.3f} to {last:.3f}"

    def _learning_metrics(self) -> str:
        """Progress, losses, memory and speed are numbers that make sense."""
        records = list(self._records("learning_metrics"))
        self._on_time(records)
        last = records[-1]
        _keep_promise(records, promised.LEARNING_METRICS)
        _keep_promise([last], promised.LAST_LEARNING_METRICS)
        _equal(last["training_progress"], 1.0, "progress at the end")
        _equal(last["total_timesteps"], self.model.num_timesteps, "total_timesteps")
        _expect(last["memory_usage_mb"] > 50, f"memory {last['memory_usage_mb']} MB")
        _expect(last["steps_per_second"] > 10, f"{last['steps_per_second']} steps per second")
        returns = [float(info["episode"]["r"]) for _, _, info in self.seen.episodes[-100:]]
        _expect(
            abs(last["recent_episode_return_mean"] - np.mean(returns)) < 1e-3,
            "mean return is wrong",
        )
        return f"{len(records)} records, last loss {last['loss']:.4f}, KL {last['approx_kl']:.4f}"

    def _checkpoints(self) -> str:
        """Every checkpoint has a whole model that loads, and says how to resume."""
        records = self._documents("checkpoints/*.json")
        _keep_promise(records, promised.CHECKPOINT)
        for record in records:
            recovery = record["recovery_info"]
            _equal(recovery["can_resume"], True, "can_resume")
            checkpoint = read_checkpoint(Path(recovery["model_path"]))
            _equal(checkpoint.timestep, record["timestep"], "timestep of the zip")
            model = PPO.load(checkpoint.path, device="cpu")
            _equal(model.num_timesteps, record["timestep"], "timesteps of the loaded model")
        timesteps = self._timesteps(records)
        _expect(len(timesteps) >= STEPS // CHECKPOINT_EVERY, f"checkpoints only at {timesteps}")
        return f"at timesteps {', '.join(f'{timestep:,}' for timestep in timesteps)}"

    def _hyperparameters(self) -> str:
        """What was set when training started is what the model has."""
        [record] = self._documents("hyperparameters/*.json")
        for name in ("gamma", "gae_lambda", "n_steps", "batch_size", "n_epochs", "seed"):
            _equal(record[name], getattr(self.model, name), name)
        _equal(len(record["environment_configs"]), self.num_envs, "environment_configs")
        count = sum(p.numel() for p in self.model.policy.parameters())
        _equal(record["parameter_count"], count, "parameter_count")
        return f"{record['model_type']} with {count:,} parameters"

    def _summaries(self) -> str:
        """The training is summed up as what it was."""
        [record] = self._documents("training_summary_*.json")
        _equal(record["training_completed"], True, "training_completed")
        _equal(record["final_timestep"], self.model.num_timesteps, "final_timestep")
        _equal(record["total_episodes"], len(self.seen.episodes), "total_episodes")
        _equal((record["lost_records"], record["failed_writes"]), (0, 0), "losses")
        [comprehensive] = self._documents("comprehensive_summary_*.json")
        _equal(comprehensive["training_session"]["status"], "completed", "status")
        _equal(self.status.failures, 0, "failures")
        return f"{record['total_episodes']} episodes in {record['training_duration']:.1f} s"

    def _on_time(self, records: list[dict[str, Any]]) -> None:
        """Saves come at the first step at or past each multiple."""
        wanted = {
            -(-multiple // self.num_envs) * self.num_envs
            for multiple in range(SAVE_EVERY, self.model.num_timesteps + 1, SAVE_EVERY)
        }
        _equal(set(self._timesteps(records)), wanted | {self.model.num_timesteps}, "timesteps")

    def _timesteps(self, records: list[dict[str, Any]]) -> list[int]:
        return sorted({record["timestep"] for record in records})

    def _records(self, kind: str) -> Iterator[dict[str, Any]]:
        found = [record for file in self._documents(f"{kind}/*.json") for record in file]
        yield from sorted(found, key=lambda record: record["timestep"])

    def _documents(self, pattern: str) -> list[Any]:
        return [_load(path) for path in sorted(self.data.glob(pattern))]


class _Seen(BaseCallback):
    """What the learner itself was told."""

    def __init__(self) -> None:
        super().__init__()
        self.episodes: list[tuple[int, int, dict[str, Any]]] = []

    def _on_step(self) -> bool:
        for i in np.flatnonzero(self.locals["dones"]).tolist():
            self.episodes.append((self.num_timesteps, i, self.locals["infos"][i]))
        return True


def main(make_envs: Callable[[], VecEnv]) -> int:
    """Run the self-check in a folder of its own; the program's exit code."""
    with tempfile.TemporaryDirectory(prefix="trackway-selfcheck-") as folder:
        selfcheck = SelfCheck(make_envs, Path(folder))
        selfcheck.train()
        well = selfcheck.check()
    _say("All is well." if well else "Something is wrong: see FAILED above.")
    return 0 if well else 1


def _load(path: Path) -> Any:
    def refuse(name: str) -> None:
        raise ValueError(f"{path.name} holds {name}, which is not JSON")

    return json.loads(path.read_bytes(), parse_constant=refuse)


def _keep_promise(records: list[dict[str, Any]], promise: promised.Promise) -> None:
    for record in records:
        broken = list(promised.broken(record, promise))
        _expect(not broken, f"at timestep {record.get('timestep')}: {'; '.join(broken)}")


def _expect(truth: Any, otherwise: str) -> None:
    if not truth:
        raise AssertionError(otherwise)


def _equal(found: Any, wanted: Any, what: str) -> None:
    _expect(found == wanted, f"{what}: {found!r} is recorded, {wanted!r} is true")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
