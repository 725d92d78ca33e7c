"""An episode as it was recorded: the states that a scene's model moves through, and all that belongs to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackway.errors import EpisodeError
from trackway.format.schema import Field
from trackway.replay.attempt import AttemptEpisodes, Episode
from trackway.storage.reader import Reader

Array = NDArray[Any]


@dataclass(frozen=True)
class Trajectory:
    """One environment through one episode.

    Attributes:
        episode: Where it lies.
        rows: Numbers of its rows that were kept, `[n]`; one that is missing was lost.
        columns: By field, `[n, *shape]`: what each step led to.
        fields: Of the columns.
        start: What the episode began with, or None where that was not recorded.
        scene: What the event `scene` told: digests of its models (`physics`, `render`), `substeps`,
            `limits`; {} where nothing was recorded.
    """

    episode: Episode
    rows: NDArray[np.int64]
    columns: dict[str, Array]
    fields: tuple[Field, ...]
    start: dict[str, Any] | None
    scene: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def step_s(self) -> float | None:
        """Simulated time of a step, s, as a recorded `time` tells it; None without one."""
        time = self.columns.get("time")
        if time is not None and time.ndim == 1 and len(time) > 1:
            return float(np.median(np.diff(time) / np.diff(self.rows)))
        return None

    @property
    def frames(self) -> NDArray[np.int64]:
        """Which step each state follows, `[n]` or `[n + 1]`; 0 is the state of the start."""
        after = self.rows - self.episode.first_row + 1
        return np.r_[0, after] if self._start_qpos is not None else after

    @property
    def qpos(self) -> NDArray[np.float64] | None:
        """Recorded positions, one for each of `frames`; None where no probe read them."""
        recorded = self.columns.get("qpos")
        if recorded is None or recorded.ndim != 2:
            return None
        begun = self._start_qpos
        states = recorded if begun is None else np.concatenate([begun[None], recorded])
        return np.asarray(states, np.float64)

    @property
    def _start_qpos(self) -> NDArray[np.float64] | None:
        recorded = self.columns.get("qpos")
        begun = (self.start or {}).get("qpos")
        if begun is None or recorded is None or np.shape(begun) != recorded.shape[1:]:
            return None
        return np.array([np.nan if v is None else v for v in begun], np.float64)


def load(
    attempt: AttemptEpisodes,
    episode: Episode,
    last: int | None = None,
    names: Collection[str] | None = None,
) -> Trajectory:
    """Read an episode's rows, of its environment alone.

    Args:
        attempt: Its attempt.
        episode: Where it lies.
        last: Only so many of its last rows.
        names: Only these columns, as far as there are such; a part reads no other.

    Raises:
        EpisodeError: None of its rows is kept any more.
        StreamError: The stream cannot be read.
    """
    first = episode.first_row
    if last is not None:
        first = max(first, episode.last_row - last + 1)
    wanted = [f.name for f in attempt.fields if names is None or f.name in names]
    reader = Reader(attempt.steps, wanted, first, episode.env)
    found = []
    left = episode.last_row - first + 1
    while left > 0 and len(batch := reader.poll(limit=left)):
        found.append(batch)
        left = episode.last_row - int(batch.rows[-1])
    rows = np.concatenate([batch.rows for batch in found]) if found else np.empty(0, np.int64)
    kept = rows <= episode.last_row
    if not kept.any():
        why = "; ".join(reader.faults) or "its record is in `episodes`"
        raise EpisodeError(episode.key, f"its steps are not kept any more here; {why}", "steps")
    fields = tuple(field for field in reader.schema if field.name in wanted)
    columns = {
        field.name: np.concatenate([batch[field.name][:, 0] for batch in found])[kept]
        for field in fields
    }
    return Trajectory(
        episode,
        rows[kept],
        columns,
        fields,
        attempt.start(episode),
        attempt.scene_of(episode.env),
    )
