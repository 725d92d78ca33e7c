"""Less help for the dice: randomisation of the start fades out as training goes on."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from trackway.frameworks.sb3.environments import Environments

_FADED_AT = 0.7  # of the training
_STEPS = 1000  # to no randomisation; each is a call into every environment

_log = logging.getLogger("trackway")


class CurriculumCallback(BaseCallback):
    """Lowers `rand_power` linearly from its initial value to 0 at 70 % of the training.

    The value is a function of the timestep alone, so a resumed training goes on where it was. It is
    set in the robots themselves and read back from them.

    Args:
        total_timesteps: The whole training.
        initial_rand_power: The value at timestep 0.
        verbose: 1 says each tenth of the way.
    """

    def __init__(self, total_timesteps: int, initial_rand_power: float, verbose: int = 0) -> None:
        super().__init__(verbose)
        self.total_timesteps = total_timesteps
        self.initial_rand_power = initial_rand_power
        self.rand_power: float | None = None  # as read back from the robots
        self._set_to: float | None = None
        self._next_look = 0
        self._said: set[str] = set()

    def value_at(self, timestep: int) -> float:
        """What `rand_power` is meant to be at a timestep."""
        left = 1.0 - timestep / (_FADED_AT * max(self.total_timesteps, 1))
        return self.initial_rand_power * max(left, 0.0)

    @property
    def progress(self) -> float | None:
        """How much of the way to 0 the robots have gone: 0 to 1."""
        if self.rand_power is None or not self.initial_rand_power:
            return None
        return 1.0 - self.rand_power / self.initial_rand_power

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {
            "rand_power": self.rand_power,
            "initial_rand_power": self.initial_rand_power,
            "total_timesteps": self.total_timesteps,
        }

    def state_dict(self) -> dict[str, Any]:
        """What is to be set when; see `trackway.checkpoint.stateful`."""
        return {
            "rand_power": self.rand_power,
            "set_to": self._set_to,
            "next_look": self._next_look,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state; the robots keep theirs themselves."""
        self.rand_power, self._set_to = state["rand_power"], state["set_to"]
        self._next_look = state["next_look"]

    def update_locals(self, locals_: dict[str, Any]) -> None:
        """Nothing: none of the learner's variables is needed, and to copy them costs every step."""

    def _on_training_start(self) -> None:
        self._envs = Environments(self.training_env)
        self.num_timesteps = self.model.num_timesteps
        self._set_to = None
        self._next_look = 0
        self._apply()

    def _on_step(self) -> bool:
        if self.num_timesteps >= self._next_look:
            self._apply()
        return True

    def _on_rollout_end(self) -> None:
        if self.rand_power is not None:
            self.logger.record("curriculum/rand_power", self.rand_power)

    def _apply(self) -> None:
        # A call into every environment costs, and nobody feels a thousandth of the way.
        self._next_look = self.num_timesteps + int(_FADED_AT * self.total_timesteps / _STEPS)
        value = self.value_at(self.num_timesteps)
        if value == self._set_to:
            return
        self._set_to = value
        try:
            found = self._envs.set_rand_power(value)
            read = self._envs.rand_power() if found else None
        except Exception as error:  # noqa: BLE001 - the robot's code; training goes on without it
            self._say("error", "the curriculum could not be set: %r", error)
            return
        if not found:
            self._say("nothing", "the environment has no rand_power: the curriculum does nothing")
            return
        if read is None or not np.allclose(read, value, rtol=1e-6, atol=1e-9):
            self._say("differs", "rand_power was set to %.4g, but the robots have %s", value, read)
        self.rand_power = None if read is None else float(read.mean())
        if self.rand_power is not None:
            self.logger.record("curriculum/rand_power", self.rand_power)

    def _say(self, key: str, text: str, *facts: Any) -> None:
        if key not in self._said:
            self._said.add(key)
            _log.warning(text, *facts)
