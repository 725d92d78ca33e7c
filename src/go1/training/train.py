"""One training: robots, learner, recording, and what is left at its end."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.vec_env import VecEnv

from go1.evaluation import evaluate
from go1.training import report
from go1.training.commands import near, trackway_command, train_command
from go1.training.environments import evaluation_envs, training_envs
from go1.training.keeping import keep_model
from go1.training.learner import make_learner
from go1.training.manifest import manifest_of
from go1.training.settings import Settings
from go1.training.shipping import ShipperBeside, start_backup
from go1.training.start import Start, make_room
from go1.training.trial import commands, deterministic, film
from go1.vec_env import Go1VecEnv
from trackway import run as run_folder
from trackway.checkpoint.archive import with_members
from trackway.checkpoint.read import read_checkpoint
from trackway.clock import SYSTEM_CLOCK
from trackway.errors import RecordingError
from trackway.frameworks.sb3.first_step import FirstStep
from trackway.frameworks.sb3.progress import ProgressDisplay
from trackway.frameworks.sb3.state import capture, model_zip
from trackway.frameworks.sb3.stop import SIGNALS, StopOnSignal
from trackway.legacy import (
    ComprehensiveSavingCallback,
    CurriculumCallback,
    EnhancedVisualCallback,
    VideoRecordingCallback,
)
from trackway.run import RunFolder
from trackway.sb3 import RecorderCallback
from trackway.sync.takeover import CLAIMED_VARIABLE

# A running evaluation or video gets so long at the end; whoever sent a signal waits for it.
_FINISH_WITHIN_S = 4.0


def train(
    start: Start,
    models: Path,
    console: Console,
    store: str | None = None,
    backup: Path | None = None,
) -> signal.Signals | None:
    """Train until `total_timesteps`, or until a signal; leave everything saved.

    Args:
        start: What is to be trained, and from where on.
        models: The folder of runs.
        console: Where the progress is shown.
        store: Where the run is shipped while it lasts.
        backup: Where its finished files are copied while it lasts.

    Returns:
        The signal that ended it early.

    Raises:
        TrackwayError: Something cannot be done; no folder has been made or changed then.
    """
    envs = training_envs(start.settings)
    try:
        learner = make_learner(start.settings, envs, start.origin)
        run = start.run or run_folder.create_run(models, start.name)
        held = run_folder.hold(run)
        try:
            shipper = (
                contextlib.nullcontext()
                if store is None
                else ShipperBeside(run, store, lambda said: console.print(said, soft_wrap=True))
            )
            session = _Session(start, run, learner, envs, console, store, backup)
            if backup is not None:
                start_backup(run, backup)
            with shipper:
                return session.learn()
        finally:
            held.release()
    finally:
        envs.close()


def _bytes(settings: Settings) -> int | None:
    limit_gb = settings.train.steps_max_gb
    return None if limit_gb is None else round(limit_gb * 1e9)


@dataclass
class _Session:
    """What belongs together from the run folder's making to the summary."""

    start: Start
    run: RunFolder
    learner: PPO
    envs: VecEnv
    console: Console
    store: str | None = None
    backup: Path | None = None

    def __post_init__(self) -> None:
        self.settings, self.origin = self.start.settings, self.start.origin
        self.total = self.settings.train.total_timesteps
        self.manifest = manifest_of(self.start)
        record = self.settings.train.record
        self.saving = self._saving() if record else None
        self.recording = (
            RecorderCallback(
                self.run.path,
                max_bytes=_bytes(self.settings),
                precision=self.settings.train.precision,
            )
            if record
            else None
        )

    def learn(self) -> signal.Signals | None:
        """Train, then save, evaluate, film and report; the manifest tells how it ended."""
        if self.start.run is not None:
            moved = make_room(self.start, self.run, len(self.manifest["attempts"]))
            self.manifest["attempts"][-1]["set_aside"] = moved
        run_folder.write_manifest(self.run, self.manifest)
        report.beginning(self.console, self.run, self.start)
        # A job scheduler announces the end of a job by SIGTERM or, asked to, by SIGUSR1.
        requeue = (signal.SIGUSR1,) if self.start.auto_resume else ()
        stop = StopOnSignal((*SIGNALS, *requeue))
        display = ProgressDisplay(self.total, self._figures, self.console)
        begun = self.learner.num_timesteps
        try:
            with stop:
                self.learner.learn(
                    max(0, self.total - begun),
                    callback=CallbackList([stop, display, *self._callbacks()]),
                    reset_num_timesteps=begun == 0,
                )
        except BaseException as error:
            if self.recording is not None:
                self.recording.close()
            self._end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        finally:
            display.close()
        if stop.received is None:
            self._finish()
        else:
            self._interrupt(stop.received.name)
        return stop.received

    # -- while training ---------------------------------------------------------------------

    def _callbacks(self) -> list[BaseCallback]:
        train, env = self.settings.train, self.settings.env
        callbacks: list[BaseCallback] = []
        if env.rand_power > 0:
            callbacks.append(CurriculumCallback(self.total, env.rand_power))
        if self.saving is not None:
            # Before the rest: what must be safe comes first when a signal ends the training.
            callbacks.append(self.saving)
        return [
            *callbacks,
            EnhancedVisualCallback(
                evaluation_envs(self.settings, train.num_eval_episodes),
                eval_freq=train.eval_frequency,
                n_eval_episodes=train.num_eval_episodes,
                save_videos=False,  # the next one makes the videos
                verbose=0,
                best_model_save_path=self.run.path,
                load_history_from=self.run.history if self.run.history.is_file() else None,
                finish_within_s=_FINISH_WITHIN_S,
            ),
            VideoRecordingCallback(
                evaluation_envs(self.settings, 1),
                record_interval_timesteps=train.video_interval,
                video_folder=self.run.videos,
                show_duration_seconds=train.video_duration,
                verbose=0,
                finish_within_s=_FINISH_WITHIN_S,
            ),
            # Last, so that it sees what the others leave at the end.
            *([self.recording] if self.recording else []),
            *self._first_step(),
        ]

    def _first_step(self) -> list[BaseCallback]:
        """Of a run that was just taken over from another machine."""
        claimed = os.environ.pop(CLAIMED_VARIABLE, None)
        return [FirstStep(float(claimed), self.console.print)] if claimed else []

    def _saving(self) -> ComprehensiveSavingCallback:
        return ComprehensiveSavingCallback(
            save_dir=self.run.realtime_data,
            save_frequency=self.settings.train.save_frequency,
            checkpoint_frequency=self.settings.train.checkpoint_frequency,
            keep_last=self.settings.train.keep_last,
            keep_every=self.settings.train.keep_every,
            keep_best=self.settings.train.keep_best,
            total_timesteps=self.total,
            verbose=0,
            config=self.settings.tables(),
            resume_from=self.origin.checkpoint if self.origin and self.origin.resumes else None,
            resume_command=self._resume_command,
        )

    def _resume_command(self, checkpoint: Path, total: int | None = None) -> str:
        end = total or self.total
        return train_command("--run", "train", "--model_path", checkpoint, "--total_timesteps", end)

    def _figures(self) -> dict[str, str]:
        figures = {}
        if isinstance(self.envs, Go1VecEnv):
            speed = self.envs.core.velocity_along_command()[:, 0].mean()
            figures["forward speed"] = f"{speed:z.2f} m/s"
        figures["saved"] = report.saved(self.saving.status) if self.saving else "not recorded"
        figures["run"] = near(self.run.path)
        return figures

    # -- at its end -------------------------------------------------------------------------

    def _finish(self) -> None:
        self._save_model()
        self._end("finished")
        rows: dict[str, object] = {"Run": self.run.path, "Model": self.run.final_model}
        if self.settings.env.physics != "upstream":
            # The public environment's robots come one by one; `--run test` tries one of them.
            policy = deterministic(self.learner)
            table = evaluate(policy, self.settings.env, commands(self.settings.env))
            report.evaluation(self.console, table, self.settings.env.biped)
            rows["Watch it walk"] = film(
                table, self.settings, self.run.videos / "final.mp4", self.console
            )
        rows |= {
            "Test it": train_command("--run", "test", "--model_path", self.run.final_model),
            "Train on, here to twice the timesteps": self._resume_command(
                self._newest(), 2 * self.total
            ),
            **self._recorded(),
        }
        title = f"Trained to timestep {self.learner.num_timesteps:,}"
        report.summary(self.console, title, rows)

    def _interrupt(self, signal_name: str) -> None:
        if self._newest() == self.run.final_model:
            self._save_model()
        newest, timestep = self._newest(), self.learner.num_timesteps
        resume = self._resume_command(newest)
        self._end("interrupted", resume=resume)
        saved = read_checkpoint(newest).timestep or 0
        # A rollout that was cut short is made again, and what followed the last state that was kept.
        where = f" (from timestep {saved:,}; the steps since are made again)"
        rows = {
            "Run": self.run.path,
            **self._recorded(),
            f"Go on{where if saved < timestep else ''}": trackway_command("resume", self.run.path),
            "Go on in a run of its own": resume,
        }
        report.summary(self.console, f"{signal_name}: stopped at timestep {timestep:,}", rows)

    def _save_model(self) -> None:
        """The final model, whole or not at all, with what `--run test` needs to know the robot."""
        members = capture(self.learner, {"config": self.settings.tables()})
        facts = {
            "format": 1,
            "timestep": self.learner.num_timesteps,
            "algorithm": "PPO",
            "exact": ["a final model holds the policy: episodes and random numbers begin anew"],
        }
        content = with_members(model_zip(self.learner), members, facts, SYSTEM_CLOCK.unix_s())
        try:
            keep_model(self.run.final_model, content)
        except RecordingError:
            with contextlib.suppress(OSError):
                self._end("failed")
            raise

    def _newest(self) -> Path:
        """The model to go on from: a checkpoint knows more than the final model."""
        checkpoint = self.saving.status.last_checkpoint if self.saving else None
        return checkpoint or self.run.final_model

    def _recorded(self) -> dict[str, object]:
        if self.saving is None:
            return {}
        return {
            "Recorded": report.saved(self.saving.status),
            "Every step of every robot": trackway_command("streams", self.run.path),
            "All of it in a browser": trackway_command("serve", self.run.path.parent),
            **({"Shipped to": self.store} if self.store else {}),
            **({"Backed up to": self.backup / self.run.name} if self.backup else {}),
        }

    def _end(self, status: str, **facts: Any) -> None:
        self.manifest |= {"status": status, "timesteps": self.learner.num_timesteps, **facts}
        run_folder.write_manifest(self.run, self.manifest)
