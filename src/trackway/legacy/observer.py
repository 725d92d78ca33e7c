"""Reads a training as it runs: its model, its environments, its episodes. Any of them may be missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from trackway.clock import Clock
from trackway.format.jsonable import jsonable, missing
from trackway.frameworks.sb3.detail import (
    Detail,
    read_detail,
    read_environment,
    read_raw,
    seen_columns,
    tells_of_success,
)
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.episodes import Episodes
from trackway.frameworks.sb3.hyperparameters import read_hyperparameters
from trackway.legacy.curriculum import CurriculumCallback
from trackway.legacy.metrics import LearningMetrics
from trackway.legacy.records import environment_configs, running_columns, untold
from trackway.recorder.guard import Guard

Counters = Mapping[str, Any]


class Observer:
    """What one call of `learn` shows, as parts of records.

    Args:
        model: The algorithm, or None where the callback is driven by hand.
        episodes: Of an earlier call of `learn`; its counts go on.
        counters: Of the checkpoint that this training goes on from.
        guard: Counts what environments raise when they are asked.

    Attributes:
        envs: The environments, None without a model.
        environment: Their common settings.
        derivation: How the writer makes columns of what `moment` reads; None where they are read.
        episodes: Their episodes; None until there is an environment or a step of one.
        updates: The metrics of the last update.
    """

    def __init__(
        self,
        model: Any,
        episodes: Episodes | None,
        counters: Counters | None,
        guard: Guard,
        clock: Clock,
    ) -> None:
        self.model, self._counters, self._guard, self._clock = model, counters, guard, clock
        venv = model.get_env() if hasattr(model, "get_env") else None
        self.envs = None if venv is None else Environments(venv)
        self.environment: dict[str, Any] = {}
        self.episodes = episodes
        self.started_unix_s, self.started_s = clock.unix_s(), clock.monotonic_s()
        self._metrics = LearningMetrics(model, guard, clock)
        self.updates = self._metrics.updates
        self._curriculum: tuple[Any, CurriculumCallback | None] = (None, None)
        self.derivation: dict[str, Any] | None = None
        self._untold: list[str] = []
        self._normalized = None if self.envs is None or not self.envs.normalizer else self.envs
        envs = self.envs
        if envs is not None:
            self.environment = guard.run("read the environment", lambda: read_environment(envs), {})
            if episodes is None or len(episodes.counts) != envs.num_envs:
                episodes = self._new_episodes(envs.num_envs)
            elif np.all(getattr(model, "_last_episode_starts", False)):
                episodes.begin()
            detail = self.detail()
            episodes.success_known |= tells_of_success(detail)
            self.episodes = episodes
            raw = guard.run("read the robots", lambda: read_raw(envs), None)
            if raw is not None:
                self._untold = untold(detail)
                told = {"constants": jsonable(raw.constants), "settings": jsonable(raw.settings)}
                self.derivation = {"derive": raw.derive, "path": list(sys.path), **told}

    def _new_episodes(self, num_envs: int) -> Episodes:
        episodes = Episodes(num_envs)
        if self._counters:
            episodes.restore(self._counters)
        return episodes

    def step(self, timestep: int, seen: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take in a step, given what the learner sees of it; the records of episodes that ended.

        Args:
            timestep: Timesteps so far, over all environments.
            seen: `rewards`, `dones` and `infos`, each one per environment.
        """
        # Bytes: what NumPy counts with is Python itself, and slow where nothing is cached.
        dones, rewards = np.asarray(seen["dones"], bool), np.asarray(seen["rewards"])
        if self._normalized is not None:
            rewards = self._normalized.raw_rewards(rewards)
        episodes = self.episodes
        if episodes is None:
            episodes = self.episodes = self._new_episodes(len(dones))
        episodes.step(rewards, seen["infos"])
        if 1 not in dones.tobytes():
            return []
        finished = episodes.end(dones, seen["infos"], timestep, self._clock.unix_s())
        return [record | missing(record) for record in finished]

    def collect_updates(self) -> None:
        """Take the metrics of the last update before the logger forgets them."""
        self.updates.collect(self.model)

    def detail(self) -> Detail:
        """Ask the environments about their robots."""
        envs = self._askable
        return (
            Detail()
            if envs is None
            else self._guard.run("read the robots", lambda: read_detail(envs), Detail())
        )

    def moment(self) -> Detail:
        """As `detail`, but with columns that are still to be derived, and only until the next step."""
        envs = self._askable
        if self.derivation is None or envs is None:
            return self.detail()
        raw = self._guard.run("read the robots", lambda: read_raw(envs), None)
        return Detail() if raw is None else Detail(dict(raw.arrays))

    def rand_power(self, detail: Detail) -> list[float] | None:
        """The randomisation of each robot, as the robot has it."""
        told: Any = detail.columns.get("env_config.rand_power")
        if told is None and detail.nested:
            values = [record.get("env_config", {}).get("rand_power") for record in detail.nested]
            told = None if None in values else values
        envs = self._askable
        if told is None and envs is not None:
            told = self._guard.run("read rand_power", envs.rand_power, None)
        if told is None:
            return None
        return told.tolist() if isinstance(told, np.ndarray) else [float(value) for value in told]

    def snapshot(
        self, detail: Detail, timestep: int, unix_s: float, seen: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """The moment of every environment, as `snapshots` takes it: a message part and columns."""
        episodes = self.episodes
        common: dict[str, Any] = {"timestamp": unix_s}
        counts = None if episodes is None else episodes.counts.tolist()
        successes = None
        columns: Mapping[str, Any] = detail.columns
        if episodes is None:  # driven by hand: there is no environment to look at
            absent = ["env_id", "episode_count", "success_count", "success_rate", "detailed_info"]
            columns = {}
        else:
            absent = [] if episodes.success_known else ["success_count", "success_rate"]
            successes = episodes.successes.tolist() if episodes.success_known else None
            if self.derivation is not None:
                absent += self._untold
            else:
                absent += untold(detail)
                if "episode_info.current_step" not in columns:
                    known = running_columns(episodes, self.environment, unix_s)
                    columns = known | self._seen(seen) | dict(columns)
        if absent:
            common["missing"] = absent
        return {
            "timestep": timestep,
            "common": common,
            "counts": counts,
            "successes": successes,
            "nested": detail.nested,
        }, columns

    def _seen(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        envs = self.envs
        if envs is None:
            return {}
        observation = seen.get("new_obs")
        if envs.normalizer is not None:
            observation = envs.normalizer.get_original_obs()
        actions = seen.get("clipped_actions", seen.get("actions"))
        return seen_columns(observation, actions, envs.num_envs)

    def environment_state(
        self, timestep: int, unix_s: float, rand_power: list[float] | None
    ) -> dict[str, Any]:
        """The environments' settings now; the writer adds their summary."""
        state = {
            "timestep": timestep,
            "timestamp": unix_s,
            "num_envs": self.envs.num_envs if self.envs else None,
            "frame_skip": self.environment.get("frame_skip"),
            "rand_power": rand_power,
        }
        return state | missing(state)

    def metrics(
        self,
        timestep: int,
        unix_s: float,
        rand_power: list[float] | None,
        total: int | None,
        seen: Mapping[str, Any],
    ) -> dict[str, Any]:
        """How learning goes."""
        curriculum = self.curriculum(seen)
        return self._metrics.record(timestep, unix_s, total, rand_power, curriculum, self.episodes)

    def totals(self, timestep: int) -> dict[str, Any]:
        """The counts that a summary needs; None for what is not known."""
        episodes = self.episodes
        known = episodes is not None and episodes.success_known
        return {
            "timestep": timestep,
            "episodes": sum(episodes.counts.tolist()) if episodes is not None else None,
            "successes": sum(episodes.successes.tolist()) if episodes and known else None,
        }

    def curriculum(self, seen: Mapping[str, Any]) -> CurriculumCallback | None:
        """The curriculum beside this callback, if there is one."""
        top = seen.get("callback")
        if top is not self._curriculum[0]:
            self._curriculum = (top, _find_curriculum(top))
        return self._curriculum[1]

    def hyperparameters(self) -> dict[str, Any]:
        """Everything that was set when training started."""
        detail = self.detail()
        num_envs = self.envs.num_envs if self.envs else 0
        configs = environment_configs(detail, self.environment, num_envs, self.rand_power(detail))
        record = read_hyperparameters(self.model, self.envs, configs, self.started_unix_s)
        return record | (missing(record) if self.model is not None else {"missing": ["model"]})

    @property
    def _askable(self) -> Environments | None:
        # Between sending a step and its answer, a worker's next words are not for us.
        waiting = self.envs is not None and getattr(self.envs.inner, "waiting", False)
        return None if waiting else self.envs


def _find_curriculum(callback: Any) -> CurriculumCallback | None:
    """The curriculum among a training's callbacks, however they are nested."""
    if isinstance(callback, CurriculumCallback):
        return callback
    for child in (*getattr(callback, "callbacks", ()), getattr(callback, "callback", None)):
        found = _find_curriculum(child) if isinstance(child, BaseCallback) else None
        if found is not None:
            return found
    return None
