"""Counts episodes as they run and keeps what each was when it ended."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trackway.format.jsonable import jsonable

_RECENT = 100  # episodes that "recent" means


class Episodes:
    """The running episode of each environment and the counts of the finished ones.

    Attributes:
        returns: Sum of raw rewards of the running episodes, (num_envs,).
        counts, successes: Finished episodes and those of them that succeeded, (num_envs,).
        success_known: Whether the environments say what success is.
        ended: Episodes that have ended here; not what was restored.
    """

    def __init__(self, num_envs: int) -> None:
        self.returns = np.zeros(num_envs)
        # Steps taken in, and how many of them came before each running episode.
        self._taken, self._before = 0, np.zeros(num_envs, dtype=np.int64)
        self.counts = np.zeros(num_envs, dtype=np.int64)
        self.successes = np.zeros(num_envs, dtype=np.int64)
        self.success_known = False
        self.ended = 0
        self._recent = _Recent()
        self._component_keys: list[str] | None = None
        self._components: list[dict[str, float]] = [{} for _ in range(num_envs)]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Steps of the running episodes, (num_envs,)."""
        return self._taken - self._before

    def begin(self) -> None:
        """All environments were reset."""
        self.returns[:] = 0.0
        self._before[:] = self._taken
        self._components = [{} for _ in self._components]

    def step(self, rewards: npt.NDArray[Any], infos: Sequence[Mapping[str, Any]]) -> None:
        """Take in one step of all environments: raw rewards, (num_envs,), and what was told."""
        self.returns += rewards
        self._taken += 1
        if self._component_keys is None:
            self._component_keys = _component_keys(infos[0])
        if self._component_keys:
            for sums, info in zip(self._components, infos, strict=True):
                for key in self._component_keys:
                    sums[key] = sums.get(key, 0.0) + float(info.get(key, 0.0))

    def end(
        self,
        dones: npt.NDArray[np.bool_],
        infos: Sequence[Mapping[str, Any]],
        timestep: int,
        unix_s: float,
    ) -> list[dict[str, Any]]:
        """The records of the episodes that the step just taken in has ended."""
        return [self._end(i, infos[i], timestep, unix_s) for i in np.flatnonzero(dones).tolist()]

    def interrupt(self, timestep: int, unix_s: float) -> list[dict[str, Any]]:
        """The running episodes are not gone on with; returns their records, "interrupted"."""
        info = {"termination_reason": "interrupted", "TimeLimit.truncated": True}
        running = np.flatnonzero(self.lengths).tolist()
        return [self._end(i, info, timestep, unix_s, whole=False) for i in running]

    def _end(
        self, i: int, info: Mapping[str, Any], timestep: int, unix_s: float, *, whole: bool = True
    ) -> dict[str, Any]:
        monitored = info.get("episode", {})
        episode_return = float(monitored.get("r", self.returns[i]))
        length = int(monitored.get("l", self._taken - self._before[i]))
        self.counts[i] += 1
        self.ended += 1
        if "is_success" in info:
            self.success_known = True
            self.successes[i] += bool(info["is_success"])
        truncated = bool(info.get("TimeLimit.truncated", False))
        rewards, costs = _components(info, self._components[i])
        record: dict[str, Any] = {
            "record": "episode",
            "timestep": timestep,
            "env_id": i,
            **self.counters(i),
            "timestamp": unix_s,
            "episode_return": episode_return,
            "episode_length": length,
            "termination_reason": str(
                info.get("termination_reason") or ("truncated" if truncated else "terminated")
            ),
            "reward_components": rewards,
            "cost_components": costs,
        }
        if "is_success" in info:
            record["is_success"] = bool(info["is_success"])
        record["detailed_info"] = self._detail(i, info, record)
        performance = record["detailed_info"].get("performance_metrics")
        if performance is not None:
            record["performance_metrics"] = performance
        if whole:  # the return of a part says nothing of the policy
            self._recent.add(record)
        self.returns[i], self._before[i], self._components[i] = 0.0, self._taken, {}
        return record

    def _detail(self, i: int, info: Mapping[str, Any], record: dict[str, Any]) -> dict[str, Any]:
        """The state at the episode's end: only `info` still has it, the environment is reset."""
        detail = jsonable(info["detailed_info"]) if "detailed_info" in info else {}
        for key, value in (
            ("current_step", record["episode_length"]),
            *((name, record[name]) for name in ("episode_count", "success_count", "success_rate")),
        ):
            if value is not None:
                detail.setdefault("episode_info", {})[key] = value
        reward_info = detail.setdefault("reward_info", {})
        reward_info.setdefault("current_episode_reward", record["episode_return"])
        reward_info.setdefault("current_episode_length", record["episode_length"])
        if "detailed_info" not in info and "terminal_observation" in info:
            observation = info["terminal_observation"]
            if np.size(observation) <= 256 and not isinstance(observation, dict):
                detail["observation"] = jsonable(observation)
        detail.setdefault("timestamp", record["timestamp"])
        return detail

    def counters(self, i: int) -> dict[str, Any]:
        """The counts of one environment; None for what it does not tell."""
        episodes, successes = int(self.counts[i]), int(self.successes[i])
        known = self.success_known
        return {
            "episode_count": episodes,
            "success_count": successes if known else None,
            "success_rate": successes / max(episodes, 1) if known else None,
        }

    def recent_metrics(self) -> dict[str, Any]:
        """Means over the last 100 episodes, as a metrics record has them; None where there are none."""
        return self._recent.metrics()

    def state_dict(self) -> dict[str, Any]:
        """All of it, the running episodes too; see `trackway.checkpoint.stateful`."""
        return {
            "arrays": [self.returns, self.lengths, self.counts, self.successes],
            "success_known": self.success_known,
            "recent": self._recent.windows,
            "component_keys": self._component_keys,
            "components": self._components,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state of as many environments."""
        self.returns[:], lengths, self.counts[:], self.successes[:] = state["arrays"]
        self._before[:] = self._taken - lengths
        self.success_known = state["success_known"]
        self._recent = _Recent(state["recent"])
        self._component_keys, self._components = state["component_keys"], state["components"]

    def state(self) -> dict[str, Any]:
        """The counts, to go on from in another process."""
        return {
            "episode_counts": self.counts.tolist(),
            "success_counts": self.successes.tolist(),
            "success_known": self.success_known,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from counts; of another number of environments, only their totals fit."""
        for own, name in ((self.counts, "episode_counts"), (self.successes, "success_counts")):
            kept = state[name]
            own[:] = 0
            if len(kept) == len(own):
                own[:] = kept
            else:
                own[0] = sum(kept)
        self.success_known = bool(state["success_known"])


def _component_keys(info: Mapping[str, Any]) -> list[str]:
    """Gymnasium's convention for the parts of a reward, given at every step."""
    return [
        key
        for key, value in info.items()
        if key.startswith(("reward_", "cost_")) and np.ndim(value) == 0 and _is_number(value)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _components(
    info: Mapping[str, Any], sums: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    if "reward_components" in info or "cost_components" in info:
        return (
            jsonable(dict(info.get("reward_components", {}))),
            jsonable(dict(info.get("cost_components", {}))),
        )
    rewards = {k.removeprefix("reward_"): v for k, v in sums.items() if k.startswith("reward_")}
    costs = {k.removeprefix("cost_"): v for k, v in sums.items() if k.startswith("cost_")}
    return rewards, costs


class _Recent:
    """Windows over the last episodes, one per quantity, so that a mean is a sum of floats."""

    def __init__(self, windows: dict[tuple[str, ...], deque[float]] | None = None) -> None:
        self.windows = windows or {}
        self._metrics: dict[str, Any] | None = None

    def add(self, record: Mapping[str, Any]) -> None:
        for name in ("episode_return", "episode_length", "is_success"):
            if name in record:
                self._push((name,), record[name])
        for group in ("reward_components", "cost_components"):
            for name, value in record[group].items():
                self._push((group, name), value)

    def _push(self, key: tuple[str, ...], value: float) -> None:
        window = self.windows.get(key)
        if window is None:
            window = self.windows[key] = deque(maxlen=_RECENT)
        window.append(value)
        self._metrics = None

    def metrics(self) -> dict[str, Any]:
        if self._metrics is None:  # saves come more often than episodes end
            self._metrics = self._means_now()
        return self._metrics

    def _means_now(self) -> dict[str, Any]:
        rate = self._mean("is_success")
        return {
            "recent_success_rate_avg": rate,
            # Of zeros and ones, the mean says all.
            "recent_success_rate_std": None if rate is None else math.sqrt(rate * (1.0 - rate)),
            "recent_episodes_count": len(self.windows.get(("episode_return",), ())),
            "recent_episode_return_mean": self._mean("episode_return"),
            "recent_episode_length_mean": self._mean("episode_length"),
            **{group: self._means(group) for group in ("reward_components", "cost_components")},
        }

    def _mean(self, *key: str) -> float | None:
        window = self.windows.get(key)
        return sum(window) / len(window) if window else None

    def _means(self, group: str) -> dict[str, float | None]:
        return {key[1]: self._mean(*key) for key in self.windows if key[0] == group}
