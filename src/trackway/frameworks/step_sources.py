"""Who writes the columns of `steps`: by what can be seen of a vector of environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy import ndarray

from trackway.format.schema import Field, Schema
from trackway.frameworks.patch import Patch
from trackway.frameworks.tap import EnvTap, FixedRow, Scene, scene_of
from trackway.probes.find import MakeProbe
from trackway.probes.probe import Array, HasSources, Probe, blank, empty_row, starter
from trackway.probes.spaces import Transition
from trackway.recorder.gather import Gather
from trackway.recorder.steps import Steps
from trackway.recorder.stream import Stream

Space = gymnasium.Space[Any]


@dataclass(slots=True)
class VecStep:
    """A step of all environments: what they were given and what came back, raw.

    Attributes:
        actions, obs: Batches, `[num_envs, ...]` at every leaf.
        rewards, terminated, truncated: `[num_envs]`.
        infos: One per environment; of those whose episode ended, the last of the old episode.
        ended: Environments whose episode ended with this step: `terminated` or `truncated`.
        last_obs: By environment, the last observation of an episode where `obs` has the next one's.
        restarted: Environments that began an episode within this step, after it was made …
        reset: … and those that were reset instead of stepped.
    """

    actions: Any
    obs: Any
    rewards: Array
    terminated: Array
    truncated: Array
    infos: Sequence[Mapping[str, Any]]
    ended: Sequence[int] = ()
    last_obs: Mapping[int, Any] | None = None
    restarted: Sequence[int] = ()
    reset: Sequence[int] = ()


class StepSource(Protocol):
    """Fills rows."""

    fields: tuple[Field, ...]

    def write(self, steps: Steps, step: VecStep) -> None:
        """Complete the current row; whatever it raises is the caller's to count."""

    def begun(self, stream: Stream) -> None:
        """The first row has become one of the stream."""

    def start(self, env: int) -> dict[str, Any]:
        """What the episode that was just begun begins with."""

    def scenes(self, folder: Path) -> list[Scene | None]:
        """Keep the simulated models there; of each environment, or of one for all."""

    def close(self) -> int:
        """Leave the environments as they were found; how often reading them failed."""


class Outside:
    """Only what goes in and comes out is seen."""

    def __init__(
        self, obs_space: Space, action_space: Space, obs: bool | None, has_state: bool = False
    ) -> None:
        self._transition = Transition(obs_space, action_space, obs, has_state)
        self.fields = self._transition.fields
        self._ended_at = set[int]()
        # What goes where, and for which columns that was found out.
        self._into: list[tuple[Array, int, Callable[[VecStep], Any]]] = []
        self._columns: Mapping[str, Array] = {}

    def write(self, steps: Steps, step: VecStep) -> None:
        columns, at = steps.columns, steps.at
        if columns is not self._columns:
            self._prepare(columns)
        # Little is looked at, once it is known: after a step of the physics no cache holds it.
        for column, ndim, batch_of in self._into:
            part = batch_of(step)
            if type(part) is not ndarray or part.ndim != ndim:
                part = np.reshape(part, column.shape[1:])
            column[at] = part
        # Rows are used again: what they say of ends has to be taken back only where they say it.
        if step.ended or at in self._ended_at:
            columns["terminated"][at] = step.terminated
            columns["truncated"][at] = step.truncated
            (self._ended_at.add if step.ended else self._ended_at.discard)(at)
        if step.last_obs:
            row = steps.row
            for env, obs in step.last_obs.items():
                self._transition.write_last_obs(row, env, obs)

    def _prepare(self, columns: Mapping[str, Array]) -> None:
        sources = [("reward", "rewards", ()), *self._transition.leaves()]
        self._into = [
            (columns[name], columns[name].ndim - 1, _picker(what, path))
            for name, what, path in sources
        ]
        self._columns = columns

    def begun(self, stream: Stream) -> None:
        """Nothing has to be told to anybody."""

    def start(self, env: int) -> dict[str, Any]:
        return {}

    def scenes(self, folder: Path) -> list[Scene | None]:
        return []

    def close(self) -> int:
        return 0


class Batch(Outside):
    """All environments are simulated here at once; their state is read before any starts again."""

    def __init__(
        self,
        inner: Any,
        obs_space: Space,
        action_space: Space,
        obs: bool | None,
        probe: Probe | None,
    ) -> None:
        super().__init__(obs_space, action_space, obs, probe is not None)
        self._inner, self._probe, self._errors = inner, probe, 0
        self._start = starter(probe)
        self._state = () if probe is None else probe.schema.fields
        self.fields += self._state
        self._row: dict[str, Array] = empty_row(self._state, inner.num_envs)
        self._error: Exception | None = None
        self._stream: Stream | None = None
        self._gather: Gather | None = None
        inner.before_restart = self._read

    def _read(self) -> None:
        if self._probe is None:
            return
        stream = self._stream
        try:
            if stream is None:
                self._probe.read(self._row)
            elif self._gather is not None:
                self._gather.write(stream.at)
            else:
                self._probe.read(stream.row)
        except Exception as error:  # noqa: BLE001 - raised again where it is counted
            self._error = error

    def write(self, steps: Steps, step: VecStep) -> None:
        Outside.write(self, steps, step)
        if self._stream is None:
            _fill(steps, self._row)
        if self._error is not None:
            error, self._error = self._error, None
            self._errors += 1
            blank({field.name: steps.row[field.name] for field in self._state})
            raise error

    def begun(self, stream: Stream) -> None:
        self._stream = stream
        probe: Any = self._probe
        if isinstance(probe, HasSources):
            self._gather = stream.gather(probe.sources)

    def start(self, env: int) -> dict[str, Any]:
        return self._start(env)

    def scenes(self, folder: Path) -> list[Scene | None]:
        return [scene_of(folder, self._inner, self._probe)]

    def close(self) -> int:
        self._inner.before_restart = None
        return 0  # each was raised by `write`


class Local:
    """Environments of this process, one by one: their `step` is tapped while training lasts."""

    def __init__(self, envs: Sequence[Any], make_probe: MakeProbe | None, obs: bool | None) -> None:
        brought = [_own_tap(env) for env in envs]
        self._taps = [
            tap or EnvTap(env, make_probe, obs) for env, tap in zip(envs, brought, strict=True)
        ]
        schemas = {tap.schema for tap in self._taps}
        if len(schemas) > 1:
            raise ValueError("the environments of a VecEnv must have the same fields")
        schema: Schema = self._taps[0].schema
        self.fields = schema.fields
        _share_scene([tap.probe for tap in self._taps])
        self._rows = empty_row(schema, len(self._taps))
        self._patches = []
        for i, (env, tap) in enumerate(zip(envs, self._taps, strict=True)):
            tap.target = FixedRow({name: col[i : i + 1] for name, col in self._rows.items()})
            if tap is not brought[i]:
                self._patches.append(Patch(env, step=_tapped(env.step, tap)))

    def write(self, steps: Steps, step: VecStep) -> None:
        for env in step.reset:
            action, obs = _of(step.actions, env), _of(step.obs, env)
            self._taps[env].write(action, obs, 0.0, False, False)
        _fill(steps, self._rows)

    def begun(self, stream: Stream) -> None:
        """The taps write into private memory all the time."""

    def start(self, env: int) -> dict[str, Any]:
        return self._taps[env].start()

    def scenes(self, folder: Path) -> list[Scene | None]:
        return [tap.scene(folder) for tap in self._taps]

    def close(self) -> int:
        for patch in self._patches:
            patch.undo()
        return sum(tap.errors for tap in self._taps)


def _picker(what: str, path: Sequence[Any]) -> Callable[[VecStep], Any]:
    whole = attrgetter(what)

    def part(step: VecStep) -> Any:
        value = whole(step)
        for key in path:
            value = value[key]
        return value

    return part if path else whole


def _fill(steps: Steps, row: Mapping[str, Array]) -> None:
    columns, at = steps.columns, steps.at
    for name, column in row.items():
        columns[name][at] = column


def _share_scene(probes: Sequence[Any]) -> None:
    """Tell overrides of all against the same model: what one reset has randomised is no scene."""
    first: Mapping[str, Array] = getattr(probes[0], "scene", {})
    for probe in probes[1:]:
        own: Mapping[str, Array] = getattr(probe, "scene", {})
        if {n: a.shape for n, a in own.items()} == {n: a.shape for n, a in first.items()} and own:
            probe.scene = first


def _own_tap(env: Any) -> EnvTap | None:
    """The tap of an environment that is wrapped in RecordEnv already."""
    try:
        tap: EnvTap = env.get_wrapper_attr("trackway_tap")
    except AttributeError:
        return None
    return tap


def _tapped(step: Any, tap: EnvTap) -> Any:
    def tapped_step(action: Any) -> Any:
        result = step(action)
        obs, reward, terminated, truncated, _ = result
        tap.write(action, obs, reward, terminated, truncated)
        return result

    return tapped_step


def _of(batch: Any, env: int) -> Any:
    """One environment's part of a batch."""
    if isinstance(batch, Mapping):
        return {key: _of(part, env) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_of(part, env) for part in batch)
    return batch[env]
