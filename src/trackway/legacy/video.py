"""`VideoRecordingCallback`: a video of the policy now and then, and how its episodes ended."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.jsonable import jsonable, strict_json
from trackway.frameworks.sb3.background_evaluation import BackgroundEvaluation, EvaluationResult
from trackway.frameworks.sb3.time_budget import TimeBudget
from trackway.legacy.background_files import BackgroundFiles
from trackway.legacy.drawings import Drawings
from trackway.legacy.footage import Footage
from trackway.legacy.speech import say


class VideoRecordingCallback(BaseCallback):
    """Records deterministic episodes, within a share of the training's time.

    Only states are recorded; a child process makes `video_<timestep>.mp4` of them at true speed.
    `terminations.json` beside the videos says how each recorded episode ended, and how often each
    reason occurred.
    """

    def __init__(
        self,
        record_env: gym.Env[Any, Any] | VecEnv,
        record_interval_timesteps: int = 100_000,
        record_episodes: int = 1,
        video_folder: str | Path = "training_videos",
        show_duration_seconds: float = 15,
        *,
        verbose: int = 1,
        time_share: float = 0.003,
        finish_within_s: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is touched before training starts.

        Args:
            record_env: A single environment or a VecEnv, not the training's own.
            record_interval_timesteps: Timesteps (over all environments) between recordings.
            record_episodes: Episodes of each, one after the other in the video.
            video_folder: Where the videos and the table go.
            show_duration_seconds: Simulated time a video shows at most.
            verbose: 1 prints the table of termination reasons at the end.
            time_share: Part of the training's time that recording may take.
            finish_within_s: What a running recording, and then its video, get after training.
            clock: What the time is read from.
        """
        super().__init__(verbose)
        self._recordings = BackgroundEvaluation(
            record_env,
            record_interval_timesteps,
            record_episodes,
            self,
            TimeBudget(time_share, clock=clock),
            called="video",
        )
        self._folder, self._num_episodes = Path(video_folder), record_episodes
        self._show_s, self._finish_within_s = show_duration_seconds, finish_within_s
        self._files, self._drawings = BackgroundFiles(), Drawings(clock)
        self._footage: Footage | None = None
        self._videos: list[dict[str, Any]] = []
        self._reasons: Counter[str] = Counter()

    @property
    def recordings(self) -> BackgroundEvaluation:
        """What has been merged, what failed, and the budget."""
        return self._recordings

    @property
    def termination_reasons(self) -> dict[str, int]:
        """How often recorded episodes ended for each reason."""
        return dict(self._reasons)

    def _on_training_start(self) -> None:
        self._recordings.start(self.model)

    def _on_step(self) -> bool:
        self._recordings.on_step(self.num_timesteps)
        return True

    def _on_training_end(self) -> None:
        self._recordings.finish(self._finish_within_s)
        self._discard_footage()
        self._files.close()
        unfinished = self._drawings.finish(self._finish_within_s)
        if self.verbose and self._reasons:
            width = max(len(reason) for reason in self._reasons)
            rows = [f"  {reason:<{width}}  {n:>5}" for reason, n in self._reasons.most_common()]
            say("\n".join(["Recorded episodes ended by", *rows]))
        if self.verbose and self._recordings.merged:
            say(f"{self._recordings.merged} videos were left out, to keep time.")
        if self.verbose and unfinished:
            say(f"{unfinished} videos are still being drawn; they appear in {self._folder}.")

    # -- EvaluationListener -----------------------------------------------------------------

    def evaluation_begins(self, env: VecEnv) -> None:
        self._discard_footage()
        self._footage = Footage(env, self._num_episodes, self._show_s)

    def evaluation_observed(self, episode_ended: bool) -> None:
        if self._footage is not None:
            self._footage.observe(episode_ended)

    def evaluation_ends(self, result: EvaluationResult) -> None:
        path = self._folder / f"video_{result.timestep}.mp4"
        footage, self._footage = self._footage, None
        if footage is not None:
            self._drawings.start(lambda: footage.draw(path, f"timestep {result.timestep:,}"))
        self._reasons.update(episode.termination_reason for episode in result.episodes)
        self._videos.append(
            {
                "timestep": result.timestep,
                "video": path.name,
                "episodes": [
                    {
                        "episode_return": episode.episode_return,
                        "episode_length": episode.episode_length,
                        "termination_reason": episode.termination_reason,
                    }
                    for episode in result.episodes
                ],
            }
        )
        table = {"termination_reasons": dict(self._reasons), "videos": self._videos}
        self._files.publish(self._folder / "terminations.json", strict_json(jsonable(table)))

    def _discard_footage(self) -> None:
        if self._footage is not None:
            self._footage.discard()
            self._footage = None
