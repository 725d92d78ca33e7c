"""Records what passes through a VecEnv, at its innermost layer: raw observations and rewards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trackway.clock import Clock
from trackway.frameworks.patch import Patch
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.step_sources import StepSource, VecStep, source_of
from trackway.probes.find import MakeProbe
from trackway.probes.probe import Array, blank
from trackway.probes.spaces import info_field, numbers_in
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder
from trackway.recorder.steps import EpisodeLog, Steps

Tell = Callable[..., None]


class RecordedEnvs:
    """Patches `reset`, `step_async` and `step_wait` of the innermost VecEnv while training lasts.

    A wrapper would be in the way of those who compare wrappers (`sync_envs_normalization`), and
    the innermost layer is where nothing is normalised or stacked yet.

    Attributes:
        episodes: What runs in the environments now.
        timestep: Timesteps so far, counted over all environments.
    """

    def __init__(
        self,
        envs: Environments,
        recorder: Recorder,
        timestep: int,
        *,
        make_probe: MakeProbe | None,
        obs: bool | None,
        max_bytes: int | None,
        guard: Guard,
        clock: Clock,
        tell: Tell,
    ) -> None:
        self._guard, self._clock, self._tell = guard, clock, tell
        self.source: StepSource = source_of(envs, make_probe, obs)
        self._steps = Steps(recorder, envs.num_envs, self.source.fields, max_bytes=max_bytes)
        self.episodes = EpisodeLog(recorder, envs.num_envs)
        self._first_timestep = timestep
        self._info_keys: list[str] = []
        self._info_columns: dict[str, Array] = {}
        venv: Any = envs.inner
        self._reset, self._step_async, self._step_wait = venv.reset, venv.step_async, venv.step_wait
        self._actions: Any = None
        self._result: Any = None
        self._row_failed = False
        self._patch = Patch(
            venv, reset=self.reset, step_async=self.step_async, step_wait=self.step_wait
        )

    @property
    def rows(self) -> int:
        return self._steps.committed

    @property
    def timestep(self) -> int:
        return self._first_timestep + self.rows * self._steps.num_envs

    def close(self) -> None:
        """Leave the environments as they were found."""
        self._patch.undo()
        self._guard.errors += self._guard.run("leave the environments", self.source.close, 0)

    # -- what the VecEnv is asked for ---------------------------------------------------------

    def reset(self) -> Any:
        result = self._reset()
        self._guard.run("record a start", self.begin, None)
        return result

    def step_async(self, actions: Any) -> None:
        self._actions = actions
        self._step_async(actions)

    def step_wait(self) -> Any:
        result = self._step_wait()
        self._result = result
        self._row_failed = True
        self._guard.run("record a step", self._record, None)
        if self._row_failed:
            self._guard.run("commit a step", self._commit_blank, None)
        return result

    # -- what becomes of it -------------------------------------------------------------------

    def begin(self) -> None:
        """All environments have just been reset."""
        starts = [self.source.start(env) for env in range(self._steps.num_envs)]
        self.episodes.begin(self.rows, starts, timestep=self.timestep, unix_s=self._clock.unix_s())

    def _record(self) -> None:
        obs, rewards, dones, infos = self._result
        steps = self._steps
        step = VecStep(self._actions, obs, rewards, dones, infos)
        if steps.stream is None:
            self._info_keys = _common_numbers(infos, dones)
            self._write(step)
            stream = steps.begin([info_field(key) for key in self._info_keys])
            self.source.begun(stream)
        else:
            self._write(step)
        for key in self._info_keys:
            column = steps.row[f"info.{key}"]
            for env, info in enumerate(infos):
                column[env] = info.get(key, np.nan)
            self._info_columns[key] = column
        ended: list[int] = np.flatnonzero(dones).tolist() if dones.any() else []
        terminated = [bool(steps.row["terminated"][env]) for env in ended]
        truncated = [bool(steps.row["truncated"][env]) for env in ended]
        self.episodes.add(rewards, self._info_columns)
        row = self.rows
        steps.commit()
        self._row_failed = False
        if ended:
            facts = {"timestep": self.timestep, "unix_s": self._clock.unix_s()}
            for env, fell, cut in zip(ended, terminated, truncated, strict=True):
                self._turn(env, row, fell, cut, infos[env], facts)

    def _write(self, step: VecStep) -> None:
        self._guard.run("read the environments", lambda: self.source.write(self._steps, step), None)

    def _turn(
        self,
        env: int,
        row: int,
        terminated: bool,
        truncated: bool,
        info: dict[str, Any],
        facts: dict[str, Any],
    ) -> None:
        """An episode has ended with this row, and the next one has begun."""
        record = self.episodes.end(
            env, row, terminated=terminated, truncated=truncated, info=info, **facts
        )
        if record["termination_reason"] == "diverged":
            self._tell("simulation_diverged", env=env, row=row)
        self.episodes.started(env, row + 1, self.source.start(env), **facts)

    def _commit_blank(self) -> None:
        """A row that could not be recorded still counts, so that rows and timesteps agree."""
        blank(self._steps.row)
        self._steps.commit()


def _common_numbers(infos: list[dict[str, Any]], dones: Array) -> list[str]:
    """Numbers that every running environment tells in every step."""
    running = [info for info, done in zip(infos, dones, strict=True) if not done]
    if not running:
        return []
    return [key for key in numbers_in(running[0]) if all(key in info for info in running)]
