"""Who writes the columns of `steps`: four kinds of VecEnv, by what can be seen of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from trackway.format.schema import Field, Schema
from trackway.frameworks.gymnasium.tap import EnvTap, FixedRow
from trackway.frameworks.patch import Patch
from trackway.frameworks.sb3.environments import Environments
from trackway.probes.find import MakeProbe, find_probe
from trackway.probes.probe import Array, Probe, blank, empty_row, start_of
from trackway.probes.spaces import Transition
from trackway.recorder.steps import Steps
from trackway.recorder.stream import Stream


@dataclass(slots=True)
class VecStep:
    """A step of the innermost VecEnv: what it was given and what it returned."""

    actions: Any
    obs: Any
    rewards: Array
    dones: Array
    infos: list[dict[str, Any]]


class StepSource(Protocol):
    """Fills rows."""

    fields: tuple[Field, ...]

    def write(self, steps: Steps, step: VecStep) -> None:
        """Complete the current row; whatever it raises is the caller's to count."""

    def begun(self, stream: Stream) -> None:
        """The first row has become one of the stream."""

    def start(self, env: int) -> dict[str, Any]:
        """What the episode that was just begun begins with."""

    def close(self) -> int:
        """Leave the environments as they were found; how often reading them failed."""


def source_of(envs: Environments, make_probe: MakeProbe | None, obs: bool | None) -> StepSource:
    """The best there is for a VecEnv."""
    inner = envs.inner
    if hasattr(inner, "before_restart") and (make_probe or hasattr(inner, "recorder_probe")):
        return Batch(inner, (make_probe or find_probe)(inner), obs)
    if envs.has("trackway_attach"):
        return Workers(envs)
    if envs.local is not None:
        return Local(inner, make_probe, obs)
    return Outside(inner, obs)


class Outside:
    """Only what goes in and comes out is seen."""

    def __init__(self, inner: Any, obs: bool | None, has_state: bool = False) -> None:
        spaces = inner.observation_space, inner.action_space
        self._transition = Transition(*spaces, obs, has_state)
        self.fields = self._transition.fields

    def write(self, steps: Steps, step: VecStep) -> None:
        row, dones = steps.row, step.dones
        self._transition.write(row, step.actions, step.obs, step.rewards, dones, False)
        if dones.any():
            for env in np.flatnonzero(dones).tolist():
                info = step.infos[env]
                cut = bool(info.get("TimeLimit.truncated", False))
                row["terminated"][env], row["truncated"][env] = not cut, cut
                self._transition.write_last_obs(row, env, info.get("terminal_observation"))

    def begun(self, stream: Stream) -> None:
        """Nothing has to be told to anybody."""

    def start(self, env: int) -> dict[str, Any]:
        return {}

    def close(self) -> int:
        return 0


class Batch(Outside):
    """All environments are simulated here at once; their state is read before any starts again."""

    def __init__(self, inner: Any, probe: Probe | None, obs: bool | None) -> None:
        super().__init__(inner, obs, probe is not None)
        self._inner, self._probe, self._errors = inner, probe, 0
        self._state = () if probe is None else probe.schema.fields
        self.fields += self._state
        self._row: dict[str, Array] = empty_row(self._state, inner.num_envs)
        self._error: Exception | None = None
        self._stream: Stream | None = None
        inner.before_restart = self._read

    def _read(self) -> None:
        if self._probe is None:
            return
        row = self._row if self._stream is None else self._stream.row
        try:
            self._probe.read(row)
        except Exception as error:  # noqa: BLE001 - raised again where it is counted
            self._error = error

    def write(self, steps: Steps, step: VecStep) -> None:
        super().write(steps, step)
        if self._stream is None:
            for name, column in self._row.items():
                steps.row[name][...] = column
        if self._error is not None:
            error, self._error = self._error, None
            self._errors += 1
            blank({field.name: steps.row[field.name] for field in self._state})
            raise error

    def begun(self, stream: Stream) -> None:
        self._stream = stream

    def start(self, env: int) -> dict[str, Any]:
        return start_of(self._probe, env)

    def close(self) -> int:
        self._inner.before_restart = None
        return 0  # each was raised by `write`


class Local:
    """Environments of this process, one by one: their `step` is tapped while training lasts."""

    def __init__(self, inner: Any, make_probe: MakeProbe | None, obs: bool | None) -> None:
        self._taps = [EnvTap(env, make_probe, obs) for env in inner.envs]
        schemas = {tap.schema for tap in self._taps}
        if len(schemas) > 1:
            raise ValueError("the environments of a VecEnv must have the same fields")
        schema: Schema = self._taps[0].schema
        self.fields = schema.fields
        self._rows = empty_row(schema, len(self._taps))
        self._patches = []
        for i, (env, tap) in enumerate(zip(inner.envs, self._taps, strict=True)):
            tap.target = FixedRow({name: col[i : i + 1] for name, col in self._rows.items()})
            self._patches.append(Patch(env, step=_tapped(env.step, tap)))

    def write(self, steps: Steps, step: VecStep) -> None:
        row = steps.row
        for name, column in self._rows.items():
            row[name][...] = column

    def begun(self, stream: Stream) -> None:
        """The taps write into private memory all the time."""

    def start(self, env: int) -> dict[str, Any]:
        return self._taps[env].start()

    def close(self) -> int:
        for patch in self._patches:
            patch.undo()
        return sum(tap.errors for tap in self._taps)


def _tapped(step: Any, tap: EnvTap) -> Any:
    def tapped_step(action: Any) -> Any:
        result = step(action)
        obs, reward, terminated, truncated, _ = result
        tap.write(action, obs, reward, terminated, truncated)
        return result

    return tapped_step


class Workers:
    """Environments wrapped in `RecordEnv` write their own slots, mostly in other processes."""

    def __init__(self, envs: Environments) -> None:
        self._envs = envs
        (schema,) = set(envs.call("trackway_schema") or [])
        self.fields: tuple[Field, ...] = schema.fields

    def write(self, steps: Steps, step: VecStep) -> None:
        """They did so before they answered."""

    def begun(self, stream: Stream) -> None:
        for env in range(self._envs.num_envs):
            self._envs.call("trackway_attach", stream.slot(env), only=env)

    def start(self, env: int) -> dict[str, Any]:
        told = self._envs.call("trackway_start", only=env)
        return dict(told[0]) if told else {}

    def close(self) -> int:
        return sum(self._envs.call("trackway_errors") or [])
