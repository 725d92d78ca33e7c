"""`EnhancedVisualCallback`: evaluation, best model, history, figure and videos."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.frameworks.sb3.background_evaluation import BackgroundEvaluation, EvaluationResult
from trackway.frameworks.sb3.time_budget import TimeBudget
from trackway.legacy.background_files import BackgroundFiles
from trackway.legacy.drawings import Drawings
from trackway.legacy.footage import Footage
from trackway.legacy.history import TrainingHistory, load_history
from trackway.legacy.speech import say
from trackway.replay.figure import draw_progress


class EnhancedVisualCallback(BaseCallback):
    """Evaluates the policy now and then, within a share of the training's time.

    An evaluation is of one policy at one timestep, however many training steps it is spread over.
    Written are `best_model.zip` (where `best_model_save_path` is given), `training_history.json`,
    `training_progress.png` and `eval_videos/`.
    """

    def __init__(
        self,
        eval_env: gym.Env[Any, Any] | VecEnv,
        eval_freq: int = 300_000,
        n_eval_episodes: int = 3,
        show_duration_seconds: float = 30,
        save_videos: bool = True,
        verbose: int = 1,
        use_curriculum: bool = False,
        best_model_save_path: str | Path | None = None,
        load_history_from: str | Path | None = None,
        *,
        output_dir: str | Path | None = None,
        time_share: float = 0.005,
        finish_within_s: float = 10.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Prepare; nothing is touched before training starts.

        Args:
            eval_env: A single environment or a VecEnv, not the training's own.
            eval_freq: Timesteps (over all environments) between evaluations.
            n_eval_episodes: Episodes of each; a VecEnv of more environments plays one in each.
            show_duration_seconds: Simulated time a video shows at most.
            save_videos: Draw the first environment's first episode of each evaluation.
            verbose: 1 prints a line per evaluation.
            use_curriculum: Evaluate at the training's current `rand_power`.
            best_model_save_path: Folder of `best_model.zip`.
            load_history_from: A `training_history.json` to continue.
            output_dir: Folder of all else; `best_model_save_path` or `training_evaluation`.
            time_share: Part of the training's time that evaluations may take.
            finish_within_s: What a running evaluation, and then its videos, get after training.
            clock: What the time is read from.

        Raises:
            RunError: `load_history_from` cannot be continued.
        """
        super().__init__(verbose)
        self._evaluations = BackgroundEvaluation(
            eval_env,
            eval_freq,
            n_eval_episodes,
            self,
            TimeBudget(time_share, clock=clock),
            use_curriculum=use_curriculum,
        )
        self.history = (
            TrainingHistory()
            if load_history_from is None
            else load_history(Path(load_history_from))
        )
        self._best_model = None if best_model_save_path is None else Path(best_model_save_path)
        self._output = Path(output_dir or self._best_model or "training_evaluation")
        self._save_videos, self._show_s = save_videos, show_duration_seconds
        self._finish_within_s = finish_within_s
        self._files, self._drawings = BackgroundFiles(), Drawings(clock)
        self._footage: Footage | None = None
        self._model_file = b""

    @property
    def best_mean_reward(self) -> float:
        """The best mean return so far; -inf before the first evaluation."""
        return -np.inf if self.history.best_mean_reward is None else self.history.best_mean_reward

    @property
    def evaluations(self) -> BackgroundEvaluation:
        """What has been merged, what failed, and the budget."""
        return self._evaluations

    def state_dict(self) -> dict[str, Any]:
        """What is due; the history is a file of its own."""
        return self._evaluations.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state, within a training."""
        self._evaluations.load_state_dict(state)

    def _on_training_start(self) -> None:
        self._evaluations.start(self.model)

    def _on_step(self) -> bool:
        self._evaluations.on_step(self.num_timesteps)
        return True

    def _on_training_end(self) -> None:
        self._evaluations.finish(self._finish_within_s)
        self._discard_footage()
        if self.history.timesteps_history:
            figure, history = self._output / "training_progress.png", self.history.as_dict()
            self._drawings.start(lambda: draw_progress(history, figure))
        self._files.close()
        unfinished = self._drawings.finish(self._finish_within_s)
        if self.verbose and self._evaluations.merged:
            say(
                f"{self._evaluations.merged} evaluations were merged into later ones, to keep time."
            )
        if self.verbose and unfinished:
            say(f"{unfinished} drawings go on by themselves; they appear in {self._output}.")

    # -- EvaluationListener -----------------------------------------------------------------

    def evaluation_begins(self, env: VecEnv) -> None:
        if self._best_model is not None:
            # Training changes the model while the evaluation runs; what may turn out to be the
            # best is the model of now.
            buffer = io.BytesIO()
            self.model.save(buffer)
            self._model_file = buffer.getvalue()
        self._discard_footage()
        if self._save_videos:
            self._footage = Footage(env, num_episodes=1, longest_s=self._show_s)

    def evaluation_observed(self, episode_ended: bool) -> None:
        if self._footage is not None:
            self._footage.observe(episode_ended)

    def evaluation_ends(self, result: EvaluationResult) -> None:
        is_best = self.history.add(result)
        mean, length = self.history.rewards_history[-1], self.history.lengths_history[-1]
        success = self.history.success_rates[-1]
        if is_best and self._best_model is not None:
            self._files.publish(self._best_model / "best_model.zip", self._model_file)
        self._model_file = b""
        self._files.publish(self._output / "training_history.json", self.history.to_json())
        self._log_values(mean, length, success)
        footage, self._footage = self._footage, None
        if footage is not None:
            path = self._output / "eval_videos" / f"eval_{result.timestep}.mp4"
            self._drawings.start(lambda: footage.draw(path, f"timestep {result.timestep:,}"))
        if self.verbose:
            rate = "" if success is None else f", success {success:.0%}"
            best = " (best so far)" if is_best else ""
            episodes = (
                "1 episode" if len(result.episodes) == 1 else f"{len(result.episodes)} episodes"
            )
            say(
                f"Evaluation at {result.timestep:,}: {episodes},"
                f" return {mean:.2f}{best}, length {length:.0f}{rate}"
            )

    def _log_values(self, mean: float, length: float, success: float | None) -> None:
        self.logger.record("eval/mean_reward", mean)
        self.logger.record("eval/mean_ep_length", length)
        if success is not None:
            self.logger.record("eval/success_rate", success)

    def _discard_footage(self) -> None:
        if self._footage is not None:
            self._footage.discard()
            self._footage = None
