"""A Minari dataset: episodes with observations, actions, rewards and ends.

Observations are the recorded `obs`; of a run that recorded the state in their place, `qpos` and `qvel`
in one vector. Minari wants what an episode began with before its first action: the start's record,
or, where that does not tell it, the first step is given up for it.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.errors import QueryError
from trackway.query.exchange.source import EpisodeSteps, Source
from trackway.query.extras import need

Array = npt.NDArray[Any]


def export(source: Source, target: Path, dataset: str = "trackway/run-v0") -> list[Path]:
    """Write the dataset `dataset` into the folder `target`: read it with `MINARI_DATASETS_PATH=target`.

    Raises:
        QueryError: The run has no complete episode, or neither observations nor states.
        MissingExtraError: minari is not installed.
    """
    minari = need("minari", "export to Minari", "minari")
    from gymnasium.spaces import Box
    from minari.data_collector import EpisodeBuffer

    seen = observed(source)
    if source.field("action") is None:
        raise QueryError(f"{source.name} recorded no actions of one array, which Minari wants")
    names = [*seen, "action", "reward", "terminated", "truncated"]
    buffers: list[Any] = []
    for steps in source.episodes(names):
        observations, first = observations_of(steps, seen)
        if len(observations) < 2:
            continue
        columns = {name: steps.columns[name][first:] for name in names}
        buffers.append(
            EpisodeBuffer(
                id=len(buffers),
                observations=list(observations),
                actions=list(columns["action"]),
                rewards=columns["reward"].astype(float).tolist(),
                terminations=columns["terminated"].tolist(),
                truncations=columns["truncated"].tolist(),
            )
        )
    if not buffers:
        raise QueryError(f"{source.name} has no complete episode of environments {source.envs}")

    def box(like: Array) -> Any:
        return Box(-np.inf, np.inf, like.shape, like.dtype.type)

    target.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(target.resolve())
    try:
        with warnings.catch_warnings():
            # That there is no environment to make again is told once, in the description.
            warnings.simplefilter("ignore", UserWarning)
            minari.create_dataset_from_buffers(
                dataset,
                buffers,
                observation_space=box(buffers[0].observations[0]),
                action_space=box(buffers[0].actions[0]),
                data_format="arrow",  # the other one, HDF5, needs one library more
                algorithm_name=source.facts.algorithm or "unknown",
                author="trackway",
                author_email="none",
                code_permalink="none",
                description=f"Run {source.name}; an observation is {' and '.join(seen)}.",
            )
    finally:
        if before is None:
            del os.environ["MINARI_DATASETS_PATH"]
        else:
            os.environ["MINARI_DATASETS_PATH"] = before
    return [target / dataset]


def observed(source: Source) -> list[str]:
    """The fields that make an observation.

    Raises:
        QueryError: Neither observations nor states were recorded.
    """
    if source.field("obs") is not None:
        return ["obs"]
    state = [name for name in ("qpos", "qvel") if source.field(name) is not None]
    if not state:
        raise QueryError(f"{source.name} recorded neither obs nor qpos: record with obs=True")
    return state


def observations_of(steps: EpisodeSteps, fields: list[str]) -> tuple[Array, int]:
    """Observations `[n + 1, size]` around the steps, and the first step that they are around."""
    after = np.concatenate([_flat(steps.columns[name]) for name in fields], axis=1)
    begun = [np.ravel(steps.start.get(name, [])) for name in fields]
    before = np.concatenate(begun).astype(after.dtype)
    if before.shape == after.shape[1:]:
        return np.concatenate([before[None], after]), 0
    return after, 1


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)
