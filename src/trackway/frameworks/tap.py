"""Writes the steps of one environment, wherever it lives, into its part of a row."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any, Protocol

from trackway.format.schema import Field, Schema
from trackway.probes.find import MakeProbe, find_probe
from trackway.probes.probe import Row, blank, empty_row, starter
from trackway.probes.spaces import Transition
from trackway.recorder.stream import WorkerSlot

Scene = dict[str, Any]
"""What is told of a simulated model: digests, physics steps in a step; see `probes.scene`."""

_log = logging.getLogger("trackway")


def scene_of(folder: Path, env: Any, probe: Any) -> Scene | None:
    """Keep the model that an environment simulates; None where there is no MuJoCo simulation."""
    # Whoever has a MuJoCo model has imported MuJoCo; nobody else needs it.
    if sys.modules.get("mujoco") is None:
        return None
    from trackway.probes.scene import save_scene_of

    return save_scene_of(folder, env, probe)


class Target(Protocol):
    """Where the current row lies."""

    @property
    def row(self) -> Row:
        """The environment's part of it, by field `[1, *shape]`."""
        ...


class FixedRow:
    """A row that is always the same memory."""

    def __init__(self, row: Row) -> None:
        self.row = row


class EnvTap:
    """One environment's columns: what it took, gave and is; never raises while it steps.

    Attributes:
        schema: The fields.
        target: Where they are written; private memory at first.
        errors: How often something failed; the row then holds NaN.
    """

    def __init__(self, env: Any, make_probe: MakeProbe | None, obs: bool | None) -> None:
        self._env = env
        self.probe = (make_probe or find_probe)(env)
        self._start = starter(self.probe)
        state: tuple[Field, ...] = self.probe.schema.fields if self.probe else ()
        self._transition = Transition(env.observation_space, env.action_space, obs, bool(state))
        self.left_out = self._transition.left_out
        self.schema = Schema(*self._transition.fields, *state)
        self._state_names = [field.name for field in state]
        self.target: Target = FixedRow(empty_row(self.schema, 1))
        self.errors = 0

    def write(self, action: Any, obs: Any, reward: Any, terminated: bool, truncated: bool) -> None:
        """Take in a step that was just made."""
        row = self.target.row
        try:
            self._transition.write_one(row, action, obs, reward, terminated, truncated)
        except Exception as error:  # noqa: BLE001 - anything can come out of an environment
            self._failed(error, row)
        self.read(row)

    def read(self, row: Row) -> None:
        """Read the state alone."""
        if self.probe is None:
            return
        try:
            self.probe.read(row)
        except Exception as error:  # noqa: BLE001 - somebody else's code; training goes on
            self._failed(error, {name: row[name] for name in self._state_names})

    def _failed(self, error: Exception, row: Row) -> None:
        blank(row)
        self.errors += 1
        if self.errors == 1:
            _log.warning(
                "recording an environment failed (%s: %s); training goes on, NaN is recorded",
                type(error).__name__,
                error,
            )

    def start(self) -> dict[str, Any]:
        """What the episode begins with; nothing where no probe tells it."""
        try:
            return self._start(0)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error, {})
            return {}

    def scene(self, folder: Path) -> Scene | None:
        """Keep the model that it simulates."""
        return scene_of(folder, self._env, self.probe)

    def attach(self, slot: WorkerSlot) -> None:
        """From now on write into a ring; the step just made is written again, there."""
        last, self.target = self.target.row, slot.open()
        row = self.target.row
        for name, column in last.items():
            row[name][...] = column
