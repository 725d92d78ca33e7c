"""`training_history.json`: one entry per evaluation in each of its lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trackway.errors import RunError
from trackway.format.jsonable import jsonable, strict_json
from trackway.frameworks.sb3.background_evaluation import EvaluationResult
from trackway.frameworks.sb3.evaluation import EvaluatedEpisode

# Ends that are nobody's fault.
_TIME_IS_UP = ("time_limit", "truncated")


@dataclass
class TrainingHistory:
    """Means over the episodes of each evaluation; all lists are parallel.

    A success rate is None where the environment does not tell success.
    """

    best_mean_reward: float | None = None
    timesteps_history: list[int] = field(default_factory=list)
    rewards_history: list[float] = field(default_factory=list)
    lengths_history: list[float] = field(default_factory=list)
    success_rates: list[float | None] = field(default_factory=list)
    reward_components_history: list[dict[str, float]] = field(default_factory=list)
    stability_metrics: list[dict[str, float]] = field(default_factory=list)
    failure_reasons: list[dict[str, int]] = field(default_factory=list)

    def add(self, result: EvaluationResult) -> bool:
        """Append an evaluation; True if its mean return is the best so far."""
        episodes = result.episodes
        mean = float(np.mean([episode.episode_return for episode in episodes]))
        told = [episode.is_success for episode in episodes if episode.is_success is not None]
        self.timesteps_history.append(result.timestep)
        self.rewards_history.append(mean)
        self.lengths_history.append(float(np.mean([e.episode_length for e in episodes])))
        self.success_rates.append(float(np.mean(told)) if told else None)
        self.reward_components_history.append(_means([e.reward_components for e in episodes]))
        self.stability_metrics.append(_means([e.stability for e in episodes]))
        reasons = Counter(e.termination_reason for e in episodes if _failed(e))
        self.failure_reasons.append(dict(reasons))
        if np.isnan(mean) or (self.best_mean_reward is not None and mean <= self.best_mean_reward):
            return False
        self.best_mean_reward = mean
        return True

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> bytes:
        return strict_json(jsonable(self.as_dict()))


def load_history(path: Path) -> TrainingHistory:
    """The history in a file, to be continued.

    Raises:
        RunError: There is no such file, or it is no training history.
    """
    try:
        content = orjson.loads(path.read_bytes())
        history = TrainingHistory(**{key: content[key] for key in asdict(TrainingHistory())})
        lengths = {len(value) for value in asdict(history).values() if isinstance(value, list)}
        if len(lengths) != 1:
            raise ValueError("its lists differ in length")
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunError(
            f"the history {path} cannot be continued ({reason}); give the training_history.json"
            " of an earlier run, or leave load_history_from out"
        ) from error
    return history


def _failed(episode: EvaluatedEpisode) -> bool:
    if episode.is_success is not None:
        return not episode.is_success
    return episode.termination_reason not in _TIME_IS_UP


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for row in rows for name in row})
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
