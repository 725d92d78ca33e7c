"""How well a policy walks: every command tried by several robots, measured the same way each time.

For each command a batch of robots starts from the same seed and follows the deterministic policy
without randomisation, noise or pushes. Measured after a start-up of two seconds:

- mean speed: ahead, in the robot's own frame, over time and robots.
- rms error: the velocity (ahead, sideways) is averaged over a sliding gait cycle, which takes the
  sway of each step out of it; the error is its distance from the command; rms is over time and
  robots. A policy that is right on average but surges from cycle to cycle is thus found out.
- falls: robots that fell at any time; what a robot does after its fall does not count.
- foot lift: the highest a foot's sole gets in a gait cycle, mean over cycles, feet and robots; of a
  biped's feet, the hind ones.
- gait frequency: touchdowns per second and foot; a foot that bounces on its sole for less than a
  tenth of a second has not touched down anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from go1.config import Go1Config
from go1.core import Go1Core

Floats = NDArray[np.float64]
Policy = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Observations [N, 50] to actions [N, 12]."""
Command = float | tuple[float, float, float]
"""Speed ahead, or (ahead, sideways, turning), m/s and rad/s."""

START_UP_S = 2.0
SHORTEST_SWING_S = 0.1


@dataclass(frozen=True)
class EvaluationRow:
    """One command's result, SI units; measures are NaN where every robot fell too early."""

    command: tuple[float, float, float]
    mean_speed: float
    rms_error: float
    falls: int
    num_robots: int
    foot_lift: float
    gait_frequency_hz: float
    success_rate: float
    mean_return: float
    front_contact_fraction: float
    """Part of the time in which a front foot stood on the floor; near 0 is what a biped wants."""
    mean_upright_s: float
    """Time until the robot fell or the episode was over, mean over robots."""
    qpos: Floats = dataclasses.field(repr=False)
    """States of the robot that is shown, [steps, 19], up to its fall."""


@dataclass(frozen=True)
class EvaluationTable:
    """All commands' results; `str()` is a table for people."""

    rows: Sequence[EvaluationRow]
    seconds: float
    dt: float

    def __str__(self) -> str:
        head = "command m/s   speed m/s   rms error   falls   foot lift   gait"
        lines = [
            f"{row.command[0]:11.2f} {row.mean_speed:z11.2f} {row.rms_error:11.3f} "
            f"{row.falls:4d}/{row.num_robots:<2d} {100 * row.foot_lift:z8.1f} cm "
            f"{row.gait_frequency_hz:5.1f} Hz"
            for row in self.rows
        ]
        return "\n".join([head, *lines])


def evaluate(
    policy: Policy,
    config: Go1Config,
    commands: Iterable[Command] = (0.5, 0.75, 1.0),
    num_robots: int = 16,
    seconds: float = 10.0,
    seed: int = 0,
    shown_robot: int = 0,
) -> EvaluationTable:
    """Try the policy at each command; the same arguments give the same numbers.

    Raises:
        ValueError: `seconds` leaves nothing to measure after the start-up.
    """
    if seconds <= START_UP_S:
        raise ValueError(f"seconds must exceed the start-up of {START_UP_S:g} s; got {seconds:g}")
    rows = [
        _try(policy, config, _three(command), num_robots, seconds, seed, shown_robot)
        for command in commands
    ]
    return EvaluationTable(rows, seconds, config.dt)


def calm(config: Go1Config, command: tuple[float, float, float], seconds: float) -> Go1Config:
    """The same robot without noise, pushes or randomisation, at one command."""
    ahead, sideways, yaw = command
    return dataclasses.replace(
        config,
        rand_power=0.0,
        action_noise=0.0,
        staggered_starts=False,
        max_episode_time_sec=seconds,
        command_forward=(ahead, ahead),
        command_sideways=(sideways, sideways),
        command_yaw=(yaw, yaw),
    )


def _try(
    policy: Policy,
    config: Go1Config,
    command: tuple[float, float, float],
    num_robots: int,
    seconds: float,
    seed: int,
    shown_robot: int,
) -> EvaluationRow:
    core = Go1Core(num_robots, calm(config, command, seconds))
    steps = core.max_steps
    first = round(START_UP_S / core.dt)
    velocity = np.full((steps, num_robots, 2), np.nan)
    feet = np.array(core.task.feet)
    height = np.full((steps, num_robots, len(feet)), np.nan)
    front_contact = 0
    touchdowns = 0
    qpos = np.full((steps, core.model.nq), np.nan)
    lasted = np.full(num_robots, steps)
    fallen = np.zeros(num_robots, bool)
    walking = np.ones(num_robots, bool)
    succeeded = np.zeros(num_robots, bool)
    returns = np.zeros(num_robots)
    obs = core.reset(seed)
    for t in range(steps):
        air_time = core.motion.feet_air_time.copy()
        core.advance(policy(obs))
        contact = core.motion.foot_contact[walking]
        front_contact += contact[:, :2].any(axis=1).sum()
        if t >= first:
            landed = contact & (air_time[walking] >= SHORTEST_SWING_S)
            touchdowns += landed[:, feet].sum()
        velocity[t, walking] = core.velocity_along_command()[walking]
        height[t, walking] = core.motion.foot_height[walking][:, feet]
        if walking[shown_robot]:
            qpos[t] = core.qpos[shown_robot]
        ended = core.finished[walking[core.finished]]
        returns[ended] = core.episode_return[ended]
        succeeded[ended] = core.succeeded(ended)
        fell = ended[core.terminated[ended]]
        lasted[fell], fallen[fell] = t + 1, True
        walking[ended] = False
        core.restart_finished()
        obs = core.obs
    cycle = max(1, round(1 / (config.gait_frequency_hz * core.dt)))
    foot_seconds = len(feet) * core.dt * np.maximum(lasted - first, 0).sum()
    return EvaluationRow(
        command=command,
        mean_speed=_mean(velocity[first:, :, 0]),
        rms_error=_rms_error(velocity[first:], command, cycle),
        falls=int(fallen.sum()),
        num_robots=num_robots,
        foot_lift=_foot_lift(height[first:], cycle),
        gait_frequency_hz=float(touchdowns / foot_seconds) if foot_seconds else float("nan"),
        success_rate=float(succeeded.mean()),
        mean_return=float(returns.mean()),
        front_contact_fraction=float(front_contact / lasted.sum()),
        mean_upright_s=float(lasted.mean() * core.dt),
        qpos=qpos[: lasted[shown_robot]],
    )


def _rms_error(velocity: Floats, command: tuple[float, float, float], cycle: int) -> float:
    """Of velocity [steps, N, 2] averaged over a sliding cycle."""
    if len(velocity) < cycle:
        return float("nan")
    sums = np.cumsum(np.concatenate([np.zeros((1, *velocity.shape[1:])), velocity]), axis=0)
    smooth = (sums[cycle:] - sums[:-cycle]) / cycle
    squares = np.square(smooth - np.array(command[:2])).sum(axis=2)
    return float(np.sqrt(_mean(squares)))


def _foot_lift(height: Floats, cycle: int) -> float:
    """Mean over cycles, robots and feet of the highest point, from [steps, N, feet]."""
    cycles = len(height) // cycle
    if not cycles:
        return float("nan")
    return _mean(height[: cycles * cycle].reshape(cycles, cycle, -1).max(axis=1))


def _mean(values: Floats) -> float:
    """Over what was measured; NaN marks what was not."""
    measured = values[~np.isnan(values)]
    return float(measured.mean()) if measured.size else float("nan")


def _three(command: Command) -> tuple[float, float, float]:
    return command if isinstance(command, tuple) else (float(command), 0.0, 0.0)
