"""How the steps of a VecEnv are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trackway.format.schema import Field
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.step_sources import Batch, Local, Outside, StepSource, VecStep
from trackway.frameworks.tap import Scene
from trackway.probes.find import MakeProbe, find_probe
from trackway.recorder.steps import Steps
from trackway.recorder.stream import Stream


def source_of(envs: Environments, make_probe: MakeProbe | None, obs: bool | None) -> StepSource:
    """The best there is for a VecEnv."""
    inner: Any = envs.inner
    spaces = inner.observation_space, inner.action_space
    if hasattr(inner, "before_restart") and (make_probe or hasattr(inner, "recorder_probe")):
        return Batch(inner, *spaces, obs, (make_probe or find_probe)(inner))
    if envs.local is not None:
        return Local(inner.envs, make_probe, obs)
    if envs.has("trackway_attach"):
        return Workers(envs)
    return Outside(*spaces, obs)


class Workers:
    """Environments wrapped in `RecordEnv` write their own slots, from their own processes."""

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

    def scenes(self, folder: Path) -> list[Scene | None]:
        return list(self._envs.call("trackway_scene", folder) or [])

    def close(self) -> int:
        return sum(self._envs.call("trackway_errors") or [])
