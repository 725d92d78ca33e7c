"""Snapshots of a training, taken in a millisecond and handed to whoever publishes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.vec_env import SubprocVecEnv

from trackway.checkpoint.assemble import GRAPH, MODEL
from trackway.checkpoint.read import Checkpoint
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.frameworks.sb3 import exact, workers
from trackway.frameworks.sb3.given import Given
from trackway.frameworks.sb3.model_parts import ModelParts
from trackway.frameworks.sb3.replay_journal import ReplayJournal, Segment, is_appended
from trackway.frameworks.sb3.state import NOT_CAPTURED, capture, model_zip
from trackway.frameworks.sb3.time_budget import TimeBudget
from trackway.frameworks.sb3.verdict import Verdict

_log = logging.getLogger("trackway")
# Of the training's time, for snapshots that are only kept in case it ends within a rollout; the first
# one, on credit, takes several times as long as the next.
_SHARE, _CREDIT_S = 0.001, 0.001
_ANEW = "the running episodes are not gone on with: where this is resumed, new ones begin"


@dataclass(frozen=True)
class Taken:
    """A snapshot, ready to be sent to `trackway.checkpoint.assemble`.

    Attributes:
        timestep: When it was taken.
        content: The parts `model` or `zip`, `members`, `graph`.
        arrays: Those that go with them.
        facts: For the manifest: `exact`, `point`, `iteration`.
        done: Call it when content and arrays have been copied.
        segments: Rows of the replay buffer that are to be on disk before it.
    """

    timestep: int
    content: dict[str, Any]
    arrays: dict[str, np.ndarray[Any, Any]]
    facts: dict[str, Any]
    done: Callable[[], None]
    segments: list[Segment]


class Snapshots:
    """Takes snapshots of one training.

    Attributes:
        kept: The snapshot of the running rollout's start, or of an earlier one, that nobody has
            published. A rollout cannot be gone on with in its middle; from here it is repeated.
    """

    def __init__(self, model: Any, clock: Clock = SYSTEM_CLOCK) -> None:
        self._model, self._clock = model, clock
        self._parts: ModelParts | None = None
        self._plain = True  # whether the model can be taken apart
        self._verdict: Verdict | None = None
        self._given: Given | None = None
        self._replay: ReplayJournal | None = None
        self._cut: list[Segment] = []  # and not handed over, where a snapshot failed
        self._budget = TimeBudget(_SHARE, _CREDIT_S, clock)
        self.kept: Taken | None = None

    def take(
        self, callback: BaseCallback | None, point: str | None, documents: Mapping[str, Any]
    ) -> Taken:
        """Copy everything.

        Args:
            callback: The outermost one.
            point: Where the training is; see `exact.capture`. None: somewhere else, and the snapshot
                is not exact.
            documents: Further members, each written as JSON.
        """
        model = self._model
        members = capture(model, documents, rng=point is None)
        content: dict[str, Any] = {"members": members, "graph": None}
        arrays: dict[str, Any] = {}
        facts: dict[str, Any] = {"exact": list(NOT_CAPTURED), "point": point, "iteration": None}
        if point is not None:
            replay = self._journal()
            if replay is not None:
                replay.compare()
            while replay is not None and (segment := replay.cut()) is not None:
                self._cut.append(segment)
            references = None if replay is None else replay.references()
            found = self._judge()
            assert self._verdict is not None
            taped, lost = ({}, []) if found else self._verdict.taped()
            self.begin(callback)
            snapshot = exact.capture(
                model, callback, point, self._clock, references, taped, self._given
            )
            content["graph"] = snapshot.graph.packed()
            arrays |= {GRAPH + name: array for name, array in snapshot.graph.arrays.items()}
            inexact = [*snapshot.inexact, *lost, *found]
            if references is not None:
                facts["replay"] = [name for name, _, _ in references["segments"]]
            if begins_anew := snapshot.begins_anew or self._verdict.found_wanting:
                inexact.append(_ANEW)
            facts |= {
                "exact": inexact or True,
                "begins_anew": begins_anew,
                "iteration": snapshot.iteration,
                "environments_tested": self._verdict.tested,
            }
        done = self._take_model(content, arrays)
        segments, self._cut = self._cut, []
        return Taken(model.num_timesteps, content, arrays, facts, done, segments)

    def begin(self, callback: BaseCallback | None) -> None:
        """Before a training begins or is gone on with: note what the program gives to it."""
        if self._given is None:
            self._given = Given(self._model, exact.parts(self._model, callback))
            if isinstance(venv := self._model.get_env().unwrapped, SubprocVecEnv):
                workers.look(venv)

    def watch(self) -> None:
        """Where the first rollout starts: begin to try whether the environments come back exactly."""
        if self._verdict is None:
            self._verdict = Verdict(self._model.get_env().unwrapped)

    def _judge(self) -> list[str]:
        self.watch()
        assert self._verdict is not None
        return self._verdict.sentences()

    def advance(self) -> Segment | None:
        """Where a rollout starts: rows of the replay buffer to be written, if there are enough."""
        replay = self._journal()
        if self._cut:
            return self._cut.pop(0)
        return replay.cut() if replay is not None and replay.due else None

    def resumed(self, checkpoint: Checkpoint, folder: Path) -> None:
        """The training goes on from a checkpoint; what lies in this folder need not be written again."""
        self._replay = None
        self._journal(exact.replay_of(checkpoint) if checkpoint.path.parent == folder else None)

    def _journal(self, known: Mapping[str, Any] | None = None) -> ReplayJournal | None:
        model = self._model
        buffer = getattr(model, "replay_buffer", None)
        if buffer is None or not is_appended(buffer):
            return None
        if self._replay is None:
            self._replay = ReplayJournal(buffer, model.n_envs, model.num_timesteps, known)
        if not self._replay.is_of(buffer):
            return None
        self._replay.look(model.num_timesteps)
        return self._replay

    def keep(
        self, callback: BaseCallback | None, documents: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Where a rollout starts: keep a snapshot of it, if there is time for one."""
        if not isinstance(self._model, OnPolicyAlgorithm) or self._budget.allowance_s() <= 0.0:
            return
        with self._budget.spending():
            self.forget()
            self.kept = self.take(callback, "rollout_start", documents())

    def forget(self) -> None:
        """Keep none."""
        kept, self.kept = self.kept, None
        if kept is not None:
            kept.done()

    def close(self) -> None:
        """Leave the environments as they were found."""
        if self._verdict is not None:
            self._verdict.close()

    def _take_model(self, content: dict[str, Any], arrays: dict[str, Any]) -> Callable[[], None]:
        if self._plain:
            try:
                if self._parts is None:
                    self._parts = ModelParts(self._model)
                content["model"], arrays[MODEL], done = self._parts.take()
            except TypeError as error:
                self._plain = False
                _log.info("the model is saved whole, which takes longer: %s", error)
            else:
                return done
        content["zip"] = model_zip(self._model)
        return _nothing


def _nothing() -> None:
    pass
