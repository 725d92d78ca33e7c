"""Everything that can be replayed of one run: its episodes, and the models that they move."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import EpisodeError
from trackway.replay.attempt import AttemptEpisodes, Episode
from trackway.replay.episodes import EpisodeIndex, Window
from trackway.replay.model import RecordedModel
from trackway.replay.trajectory import Trajectory, load
from trackway.replay.web_episode import CLIP_COLUMNS, Models, models_of, web_clips, web_episode
from trackway.replay.web_scene import web_scene
from trackway.storage.places import scenes_folder

_REFRESH_S: Final = 0.5


class Library:
    """Finds and opens episodes; may be asked from several threads.

    Args:
        run: The run's folder.
        clock: Tells when to look for new episodes.

    Raises:
        StreamError: The run holds no recorded episodes.
    """

    def __init__(self, run: Path, clock: Clock = SYSTEM_CLOCK) -> None:
        self.run = run
        self._clock, self._lock = clock, Lock()
        self._index = EpisodeIndex(run)
        self._looked_s = clock.monotonic_s()
        self._models: dict[str, RecordedModel] = {}

    @property
    def index(self) -> EpisodeIndex:
        """The episodes, those of the last half second perhaps not yet among them."""
        with self._lock:
            if self._clock.monotonic_s() - self._looked_s >= _REFRESH_S:
                self._index.refresh()
                self._looked_s = self._clock.monotonic_s()
            return self._index

    def model(self, digest: str) -> RecordedModel:
        """A recorded model.

        Raises:
            SceneError: It is missing or damaged.
        """
        found = self._models.get(digest)
        if found is None:
            found = self._models[digest] = RecordedModel(scenes_folder(self.run), digest)
        return found

    def trajectory(
        self, episode: Episode, last: int | None = None, names: Collection[str] | None = None
    ) -> Trajectory:
        """An episode's rows; with `last`, only so many of the last; with `names`, only these columns.

        Raises:
            EpisodeError: They are not kept any more.
        """
        return load(self._attempt(episode), episode, last, names)

    def models(self, trajectory: Trajectory) -> Models:
        """The models that a trajectory moves, or why there are none."""
        return models_of(trajectory, self.model)

    def web_episode(self, wanted: str, window: Window | None = None) -> bytes:
        """An episode for the page; `worst`, `median` and `best` are those of the window.

        Raises:
            EpisodeError: There is none of this name.
        """
        trajectory = self.trajectory(self.index.find(wanted, window))
        return web_episode(trajectory, self.models(trajectory))

    def web_clips(self, episodes: Sequence[Episode], steps: int) -> bytes:
        """The last steps of several episodes, their motion alone."""
        kept = []
        for episode in episodes:
            try:
                kept.append(self.trajectory(episode, steps, CLIP_COLUMNS))
            except EpisodeError:
                continue  # a gallery shows what is left
        return web_clips([(each, self.models(each)) for each in kept])

    def web_scene(self, digest: str, physics: str | None = None) -> bytes:
        """A scene for the page.

        Raises:
            SceneError: The model is missing or damaged.
        """
        return web_scene(self.model(digest), None if physics is None else self.model(physics))

    def _attempt(self, episode: Episode) -> AttemptEpisodes:
        return next(a for a in self.index.attempts if a.folder.name == episode.attempt)
