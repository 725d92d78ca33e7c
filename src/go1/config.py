"""Everything that can be set about the batched Go1, in one frozen, checked dataclass.

A table of a configuration file (`[env]`) maps onto it by `Go1Config.from_table`.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from go1.checks import check_choice, check_number, check_rand_power, check_range, check_whole
from go1.presets import CTRL_TYPES, PHYSICS, preset

Range = tuple[float, float]

_BY_TASK: Range = (math.nan, math.nan)

CONTROL_DT = 0.02
"""Seconds between two actions unless `frame_skip` says otherwise: 50 Hz."""


@dataclass(frozen=True)
class Go1Config:
    """One environment, before its random choices. SI units, radians.

    Raises:
        ValueError: A value makes no sense; one sentence says which and what would.
    """

    ctrl_type: str = "position"
    """"position": actions are joint targets about the stance; "torque": fractions of the limit."""
    biped: bool = False
    """Stand and walk on the hind legs instead of on four."""
    physics: str = "full"
    """A preset of `go1.presets`."""
    frame_skip: int | None = None
    """Physics steps per action; None for actions at 50 Hz."""
    max_episode_time_sec: float = 10.0
    staggered_starts: bool = True
    """Shorten the first episodes of a batch evenly, so that robots do not end in step for ever."""

    action_scale: float | None = None
    """What an action of 1 means: rad about the stance, or a fraction of the torque limit."""
    action_noise: float = 0.0
    """Standard deviation of what is added to every action."""

    command_forward: Range = _BY_TASK
    """Commanded speed ahead, m/s, drawn evenly at each episode's start. Left out: .3 to 1.2 on four
    legs, 0 to .3 on two."""
    command_sideways: Range = (0.0, 0.0)
    command_yaw: Range = (0.0, 0.0)
    """Commanded turning rate, rad/s, positive to the left."""

    gait_frequency_hz: float = 2.0
    swing_height_m: float = 0.06
    """How high a swinging foot should get."""

    reset_noise_scale: float = 0.1
    """Spread of joint angles (rad) and velocities about the stance at an episode's start."""
    rand_power: float = 0.0
    """0 to 1: how much of the randomisation below applies; adds as much again to the reset noise."""
    friction_range: Range | None = (0.4, 1.2)
    """Friction of the feet at full power; None keeps the model's."""
    mass_offset_kg: float = 1.0
    """Largest mass added to or taken from the trunk at full power."""
    push_speed: float = 0.5
    """Largest sudden change of speed along x and y, m/s, at full power."""
    push_interval_sec: float = 4.0
    """Mean time between pushes."""

    reward_weights: Mapping[str, float] = field(default_factory=dict)
    """Weights that differ from the task's own, by the term's name (`go1.walking`, `go1.biped`)."""

    def __post_init__(self) -> None:
        if self.command_forward is _BY_TASK:
            object.__setattr__(self, "command_forward", (0.0, 0.3) if self.biped else (0.3, 1.2))
        check_choice("ctrl_type", self.ctrl_type, CTRL_TYPES)
        check_choice("physics", self.physics, PHYSICS)
        if self.biped and self.physics == "upstream":
            raise ValueError("biped needs physics 'full' or 'fast'; 'upstream' walks on four legs")
        if self.frame_skip is not None:
            check_whole("frame_skip", self.frame_skip)
        for name in ("max_episode_time_sec", "push_interval_sec", "gait_frequency_hz"):
            check_number(name, getattr(self, name), above=0.0)
        for name in (
            "action_noise",
            "reset_noise_scale",
            "mass_offset_kg",
            "push_speed",
            "swing_height_m",
        ):
            check_number(name, getattr(self, name), at_least=0.0)
        if self.action_scale is not None:
            check_number("action_scale", self.action_scale, above=0.0)
        check_rand_power(self.rand_power)
        for name in ("command_forward", "command_sideways", "command_yaw"):
            check_range(name, getattr(self, name))
        if self.friction_range is not None:
            check_range("friction_range", self.friction_range)
            check_number("friction_range", self.friction_range[0], above=0.0)
        if self.mass_offset_kg > 4:
            raise ValueError(
                f"mass_offset_kg must stay below the trunk's mass, at most 4; got {self.mass_offset_kg!r}"
            )
        for name, weight in self.reward_weights.items():
            check_number(f"reward_weights.{name}", weight)
        if self.max_steps < 1:
            raise ValueError(
                f"max_episode_time_sec must be at least one step of {self.dt:g} s; "
                f"got {self.max_episode_time_sec!r}"
            )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Go1Config:
        """The configuration a table of a TOML file describes; lists stand for ranges.

        Raises:
            ValueError: A key or a value is wrong; one sentence says which.
        """
        known = [f.name for f in dataclasses.fields(cls)]
        for key in table:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
                raise ValueError(f"{key!r} is no setting of the environment; {hint}")
        settings: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
        }
        return cls(**settings)

    @property
    def timestep(self) -> float:
        """Seconds of one physics step."""
        return preset(self.ctrl_type, self.physics).timestep

    @property
    def substeps(self) -> int:
        """Physics steps per action."""
        return self.frame_skip or round(CONTROL_DT / self.timestep)

    @property
    def dt(self) -> float:
        """Seconds per action."""
        return self.substeps * self.timestep

    @property
    def max_steps(self) -> int:
        """Actions until an episode's time is up."""
        return round(self.max_episode_time_sec / self.dt)
