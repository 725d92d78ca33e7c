"""An episode in the form that a browser plays: what it is, how it moves, and every column on demand.

What moves and what it earned comes first and fits 20 kB for ten seconds of a Go1; further columns are
asked for when somebody looks at them. `docs/reference/replay-format.md` is the specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trackway.errors import SceneError, StreamError
from trackway.format.labels import labels
from trackway.format.schema import Field
from trackway.replay.attempt import Episode
from trackway.replay.container import Packer
from trackway.replay.model import RecordedModel
from trackway.replay.quantised import Channel, encode, resolution
from trackway.replay.trajectory import Trajectory
from trackway.replay.web_scene import describe_overrides

MAGIC: Final = b"TWEP"
VERSION: Final = 1
LENGTH_STEP_M: Final = 1e-4
ANGLE_STEP_RAD: Final = 1e-3
QUATERNION_STEP: Final = 5e-4
_FORCES: Final = ("foot_force", "contact_force")
_WIDEST: Final = 128
"""Columns with more numbers than this are no curves."""
_FREE, _BALL, _SLIDE = 0, 1, 2
# Where these differ from the scene, bodies and shapes lie elsewhere.
_SHAPING: Final = (
    "body_pos", "body_quat", "body_mass", "body_ipos", "geom_pos", "geom_size", "jnt_range",
)  # fmt: skip


@dataclass(frozen=True)
class Models:
    """The models of an episode, as far as they can be read.

    Attributes:
        drawn, physics: None where they are missing.
        problem: Why there is nothing to draw; None where there is.
    """

    drawn: RecordedModel | None
    physics: RecordedModel | None
    problem: str | None


def models_of(trajectory: Trajectory, load: Any) -> Models:
    """The models that a trajectory's states move.

    Args:
        trajectory: An episode.
        load: Gives the RecordedModel of a digest, or raises SceneError.
    """
    scene, found, problems = trajectory.scene, {}, []
    if not scene:
        return Models(None, None, "this run was recorded without a model: columns can be shown")
    for kind in ("render", "physics"):
        try:
            found[kind] = load(str(scene.get(kind)))
        except SceneError as error:
            problems.append(str(error))
    drawn, physics = found.get("render") or found.get("physics"), found.get("physics")
    states = trajectory.columns.get("qpos")
    if drawn is None:
        return Models(None, physics, problems[0])
    if states is None:
        return Models(drawn, physics, "no positions were recorded: columns can be shown")
    if states.shape[1:] != (drawn.count("nq"),):
        return Models(
            None,
            physics,
            f"the recorded positions ({states.shape[1]}) do not fit the model ({drawn.count('nq')})",
        )
    return Models(drawn, physics, None)


def web_episode(
    trajectory: Trajectory, models: Models, told: Mapping[str, Any] | None = None
) -> bytes:
    """What a page needs to show an episode, ready to be compressed; `told` are further facts."""
    channels = [*_motion(trajectory, models), *_earned(trajectory)]
    return _pack({"facts": {**facts(trajectory, models), **(told or {})}}, channels)


def curve_names(trajectory: Trajectory) -> list[str]:
    """Columns that can be shown as curves and are not in `web_episode` already."""
    sent = {
        *_FORCES,
        "foot_contact",
        "command",
        "push",
        "reward",
        "qpos",
        "mocap_pos",
        "mocap_quat",
    }
    parts = ("reward_component.", "cost_component.")
    return [
        field.name
        for field in trajectory.fields
        if _is_curve(field) and field.name not in sent and not field.name.startswith(parts)
    ]


def web_columns(trajectory: Trajectory, names: Iterable[str]) -> bytes:
    """Columns of an episode by name, each in 511 steps of its range.

    Raises:
        StreamError: There is no such column.
    """
    return _pack({}, [_column(trajectory, name) for name in names])


# What `web_clips` needs of an episode.
CLIP_COLUMNS: Final = ("qpos", "time")


def web_clips(opened: Iterable[tuple[Trajectory, Models]]) -> bytes:
    """The motion alone of several episodes, a channel each, named by its key.

    What has no model or no positions is told of in `clips` and has no channel.
    """
    clips, channels = [], []
    for trajectory, models in opened:
        drawn = models.drawn if models.problem is None else None
        clips.append(
            {
                **episode_row(trajectory.episode),
                "scene": None if drawn is None else drawn.digest,
                "physics": None if models.physics is None else models.physics.digest,
                "step_s": step_s(trajectory, models.physics),
            }
        )
        if drawn is not None:
            steps = _qpos_steps(drawn, _length_step(drawn))
            states = trajectory.columns["qpos"]
            channels.append(Channel(trajectory.episode.key, states, steps, {"lead": 0}))
    return _pack({"clips": clips}, channels)


def facts(trajectory: Trajectory, models: Models) -> dict[str, Any]:
    """Everything that is not a column."""
    episode, start = trajectory.episode, trajectory.start or {}
    overrides: Mapping[str, Any] = start.get("overrides") or {}
    return {
        **episode_row(episode),
        "step_s": step_s(trajectory, models.physics),
        "steps": episode.last_row - episode.first_row + 1,
        "scene": None if models.drawn is None else models.drawn.digest,
        "physics": None if models.physics is None else models.physics.digest,
        "problem": models.problem,
        "limits": trajectory.scene.get("limits") or [],
        "rand_power": start.get("rand_power"),
        "overrides": describe_overrides(overrides, models.physics),
        "shape": shaping(overrides, models),
        "feet": _feet(trajectory, models.drawn),
        "fields": [_told(field) for field in trajectory.fields if _is_curve(field)],
    }


def episode_row(episode: Episode) -> dict[str, Any]:
    """An episode in a list."""
    record = episode.record or {}
    return {
        "key": episode.key,
        "number": episode.number,
        "attempt": episode.attempt,
        "env": episode.env,
        "episode": episode.episode,
        "ended": episode.record is not None,
        "timestep": record.get("timestep"),
        "unix_s": record.get("unix_s"),
        "return": record.get("return"),
        "length": record.get("length", episode.last_row - episode.first_row + 1),
        "reason": record.get("termination_reason"),
        "success": record.get("is_success"),
        "rewards": record.get("reward_components") or {},
        "costs": record.get("cost_components") or {},
    }


def step_s(trajectory: Trajectory, physics: RecordedModel | None) -> float | None:
    """Simulated time of a step, s: as the scene tells it, else as the recorded time does."""
    substeps = trajectory.scene.get("substeps")
    if physics is not None and substeps:
        return float(physics["opt.timestep"]) * int(substeps)
    return trajectory.step_s


def _motion(trajectory: Trajectory, models: Models) -> Iterable[Channel]:
    frames = trajectory.frames
    yield Channel("frame", frames, np.ones(1), {"lead": len(frames) - len(trajectory)})
    qpos, drawn = trajectory.qpos, models.drawn
    if qpos is not None and drawn is not None:
        length = _length_step(drawn)
        yield Channel(
            "qpos", qpos, _qpos_steps(drawn, length), {"lead": len(qpos) - len(trajectory)}
        )
        for name, step in (("mocap_pos", length), ("mocap_quat", QUATERNION_STEP)):
            if name in trajectory.columns:
                values = trajectory.columns[name]
                components = int(np.prod(values.shape[1:]))
                yield Channel(name, values, np.full(components, step), {"lead": 0})
    for name in (*_FORCES, "foot_contact", "command", "push"):
        if name in trajectory.columns:
            yield _column(trajectory, name, levels=200)


def _earned(trajectory: Trajectory) -> Iterable[Channel]:
    for field in trajectory.fields:
        if field.name == "reward" or field.name.startswith(
            ("reward_component.", "cost_component.")
        ):
            yield _column(trajectory, field.name, levels=127)


def _column(trajectory: Trajectory, name: str, levels: int = 511) -> Channel:
    field = next((f for f in trajectory.fields if f.name == name), None)
    if field is None or not _is_curve(field):
        raise StreamError(f"the episode has no column {name!r} that could be shown")
    values = trajectory.columns[name]
    return Channel(name, values, resolution(values, levels), {"lead": 0})


def _pack(header: dict[str, Any], channels: Iterable[Channel]) -> bytes:
    packer, told = Packer(), []
    for channel in channels:
        described, data = encode(channel)
        told.append(described | {"at": packer.add(data)})
    return packer.pack(MAGIC, VERSION, header | {"channels": told})


def _length_step(model: RecordedModel) -> float:
    return LENGTH_STEP_M * min(1.0, float(model["stat.extent"]))


def _qpos_steps(model: RecordedModel, length: float) -> NDArray[np.float64]:
    steps = np.full(model.count("nq"), ANGLE_STEP_RAD)
    for kind, at in zip(model["jnt_type"].tolist(), model["jnt_qposadr"].tolist(), strict=True):
        if kind == _FREE:
            steps[at : at + 3], steps[at + 3 : at + 7] = length, QUATERNION_STEP
        elif kind == _BALL:
            steps[at : at + 4] = QUATERNION_STEP
        elif kind == _SLIDE:
            steps[at] = length
    return steps


def _is_curve(field: Field) -> bool:
    return len(field.shape) <= 1 and int(np.prod(field.shape)) <= _WIDEST


def _told(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "unit": field.unit,
        "shape": list(field.shape),
        "description": field.description,
        "labels": _labels(field),
    }


def _labels(field: Field) -> list[str]:
    """What each number of a field is called; [] where some have no name."""
    named = labels(field)
    return named if field.shape == (len(named),) else []


def _feet(trajectory: Trajectory, drawn: RecordedModel | None) -> list[dict[str, Any]]:
    """What may stand on the ground: a name, its column of forces, its shape in the scene.

    Of shapes whose contacts were recorded, those at the ends of limbs.
    """
    field = next((f for f in trajectory.fields if f.name in _FORCES), None)
    if field is None:
        return []
    names = _labels(field)
    found = []
    geoms = drawn.names("geom") if drawn is not None else []
    parents = set(drawn["body_parentid"].tolist()) if drawn is not None else set()
    for column, name in enumerate(names):
        geom = geoms.index(name) if name in geoms else -1
        if drawn is None or geom < 0 or int(drawn["geom_bodyid"][geom]) not in parents:
            found.append({"name": name, "field": field.name, "column": column, "geom": geom})
    return found


def shaping(overrides: Mapping[str, Any], models: Models) -> dict[str, list[list[float]]]:
    """Overrides that move or shape something in the drawn model: element, component, value."""
    drawn, physics = models.drawn, models.physics
    if drawn is None or physics is None:
        return {}
    found: dict[str, list[list[float]]] = {}
    for field in _SHAPING:
        told = overrides.get(field)
        if told is None:
            continue
        kind = field.partition("_")[0]
        width = int(np.prod(physics[field].shape[1:]))
        target = _same_elements(kind, physics, drawn)
        for index, value in zip(told["index"], told["value"], strict=True):
            element = target[index // width]
            if element >= 0:
                found.setdefault(field, []).append([element, index % width, value])
    return found


def _same_elements(kind: str, physics: RecordedModel, drawn: RecordedModel) -> list[int]:
    """By element of the simulated model, the same one of the drawn model; -1 where there is none."""
    here, there = physics.names(kind), drawn.names(kind)
    if physics.digest == drawn.digest or (len(here) == len(there) and here == there):
        return list(range(len(here)))
    return [there.index(name) if name and name in there else -1 for name in here]
