"""A wrapper around Gymnasium's vector environments that records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.schema import Field
from trackway.frameworks.step_sources import Batch, Local, Outside, StepSource, VecStep
from trackway.frameworks.tap import Scene
from trackway.frameworks.vector_recording import VectorRecording
from trackway.probes.find import MakeProbe, find_probe
from trackway.probes.probe import Array
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder
from trackway.recorder.steps import Steps
from trackway.recorder.stream import Stream
from trackway.storage.places import scenes_folder

_RESET = Field(
    "reset",
    "bool",
    (),
    "1",
    "the environment was reset instead of stepped: the action meant nothing",
)


class RecordVectorEnv(VectorWrapper):
    """Records every step of a vector of environments: `steps`, `episodes`, `starts`, `events`.

    All of Gymnasium's autoreset modes are understood. In its usual one the step after an episode's
    end only resets: such rows have `reset` set. Environments in this process (SyncVectorEnv) are
    seen whole, those in others (AsyncVectorEnv) from outside.

    Args:
        env: The environments.
        recorder: Where to record.
        probe: Makes the probe that reads an environment's state; by default the one that fits.
        obs: Whether to record observations; by default where no probe reads the state.
        max_bytes: Keep only about this much of `steps` on disk.
        clock: Gives times.
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        recorder: Recorder,
        *,
        probe: MakeProbe | None = None,
        obs: bool | None = None,
        max_bytes: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(env)
        self._mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        source = _source(env, probe, obs)
        self._waiting = np.zeros(env.num_envs, bool)  # for the reset that the next step will be
        self._source = _WithReset(source) if self._mode == AutoresetMode.NEXT_STEP else source
        self._guard = Guard()
        self._recording = VectorRecording(
            self._source,
            recorder,
            env.num_envs,
            timestep=0,
            max_bytes=max_bytes,
            guard=self._guard,
            clock=clock,
            tell=self._tell,
        )
        self._recorder, self._clock, self._begun = recorder, clock, False

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode everywhere, or where `options["reset_mask"]` says."""
        mask = (options or {}).get("reset_mask")
        chosen = None if mask is None else np.flatnonzero(mask).tolist()
        result = self.env.reset(seed=seed, options=options)
        self._waiting[:] = False
        if not self._begun:
            self._begun = True
            self._recording.tell_scenes(scenes_folder(self._recorder.attempt.run))
        self._recording.begin(chosen)
        return result

    def step(self, actions: Any) -> tuple[Any, Array, Array, Array, dict[str, Any]]:
        """Step all environments and record it."""
        result = self.env.step(actions)
        step = self._guard.run("understand a step", lambda: self._step(actions, *result), None)
        if step is not None:
            self._recording.add(step)
        return result

    def close(self, **kwargs: Any) -> None:
        """Stop recording and close the environments."""
        self._recording.close()
        self.env.close(**kwargs)

    def _tell(self, kind: str, **facts: Any) -> None:
        told = {"event": kind, "unix_s": self._clock.unix_s(), "row": self._recording.rows}
        self._recorder.records("events").append(told | facts)

    def _step(
        self,
        actions: Any,
        obs: Any,
        rewards: Array,
        terminated: Array,
        truncated: Array,
        infos: dict[str, Any],
    ) -> VecStep:
        ended = np.flatnonzero(terminated | truncated).tolist()
        reset = np.flatnonzero(self._waiting).tolist()
        told = [_info(infos, env) for env in range(self.num_envs)]
        step = VecStep(actions, obs, rewards, terminated, truncated, told, ended, reset=reset)
        if self._mode == AutoresetMode.SAME_STEP:
            step.restarted = ended
            step.last_obs = {env: told[env].get("final_obs") for env in ended}
            step.infos = [info.get("final_info", info) for info in told]
        elif self._mode == AutoresetMode.NEXT_STEP:
            self._waiting = terminated | truncated
        return step


class _WithReset:
    """A source whose rows also tell which environments were only reset."""

    def __init__(self, source: StepSource) -> None:
        self._source = source
        self.fields = (*source.fields, _RESET)

    def write(self, steps: Steps, step: VecStep) -> None:
        column = steps.columns["reset"]
        column[steps.at] = False
        column[steps.at, list(step.reset)] = True
        self._source.write(steps, step)

    def begun(self, stream: Stream) -> None:
        self._source.begun(stream)

    def start(self, env: int) -> dict[str, Any]:
        return self._source.start(env)

    def scenes(self, folder: Path) -> list[Scene | None]:
        return self._source.scenes(folder)

    def close(self) -> int:
        return self._source.close()


def _source(
    env: VectorEnv[Any, Any, Any], make_probe: MakeProbe | None, obs: bool | None
) -> StepSource:
    inner: Any = env.unwrapped
    spaces = env.single_observation_space, env.single_action_space
    if hasattr(inner, "before_restart"):
        return Batch(inner, *spaces, obs, (make_probe or find_probe)(inner))
    envs = getattr(inner, "envs", None)
    if envs and all(isinstance(one, gymnasium.Env) for one in envs):
        return Local(envs, make_probe, obs)
    return Outside(*spaces, obs)


def _info(infos: Mapping[str, Any], env: int) -> dict[str, Any]:
    """The info of one environment, out of arrays with masks beside them."""
    told = {}
    for key, values in infos.items():
        mask = infos.get(f"_{key}")
        if key.startswith("_") and key[1:] in infos:
            continue
        if mask is None or mask[env]:
            told[key] = _info(values, env) if isinstance(values, Mapping) else values[env]
    return told
