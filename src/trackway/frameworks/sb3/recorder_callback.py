"""Records a training of Stable-Baselines3: every step, every update, and what happens beside."""

from __future__ import annotations

import logging
import math
import sys
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.jsonable import jsonable
from trackway.format.part import EXACT
from trackway.frameworks.sb3.callbacks import callbacks_of
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.learner import gradient_norm
from trackway.frameworks.sb3.recorded_envs import RecordedEnvs
from trackway.frameworks.sb3.step_source import source_of
from trackway.frameworks.sb3.stop import StopOnSignal
from trackway.frameworks.vector_recording import VectorRecording
from trackway.probes.find import MakeProbe
from trackway.probes.machine import SYSTEM_SCHEMA, MachineProbe
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder
from trackway.run import RunFolder
from trackway.storage.archive.precision import Precision
from trackway.storage.line import Stretch
from trackway.storage.places import scenes_folder
from trackway.storage.reexecution import compare_tail, find_tail

_log = logging.getLogger("trackway")


class RecorderCallback(BaseCallback):
    """Keeps the streams `steps`, `episodes`, `starts`, `updates`, `system` and `events`.

    Nothing that goes wrong in here stops a training: it is counted (`errors`) and said once. Put it
    last in a list of callbacks, so that it sees what the others leave at the end.

    Args:
        recorder: A recorder, or the folder of a run: then each `learn` is an attempt of its own.
        probe: Makes the probe that reads an environment's state; by default the one that fits.
        obs: Whether to record observations; by default where no probe reads the state.
        max_bytes: Keep only about this much of `steps` on disk.
        precision: What the archive may make of `steps`, as of a `Recorder`; of one that is given
            it was said there.
        look_every_s: Time between looks at the machine, the checkpoints and the curriculum.
        verbose: 1 says where the recording goes.
        clock: Gives times.

    Raises:
        RecordingError: From `learn`, before training: the folder cannot be written.
    """

    def __init__(
        self,
        recorder: Recorder | Path | str,
        *,
        probe: MakeProbe | None = None,
        obs: bool | None = None,
        max_bytes: int | None = None,
        precision: Precision = EXACT,
        look_every_s: float = 1.0,
        verbose: int = 0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(verbose)
        self._given, self._probe, self._obs, self._max_bytes = recorder, probe, obs, max_bytes
        self._precision, self._look_every_s, self._clock = precision, look_every_s, clock
        self._guard = Guard()
        self._recorder: Recorder | None = None
        self._recorded: RecordedEnvs | None = None
        self._recording: VectorRecording | None = None
        self._tail: Stretch | None = None
        self._updates_told: Any = None
        self._rand_power: float | None = None

    @property
    def errors(self) -> int:
        """How often something could not be recorded."""
        return self._guard.errors

    def event(self, kind: str, **facts: Any) -> None:
        """Keep an event, such as `callback.event("phase", name="second")`; between steps."""
        if self._recorder is not None:
            told = {"event": kind, "timestep": self.num_timesteps, "unix_s": self._clock.unix_s()}
            if self._recording is not None:
                told["row"] = self._recording.rows
            self._recorder.records("events").append(told | jsonable(facts))

    def state_dict(self) -> dict[str, Any]:
        """What runs now, to go on with in another process; see `trackway.checkpoint.stateful`.

        The update that led here is told first: whoever goes on from here will not tell it.
        """
        if self._recording is None:
            return {}
        self._guard.run("record an update", self._tell_update, None)
        return {
            "timestep": self.model.num_timesteps,
            "episodes": self._recording.episodes.state_dict(),
            "updates_told": self._updates_told,
            "rand_power": self._rand_power,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state: the reset that set this training up was nobody's start.

        Steps that an earlier attempt of the run has recorded are compared when they are made again.
        """
        if self._recording is None or self._recorder is None or not state:
            return
        if self._recorded is not None:
            self._recorded.starts_untold = False
        self._recording.episodes.load_state_dict(state["episodes"])
        self._updates_told, self._rand_power = state["updates_told"], state["rand_power"]
        self.num_timesteps = self._recording.first_timestep = begin = state["timestep"]
        self.event("resumed")
        attempt = self._recorder.attempt
        self._tail = self._guard.run("find the record", lambda: find_tail(attempt, begin), None)

    def close(self) -> None:
        """End the recording, if the training did not come to its end."""
        self._end("closed")

    def __enter__(self) -> RecorderCallback:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end("closed" if error is None else f"failed: {type(error).__name__}: {error}")

    # -- the training's events ----------------------------------------------------------------

    def update_locals(self, locals_: dict[str, Any]) -> None:
        """Nothing: what `learn` was given is enough, and to copy the rest costs every step."""

    def _on_training_start(self) -> None:
        self._end("started again")
        given = self._given
        recorder = (
            given
            if isinstance(given, Recorder)
            else Recorder(Path(given), precision={"steps": self._precision})
        )
        self._recorder = recorder
        self.num_timesteps = self.model.num_timesteps
        run = recorder.attempt.run
        self._envs = Environments(self.training_env)
        self._checkpoints = _Checkpoints(RunFolder(run).checkpoints)
        self._machine = MachineProbe(run, self._clock)
        self._system = self._stream_once(recorder)
        # Now, not at the first update: to begin a stream syncs a folder.
        self._guard.run("begin the stream updates", lambda: recorder.records("updates"), None)
        self._looked_s = self._clock.monotonic_s()
        self._updates_told = None
        self._rollout_began: tuple[float, int] | None = None
        self._rollout_ended_s = 0.0
        self._updates_s = -math.inf
        self._rand_power = None
        self._broken: set[int] = set()
        self._warned: set[tuple[int, str]] = set()
        self._recorded = self._guard.run("begin", lambda: self._tap(recorder), None)
        self._guard.run("tell the beginning", self._tell_beginning, None)
        if self.verbose:
            _log.info("recording into %s", recorder.attempt.path)

    def _on_rollout_start(self) -> None:
        self._guard.run("record an update", self._tell_update, None)
        self._rollout_began = (self._clock.monotonic_s(), self.num_timesteps)

    def _on_rollout_end(self) -> None:
        self._rollout_ended_s = self._clock.monotonic_s()

    def _on_step(self) -> bool:
        if self._tail is not None and self.num_timesteps >= (self._tail.end or 0):
            self._guard.run("compare with the record", self._tell_tail, None)
        if self._clock.monotonic_s() - self._looked_s >= self._look_every_s:
            self._looked_s = self._clock.monotonic_s()
            self._guard.run("look around", self._look, None)
        return True

    def _on_training_end(self) -> None:
        self._guard.run("record an update", self._tell_update, None)
        self._guard.run("look around", self._look, None)
        for stop in callbacks_of(self.locals.get("callback"), StopOnSignal):
            if stop.received is not None:
                self.event("signal", name=stop.received.name)
        self._end("ended")

    # -- what is told -------------------------------------------------------------------------

    def _tap(self, recorder: Recorder) -> RecordedEnvs:
        envs = self._envs
        self._recording = VectorRecording(
            source_of(envs, self._probe, self._obs),
            recorder,
            envs.num_envs,
            timestep=self.num_timesteps,
            max_bytes=self._max_bytes,
            guard=self._guard,
            clock=self._clock,
            tell=self.event,
        )
        return RecordedEnvs(envs.inner, self._recording, self._guard)

    def _tell_beginning(self) -> None:
        envs, model = self._envs, self.model
        self.event(
            "begin",
            algorithm=type(model).__name__,
            num_envs=envs.num_envs,
            environment=envs.class_name(),
            planned_timesteps=getattr(model, "_total_timesteps", None),
        )
        if self._recording is not None and self._recorder is not None:
            self._recording.tell_scenes(scenes_folder(self._recorder.attempt.run))
        # The environments were reset before anybody was told. They stand at their start, or within
        # an episode of an earlier `learn`: then no start is known.
        tracks = isinstance(model, OnPolicyAlgorithm)  # others leave that as it was at first
        starts = getattr(model, "_last_episode_starts", True) if tracks else not self.num_timesteps
        if self._recorded is not None:
            self._recorded.starts_untold = bool(np.all(starts))
        self._tell_curriculum()

    def _tell_update(self) -> None:
        if self._recorder is None:
            return
        logged: dict[str, Any] = self.logger.name_to_value
        values = {key: value for key, value in logged.items() if np.ndim(value) == 0}
        number = getattr(self.model, "_n_updates", None)
        now_s = self._clock.monotonic_s()
        # Off-policy learners update at every step: not each of those is a record.
        often = not isinstance(self.model, OnPolicyAlgorithm)
        if not number or number == self._updates_told:
            return
        if often and now_s - self._updates_s < self._look_every_s:
            return
        self._updates_told, self._updates_s = number, now_s
        self._tell_curriculum()
        record = {
            "timestep": self.num_timesteps,
            "row": self._recording.rows if self._recording else None,
            "unix_s": self._clock.unix_s(),
            "n_updates": number,
            "gradient_norm": gradient_norm(self.model),
            "rand_power": self._rand_power,
            **({} if often else self._times(now_s)),
            **{key: jsonable(value) for key, value in values.items()},
        }
        finished = getattr(self.model, "ep_info_buffer", None)
        for name, key in (("ep_rew_mean", "r"), ("ep_len_mean", "l")):
            if finished:
                record[f"rollout/{name}"] = sum(e[key] for e in finished) / len(finished)
        self._recorder.records("updates").append(record)
        lost = [k for k, v in record.items() if isinstance(v, float) and not math.isfinite(v)]
        if lost:
            self.event("not_finite", where="update", values=lost)

    def _times(self, now_s: float) -> dict[str, float]:
        """Where the time since the last update went: to the environments, then to the learner."""
        if self._rollout_began is None:
            return {}
        began_s, timestep = self._rollout_began
        return {
            "time/rollout_s": self._rollout_ended_s - began_s,
            "time/update_s": now_s - self._rollout_ended_s,
            "time/steps_per_second": (self.num_timesteps - timestep) / max(now_s - began_s, 1e-9),
        }

    def _tell_tail(self) -> None:
        """Say whether the steps that an earlier attempt had recorded came out the same again."""
        tail, self._tail = self._tail, None
        recorder, recording = self._recorder, self._recording
        if tail is None or recorder is None or recording is None or not recording.rows:
            return
        begin = recording.timestep - recording.rows * self._envs.num_envs
        found = compare_tail(recorder.attempt, begin, tail)
        steps = found.equal_rows * self._envs.num_envs
        difference = found.difference
        if found.same:
            _log.info("%s steps re-executed, all equal to the record", f"{steps:,}")
        else:
            _log.warning(
                "%s steps re-executed equal to the record, then not; where: trackway diff, or the "
                "event 're-executed'",
                f"{steps:,}",
            )
        self.event(
            "re-executed",
            steps=steps,
            equal=found.same,
            attempt=tail.folder.attempt.name,
            difference=None if difference is None else asdict(difference),
        )

    def _look(self) -> None:
        if self._system is not None:
            self._machine.read(self._system.row)
            self._system.row["timestep"][0] = self.num_timesteps
            self._system.commit()
        for path in self._checkpoints.new():
            self.event("checkpoint", path=path)
        if not getattr(self._envs.inner, "waiting", False):
            self._tell_curriculum()
        self._tell_warnings()
        if self._recording is not None:
            broken = set(self._recording.episodes.broken())
            for env in sorted(broken - self._broken):
                self.event("not_finite", where="reward", env=env)
            self._broken = broken

    def _tell_curriculum(self) -> None:
        powers = self._envs.rand_power()
        if powers is None:
            return
        mean = float(powers.mean())
        if mean != self._rand_power:
            self._rand_power = mean
            self.event("curriculum", rand_power=mean)

    def _tell_warnings(self) -> None:
        """Once for each kind and environment: a simulation that goes wrong does so at every step."""
        if sys.modules.get("mujoco") is None:
            return
        from trackway.probes.mujoco_probe import simulator_warnings

        for i, env in enumerate(self._envs.local or ()):
            for kind, count in simulator_warnings(env).items():
                if (i, kind) not in self._warned:
                    self._warned.add((i, kind))
                    self.event("simulator_warning", env=i, warning=kind, count=count)

    def _stream_once(self, recorder: Recorder) -> Any:
        return self._guard.run(
            "begin the stream system", lambda: recorder.stream("system", SYSTEM_SCHEMA), None
        )

    def _end(self, how: str) -> None:
        if self._tail is not None:
            self._guard.run("compare with the record", self._tell_tail, None)
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        if self._recorded is not None:
            self._guard.run("let go of the environments", self._recorded.close, None)
        self._recorder = recorder
        self.event("end", how=how, errors=self._guard.errors)
        self._recorder = self._recorded = self._recording = None
        if recorder is not self._given:
            self._guard.run("close the recorder", recorder.close, None)


class _Checkpoints:
    """Zips that appear in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._changed_ns = folder, 0
        self._known: set[str] = set()
        self.new()

    def new(self) -> list[str]:
        """Paths that were not there at the last look."""
        try:
            changed_ns = self._folder.stat().st_mtime_ns
        except OSError:
            return []
        if changed_ns == self._changed_ns:
            return []
        self._changed_ns = changed_ns
        found = {str(path) for path in self._folder.glob("*.zip")}
        new, self._known = found - self._known, found
        return sorted(new)
