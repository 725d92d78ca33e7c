"""How a robot moved: which foot stood when, and what its joints did."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np

from trackway.errors import QueryError
from trackway.query.figures.data import Motion, Subject, motion, numbered_labels
from trackway.query.figures.style import ASIDE, INK, LINES, QUIET, aside, new_figure

_CONTACTS: Final = ("foot_contact", "feet_contact", "contact")
# So much can still be read in print.
_GAIT_S: Final = 4.0
_JOINTS_S: Final = 2.0
_STEPS_A_SECOND: Final = 50  # where nobody told how long a step is


def draw_gait(
    subject: Subject, title: str | None, *, episode: int | None, env: int | None, start: float
) -> Any:
    """A bar for each foot while it stands; below, the force on each where it was recorded.

    Raises:
        QueryError: The run recorded no contacts, or there is no such episode.
    """
    moved = motion(subject, [*_CONTACTS, "foot_force"], episode=episode, env=env)
    name = next((n for n in _CONTACTS if n in moved.columns), None)
    if name is None or moved.columns[name].ndim != 2:
        raise QueryError(f"{subject.facts.name} recorded none of: {', '.join(_CONTACTS)}")
    part = _part(moved, start, _GAIT_S)
    time, stands = moved.time[part], moved.columns[name][part] > 0
    feet = numbered_labels(moved.fields[name])
    force = moved.columns.get("foot_force")
    figure = new_figure(1.1 + 0.32 * len(feet) + (1.6 if force is not None else 0.0))
    rows = 2 if force is not None else 1
    ratios = [0.32 * len(feet), 1.4][:rows]
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    for foot in range(len(feet)):
        bars = [(time[a] - step, (b - a) * step) for a, b in runs_of(stands[:, foot])]
        color = LINES[foot % len(LINES)]
        axes[0].broken_barh(bars, (foot - 0.36, 0.72), facecolor=color, linewidth=0)
        axes[0].annotate(
            f"{100 * stands[:, foot].mean():.0f} %",
            (1.005, foot),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=6.5,
            color=INK,
        )
        if force is not None:
            axes[1].plot(time, force[part, foot], color=color, linewidth=0.9)
    axes[0].set_yticks(range(len(feet)), feet)
    axes[0].set_ylim(len(feet) - 0.5, -0.5)
    axes[0].grid(axis="y", visible=False)
    axes[0].tick_params(axis="y", length=0)
    figure.suptitle(title or f"{subject.label}: gait", x=0.01, ha="left")
    aside(figure, moved.told)
    axes[0].annotate(
        "stands", (1.005, 1.0), xycoords="axes fraction", va="bottom", fontsize=6.5, color=ASIDE
    )
    if force is not None:
        axes[1].set_ylabel(f"foot force ({_unit(moved, 'foot_force')})")
        axes[1].set_ylim(0, None)
    axes[-1].set_xlim(time[0] - step, time[-1])
    axes[-1].set_xlabel(_time_label(moved))
    return figure


def runs_of(flags: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """Where stretches of True begin and end.

    >>> runs_of(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def draw_joints(
    subject: Subject, title: str | None, *, episode: int | None, env: int | None, start: float
) -> Any:
    """A panel for each joint: its position and what it was told; its torque where it was recorded.

    Raises:
        QueryError: The run recorded no `qpos`, or there is no such episode.
    """
    moved = motion(subject, ["qpos", "ctrl", "torque"], episode=episode, env=env)
    if "qpos" not in moved.columns or moved.columns["qpos"].ndim != 2:
        raise QueryError(f"{subject.facts.name} recorded no qpos")
    part = _part(moved, start, _JOINTS_S)
    names = {i: n for i, n in enumerate(numbered_labels(moved.fields["qpos"])) if not n.isdigit()}
    joints = names or {i: f"qpos {i}" for i in range(moved.columns["qpos"].shape[1])}
    # The joints of a leg in a column: hip, thigh, calf below each other.
    legs = _legs(list(joints.values()))
    rows, columns = max(len(leg) for leg in legs.values()), len(legs)
    figure = new_figure(1.05 + 1.25 * rows)
    axes = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    time = moved.time[part]
    told, torque = (_by_name(moved, name, part) for name in ("ctrl", "torque"))
    position = dict(zip(joints.values(), joints, strict=True))
    # Only a joint's target has its unit; a fraction of the torque limit is no position.
    is_target = "rad" in _unit(moved, "ctrl") and not _like_fractions(told, moved, position, part)
    for column, (leg, members) in enumerate(legs.items()):
        for row in range(rows):
            axis = axes[row, column]
            if row >= len(members):
                axis.set_visible(False)
                continue
            joint = members[row]
            if is_target and joint in told:
                axis.plot(time, told[joint], color=QUIET, linewidth=0.8, label="target")
            axis.plot(
                time, moved.columns["qpos"][part, position[joint]], color=LINES[0], label="position"
            )
            if joint in torque:
                beside = axis.twinx()
                beside.plot(
                    time, torque[joint], color=LINES[1], linewidth=0.7, alpha=0.6, label="torque"
                )
                limit = 1.05 * max(float(np.nanmax(np.abs(t))) for t in torque.values()) or 1.0
                beside.set(ylim=(-limit, limit))
                beside.grid(visible=False)
                beside.spines["right"].set_visible(column == columns - 1)
                beside.tick_params(labelright=column == columns - 1, right=column == columns - 1)
                if column == columns - 1 and row == rows // 2:
                    beside.set_ylabel(f"torque ({_unit(moved, 'torque')})", color=LINES[1])
                if row == column == 0:
                    axis.plot([], [], color=LINES[1], linewidth=0.8, label="torque")
            if row == 0:
                axis.set_title(leg or " ", loc="center", fontsize=8)
            if column == 0:
                part_name = plain_joint(joint, leg)
                axis.set_ylabel(f"{part_name} (rad)" if names else joint)
            if row == rows - 1:
                axis.set_xlabel(_time_label(moved))
    axes[0, 0].set_xlim(time[0], time[-1])
    handles, said = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, said, loc="outside lower center", ncols=len(said))
    figure.suptitle(title or f"{subject.label}: joints", x=0.01, ha="left")
    aside(figure, moved.told)
    return figure


def _legs(joints: list[str]) -> dict[str, list[str]]:
    """Joints by the first word of their names, where that makes groups of more than one."""
    legs: dict[str, list[str]] = {}
    for joint in joints:
        legs.setdefault(re.split(r"[_ ]", joint)[0], []).append(joint)
    if len(legs) in {1, len(joints)} or len(legs) > 8:
        columns = min(len(joints), 4)
        return {" " * i: joints[i::columns] for i in range(columns)}
    return legs


def plain_joint(joint: str, leg: str) -> str:
    """The part of a leg that a joint is of.

    >>> plain_joint("FR_hip_joint", "FR")
    'hip'
    """
    return joint.removeprefix(leg).replace("_", " ").removesuffix("joint").strip() or joint


def _by_name(moved: Motion, name: str, part: slice) -> dict[str, Any]:
    if name not in moved.columns or moved.columns[name].ndim != 2:
        return {}
    values = moved.columns[name][part]
    return {label: values[:, i] for i, label in enumerate(numbered_labels(moved.fields[name]))}


def _like_fractions(
    told: dict[str, Any], moved: Motion, position: dict[str, int], part: slice
) -> bool:
    """Whether what joints were told is far from where they are, as a torque is from an angle."""
    shared = [joint for joint in position if joint in told]
    if not shared:
        return True
    qpos = moved.columns["qpos"][part]
    apart = [abs(np.nanmean(told[j] - qpos[:, position[j]])) for j in shared]
    return float(np.median(apart)) > 0.5


def _part(moved: Motion, start: float, length_s: float) -> slice:
    begin = moved.time[0] + start
    end = begin + length_s * (1 if moved.timed else _STEPS_A_SECOND)
    first, last = np.searchsorted(moved.time, [begin, end])
    if last - first < 2:
        raise QueryError(f"the episode ends before {start:g} {'s' if moved.timed else 'steps'}")
    return slice(int(first), int(last))


def _unit(moved: Motion, name: str) -> str:
    return moved.fields[name].unit if name in moved.fields else ""


def _time_label(moved: Motion) -> str:
    return "time (s)" if moved.timed else "step"
