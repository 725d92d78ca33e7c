"""Records what passes through a VecEnv, at its innermost layer: raw observations and rewards."""

from __future__ import annotations

from typing import Any

import numpy as np

from trackway.frameworks.patch import Patch
from trackway.frameworks.step_sources import VecStep
from trackway.frameworks.vector_recording import VectorRecording
from trackway.recorder.guard import Guard


class RecordedEnvs:
    """Patches `reset`, `step_async` and `step_wait` of the innermost VecEnv while training lasts.

    A wrapper would be in the way of those who compare wrappers (`sync_envs_normalization`), and
    the innermost layer is where nothing is normalised or stacked yet.

    Attributes:
        starts_untold: The environments stand at a start that nobody saw; it is told right before the
            first step, since until then a resume may put another state in its place.
    """

    def __init__(self, inner: Any, recording: VectorRecording, guard: Guard) -> None:
        self._recording, self._guard = recording, guard
        self._reset, self._step_async = inner.reset, inner.step_async
        self._step_wait = inner.step_wait
        self._actions: Any = None
        self.starts_untold = False
        nothing = np.empty(0)
        self._step = VecStep(None, None, nothing, nothing, nothing, ())
        self._patch = Patch(
            inner, reset=self.reset, step_async=self.step_async, step_wait=self.step_wait
        )

    def close(self) -> None:
        """Leave the environments as they were found."""
        self._patch.undo()
        self._recording.close()

    def reset(self) -> Any:
        result = self._reset()
        self._begin()
        return result

    def step_async(self, actions: Any) -> None:
        self._actions = actions
        if self.starts_untold:
            self._begin()
        self._step_async(actions)

    def _begin(self) -> None:
        self.starts_untold = False
        self._recording.begin()

    def step_wait(self) -> Any:
        result = self._step_wait()
        try:
            obs, rewards, dones, infos = result
            # Bytes: what NumPy counts with is Python itself, and slow where nothing is cached.
            if 1 in np.asarray(dones, bool).tobytes():
                step = _ended(self._actions, obs, rewards, dones, infos)
            else:  # Nearly always so: the same object serves again.
                step = self._step
                step.actions, step.obs = self._actions, obs
                step.rewards, step.infos = rewards, infos
                step.terminated = step.truncated = dones
        except Exception as error:  # noqa: BLE001 - a VecEnv may return anything; training goes on
            self._guard.failed("understand a step", error)
        else:
            self._recording.add(step)
        return result


def _ended(actions: Any, obs: Any, rewards: Any, dones: Any, infos: Any) -> VecStep:
    ended = np.flatnonzero(dones).tolist()
    truncated = np.zeros_like(dones)
    for env in ended:
        truncated[env] = infos[env].get("TimeLimit.truncated", False)
    last_obs = {env: infos[env].get("terminal_observation") for env in ended}
    # Stable-Baselines3 resets finished environments inside step.
    return VecStep(
        actions, obs, rewards, dones & ~truncated, truncated, infos, ended, last_obs, ended
    )
