"""A Gymnasium wrapper that records: alone, or for a trainer in another process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium
import numpy as np

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.schema import Schema
from trackway.frameworks.tap import EnvTap, FixedRow, Scene
from trackway.probes.find import MakeProbe
from trackway.probes.spaces import info_field, numbers_in
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder
from trackway.recorder.steps import EpisodeLog, Steps
from trackway.recorder.stream import WorkerSlot
from trackway.storage.places import scenes_folder


class RecordEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Records every step of an environment.

    With a recorder it keeps the streams `steps`, `episodes`, `starts` and `events` itself. Without one it
    waits to be attached: put it into the factories of a SubprocVecEnv, and `RecorderCallback` lets
    it write into shared memory from its worker.

    Args:
        env: The environment.
        recorder: Where to record; None in a worker.
        probe: Makes the probe that reads the state; by default the one that fits.
        obs: Whether to record observations; by default where no probe reads the state.
        max_bytes: Keep only about this much of `steps` on disk.
        clock: Gives times.

    Attributes:
        trackway_tap: Writes the columns; for a trainer in this process.
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        recorder: Recorder | None = None,
        *,
        probe: MakeProbe | None = None,
        obs: bool | None = None,
        max_bytes: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(env)
        self.trackway_tap = EnvTap(env, probe, obs)
        self._clock, self._guard = clock, Guard()
        self._steps: Steps | None = None
        self._recorder, self._begun = recorder, False
        if recorder is not None:
            self._steps = Steps(recorder, 1, self.trackway_tap.schema.fields, max_bytes=max_bytes)
            self._episodes = EpisodeLog(recorder, 1)
        self._info_keys: list[str] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        result = self.env.reset(seed=seed, options=options)
        if self._steps is not None:
            self._guard.run("record a start", lambda: self._begin(seed), None)
        return result

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Make a step and record it."""
        result = self.env.step(action)
        obs, reward, terminated, truncated, _ = result
        if self._steps is not None:
            self.trackway_tap.target = FixedRow(self._steps.row)
        self.trackway_tap.write(action, obs, reward, terminated, truncated)
        if self._steps is not None:
            steps = self._steps
            self._guard.run("record a step", lambda: self._commit(steps, *result[1:]), None)
        return result

    def _begin(self, seed: int | None) -> None:
        steps = self._steps
        if steps is not None:
            self._tell_scene()
            facts = {"unix_s": self._clock.unix_s(), "seed": seed}
            self._episodes.started(0, steps.committed, self.trackway_tap.start(), **facts)

    def _tell_scene(self) -> None:
        if self._begun or self._recorder is None:
            return
        self._begun = True
        scene = self.trackway_tap.scene(scenes_folder(self._recorder.attempt.run))
        if scene is not None:
            told = {"event": "scene", "unix_s": self._clock.unix_s(), "row": 0}
            self._recorder.records("events").append(told | scene)

    def _commit(
        self, steps: Steps, reward: SupportsFloat, terminated: bool, truncated: bool, info: Any
    ) -> None:
        if steps.stream is None:
            self._info_keys = numbers_in(info)
            steps.begin([info_field(key) for key in self._info_keys])
        for key in self._info_keys:
            steps.row[f"info.{key}"][0] = info.get(key, np.nan)
        numbers = {key: steps.row[f"info.{key}"] for key in self._info_keys}
        self._episodes.add(np.array([float(reward)]), numbers)
        if terminated or truncated:
            self._episodes.end(
                0,
                steps.committed,
                terminated=bool(terminated),
                truncated=bool(truncated),
                info=info,
                unix_s=self._clock.unix_s(),
            )
        steps.commit()

    # -- what a trainer asks of an environment in a worker ------------------------------------

    def trackway_schema(self) -> Schema:
        """The fields that it writes."""
        return self.trackway_tap.schema

    def trackway_attach(self, slot: WorkerSlot) -> None:
        """Write into that slot, the step just made included."""
        self.trackway_tap.attach(slot)

    def trackway_start(self) -> dict[str, Any]:
        """What the running episode began with; asked for right after the reset."""
        return self.trackway_tap.start()

    def trackway_scene(self, folder: Path) -> Scene | None:
        """Keep the simulated model there; what is to be told of it."""
        return self.trackway_tap.scene(folder)

    def trackway_errors(self) -> int:
        """How often recording failed."""
        return self.trackway_tap.errors
