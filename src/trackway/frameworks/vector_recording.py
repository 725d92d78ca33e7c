"""Rows and episodes of a vector of environments, whoever steps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trackway.clock import Clock
from trackway.frameworks.step_sources import StepSource, VecStep
from trackway.frameworks.tap import Scene
from trackway.probes.probe import Array, blank
from trackway.probes.spaces import info_field, numbers_in
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder
from trackway.recorder.steps import EpisodeLog, Steps
from trackway.recorder.stream import Stream

Tell = Callable[..., None]


class VectorRecording:
    """Keeps `steps`, `episodes` and `starts`; nothing that goes wrong reaches the caller.

    Args:
        source: Fills the rows.
        recorder: Keeps them.
        num_envs: Environments in a row.
        timestep: Steps made before, over all environments.
        max_bytes: Keep only about this much of `steps` on disk.
        guard: Counts what goes wrong.
        clock: Gives times.
        tell: Is told of events: a kind, and facts by keyword.

    Attributes:
        episodes: What runs in the environments now.
        first_timestep: Timesteps made before the first row.
    """

    def __init__(
        self,
        source: StepSource,
        recorder: Recorder,
        num_envs: int,
        *,
        timestep: int,
        max_bytes: int | None,
        guard: Guard,
        clock: Clock,
        tell: Tell,
    ) -> None:
        self._source, self._guard, self._clock, self._tell = source, guard, clock, tell
        self._steps = Steps(recorder, num_envs, source.fields, max_bytes=max_bytes)
        self.episodes = EpisodeLog(recorder, num_envs)
        self.first_timestep = timestep
        self._row = 0  # that the next step becomes
        self._info_keys: list[str] = []
        self._info_columns: dict[str, Array] = {}

    @property
    def rows(self) -> int:
        return self._steps.committed

    @property
    def timestep(self) -> int:
        """Timesteps so far, counted over all environments."""
        return self.first_timestep + self.rows * self._steps.num_envs

    def tell_scenes(self, folder: Path) -> None:
        """Keep the simulated models, each once, and tell which environments have it."""
        none: list[Scene | None] = []
        scenes = self._guard.run("keep the scene", lambda: self._source.scenes(folder), none)
        if any(scene != scenes[0] for scene in scenes):
            for scene in (s for i, s in enumerate(scenes) if s is not None and s not in scenes[:i]):
                self._tell("scene", **scene, envs=[i for i, s in enumerate(scenes) if s == scene])
        elif scenes and scenes[0] is not None:
            self._tell("scene", **scenes[0])

    def begin(self, envs: Iterable[int] | None = None) -> None:
        """These environments, or all, have just been reset."""
        chosen = range(self._steps.num_envs) if envs is None else envs
        self._guard.run("record a start", lambda: self._begin(list(chosen)), None)

    def add(self, step: VecStep) -> None:
        """Record a step. A row that cannot be recorded still counts: rows and timesteps agree."""
        # In one piece: after a step of the physics the caches hold none of this, and a call costs.
        steps, source = self._steps, self._source
        try:
            try:
                source.write(steps, step)
            except Exception as error:  # noqa: BLE001 - the rest of the row counts all the same
                self._guard.failed("read the environments", error)
            stream = steps.stream
            if stream is None:
                self._info_keys = _common_numbers(step)
                stream = steps.begin([info_field(key) for key in self._info_keys])
                source.begun(stream)
            if self._info_keys:
                self._add_infos(step.infos, stream.at)
            self.episodes.add(step.rewards, self._info_columns, step.reset)
            if step.ended or step.restarted or step.reset:
                self._add_ends(step, stream)
            else:
                stream.commit()
        except Exception as error:  # noqa: BLE001 - training goes on
            self._guard.failed("record a step", error)
            if self._steps.committed == self._row:
                self._guard.run("commit a step", self._commit_blank, None)
        self._row += 1

    def close(self) -> None:
        """Leave the environments as they were found."""
        self._guard.errors += self._guard.run("leave the environments", self._source.close, 0)

    def _begin(self, envs: list[int]) -> None:
        facts = {"timestep": self.timestep, "unix_s": self._clock.unix_s()}
        for env in envs:
            if (cut := self.episodes.interrupt(env)) is not None:
                self._tell("episode_interrupted", **cut)
            self.episodes.started(env, self.rows, self._source.start(env), **facts)

    def _add_infos(self, infos: Sequence[Mapping[str, Any]], at: int) -> None:
        for key in self._info_keys:
            column = self._steps.columns[f"info.{key}"]
            column[at] = [info.get(key, np.nan) for info in infos]
            self._info_columns[key] = column[at]

    def _add_ends(self, step: VecStep, stream: Stream) -> None:
        row, at, columns = self._row, stream.at, stream.columns
        # From the row: workers know which of the two it was, also where the VecEnv does not say.
        terminated, truncated = (columns[name] for name in ("terminated", "truncated"))
        ends = [(e, bool(terminated[at, e]), bool(truncated[at, e])) for e in step.ended]
        stream.commit()
        facts = {"timestep": self.timestep, "unix_s": self._clock.unix_s()}
        for env, fell, cut in ends:
            record = self.episodes.end(
                env,
                row,
                terminated=fell,
                truncated=cut,
                info=step.infos[env],
                **facts,
            )
            if record["termination_reason"] == "diverged":
                self._tell("simulation_diverged", env=env, row=row)
        for env in (*step.restarted, *step.reset):
            self.episodes.started(env, row + 1, self._source.start(env), **facts)

    def _commit_blank(self) -> None:
        blank(self._steps.row)
        self._steps.commit()


def _common_numbers(step: VecStep) -> list[str]:
    """Numbers that every running environment tells in every step."""
    stopped = {*step.ended, *step.reset}
    running: Sequence[Mapping[str, Any]] = [
        info for env, info in enumerate(step.infos) if env not in stopped
    ]
    if not running:
        return []
    return [key for key in numbers_in(running[0]) if all(key in info for info in running)]
