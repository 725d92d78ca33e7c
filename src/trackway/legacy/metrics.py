"""How learning goes, as a record: progress, the learner, its last update, recent episodes, speed."""

from __future__ import annotations

from typing import Any

from trackway.clock import Clock
from trackway.format.jsonable import missing
from trackway.frameworks.sb3.episodes import Episodes
from trackway.frameworks.sb3.learner import UpdateMetrics, learner_settings, learning_rates
from trackway.legacy.curriculum import CurriculumCallback
from trackway.probes.system import ProcessProbe
from trackway.recorder.guard import Guard


class LearningMetrics:
    """Makes the records of `learning_metrics/`.

    Args:
        model: The algorithm, or None where the callback is driven by hand.
        guard: Counts what the algorithm raises when it is asked.

    Attributes:
        updates: The metrics of the last update.
    """

    def __init__(self, model: Any, guard: Guard, clock: Clock) -> None:
        self._model, self._guard, self._clock = model, guard, clock
        self.updates, self._process = UpdateMetrics(), ProcessProbe(clock)
        self._speed_since = (clock.monotonic_s(), int(getattr(model, "num_timesteps", 0)))
        self._speed: float | None = None
        self._settings: dict[str, Any] = {}
        self._learning: dict[str, Any] = {}
        self._learning_of: Any = None

    def record(
        self,
        timestep: int,
        unix_s: float,
        total: int | None,
        rand_power: list[float] | None,
        curriculum: CurriculumCallback | None,
        episodes: Episodes | None,
    ) -> dict[str, Any]:
        """The record of now."""
        power = None if rand_power is None else sum(rand_power) / len(rand_power)
        record: dict[str, Any] = {
            "timestep": timestep,
            "timestamp": unix_s,
            "total_timesteps": timestep,
            "planned_total_timesteps": total,
            "training_progress": min(timestep / total, 1.0) if total else None,
            "curriculum_rand_power_avg": power,
            "curriculum_progress": curriculum.progress if curriculum else None,
            "steps_per_second": self._steps_per_second(timestep),
            **self._process.read(),
        }
        absent = [name for name, value in record.items() if value is None]
        learning = self._learner(episodes)
        absent += learning.get("missing", ())
        return record | learning | ({"missing": absent} if absent else {})

    def _learner(self, episodes: Episodes | None) -> dict[str, Any]:
        """What only updates and ends of episodes change; looked at anew when there was one."""
        now = (
            self.updates.collected,
            getattr(self._model, "_current_progress_remaining", None),
            None if episodes is None else episodes.ended,
        )
        if now != self._learning_of:
            self._learning, self._learning_of = self._look(episodes), now
        return self._learning

    def _look(self, episodes: Episodes | None) -> dict[str, Any]:
        record: dict[str, Any] = {}
        model, run, nothing = self._model, self._guard.run, dict[str, Any]()
        if model is not None:
            if not self._settings:
                self._settings = run("read the learner", lambda: learner_settings(model), nothing)
            record |= self._settings
            record |= run("read the learning rate", lambda: learning_rates(model), nothing)
            record |= run("read the last update", lambda: self.updates.read(model), nothing)
        if episodes is not None:
            record |= episodes.recent_metrics()
        absent = missing(record).get("missing", [])
        absent += [
            name for name, part in (("model", model), ("episodes", episodes)) if part is None
        ]
        return record | ({"missing": absent} if absent else {})

    def _steps_per_second(self, timestep: int) -> float | None:
        now_s = self._clock.monotonic_s()
        before_s, before = self._speed_since
        if timestep > before and now_s > before_s:
            self._speed = (timestep - before) / (now_s - before_s)
            self._speed_since = (now_s, timestep)
        return self._speed
