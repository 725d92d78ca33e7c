"""The callbacks that record a training and its checkpoints while it runs.

The training thread reads numbers and copies them into an outbox; encoding, files and their syncing
happen in a process of its own (`recorder`). Nothing here ever stops a training.
"""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from trackway.checkpoint.read import Checkpoint
from trackway.checkpoint.retention import Policy
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import MismatchError, RecordingError
from trackway.frameworks.sb3.callbacks import callbacks_of
from trackway.frameworks.sb3.episodes import Episodes
from trackway.frameworks.sb3.exact import restore, told_of
from trackway.frameworks.sb3.learn_calls import call_of
from trackway.frameworks.sb3.recorder_callback import RecorderCallback
from trackway.legacy.json_layout import CHECKPOINTS, MODELS
from trackway.legacy.observer import Observer
from trackway.legacy.session import Options, Session
from trackway.recorder.delivery import Delivery
from trackway.recorder.guard import Guard
from trackway.recorder.recorder import Recorder

_log = logging.getLogger("trackway")


@dataclass(frozen=True)
class SavingStatus:
    """How the recording stands, for a progress display.

    Attributes:
        files: Safe on disk.
        records: Safe on disk, by kind: `episodes`, `learning_metrics`, ….
        checkpoints: Safe on disk; `last_checkpoint` is the newest one's zip.
        failures: Writes the disk refused, each tried again, and errors in what was asked or read.
        lost_records: Records that are gone for good.
        trouble: What keeps the recording from writing now, if anything does.
    """

    files: int
    records: Mapping[str, int]
    checkpoints: int
    failures: int
    lost_records: int
    last_checkpoint: Path | None
    trouble: str | None


class RealTimeSavingCallback(BaseCallback):
    """Records episodes, environment states, learning metrics, hyperparameters and checkpoints.

    Args:
        save_dir: Where the folders of JSON files go. Zips of checkpoints go to `checkpoints/` beside
            it if its name is `realtime_data`, else within it.
        save_frequency: Timesteps between saves: at the first step at or past each multiple.
        save_episode_data: Write `episodes/`.
        save_environment_state: Write `environment_states/`.
        save_hyperparameters: Write `hyperparameters/`.
        save_checkpoints: Write `checkpoints/` and the zips.
        checkpoint_frequency: Timesteps between checkpoints.
        total_timesteps: The whole training; by default what `learn` was asked for.
        verbose: 1 says where things go; failures are always said, through `logging`.
        resume_command: Gives the shell command that resumes from a zip.
        resume_from: The checkpoint that this training goes on from. One of a further call of `learn`
            takes a model that was loaded from it: what had come to its end is not trained again.
        config: Settings of the program, kept in every checkpoint as `trackway/config.json`.
        close_timeout_s: How long the end of a training waits for a disk that refuses.
        record_steps: Keep the streams of a `RecorderCallback` as well, every step of every
            environment, in `realtime_data/streams/` beside `checkpoints/`; unless the training has
            a `RecorderCallback` of its own.
        keep_files: How many of the newest JSON files of a kind always stay files: once there are
            twice as many, the older ones become a zip (`trackway unpack` makes them again). None:
            all stay.
        keep_last: Keep so many of the newest checkpoints, with their JSON; None keeps all.
        keep_every: And every so many-th.
        keep_best: And so many with the highest mean return of the last episodes. A file
            `checkpoint_….zip.pin` beside a checkpoint keeps it, too.
    """

    _comprehensive = False

    def __init__(
        self,
        save_dir: str | Path = "realtime_data",
        save_frequency: int = 1000,
        save_episode_data: bool = True,
        save_environment_state: bool = True,
        save_hyperparameters: bool = True,
        save_checkpoints: bool = True,
        checkpoint_frequency: int = 10000,
        total_timesteps: int | None = None,
        verbose: int = 1,
        *,
        resume_command: Callable[[Path], str] | None = None,
        resume_from: Checkpoint | None = None,
        config: Mapping[str, Any] | None = None,
        close_timeout_s: float = 60.0,
        record_steps: bool = True,
        keep_files: int | None = 200,
        keep_last: int | None = None,
        keep_every: int | None = None,
        keep_best: int = 0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__(verbose)
        for name, value in (
            ("save_frequency", save_frequency),
            ("checkpoint_frequency", checkpoint_frequency),
        ):
            if value < 1:
                raise ValueError(f"{name} is {value}; give a number of timesteps, at least 1")
        if keep_files is not None and keep_files < 1:
            raise ValueError(f"keep_files is {keep_files}; give 1 or more, or None for all")
        self.keep_files = keep_files
        self.policy = Policy(keep_last, keep_every, keep_best)
        self.save_dir = Path(save_dir).absolute()
        beside = self.save_dir.name == "realtime_data"
        self.zip_folder = (self.save_dir.parent if beside else self.save_dir) / "checkpoints"
        self.save_frequency = save_frequency
        self.save_episode_data = save_episode_data
        self.save_environment_state = save_environment_state
        self.save_hyperparameters = save_hyperparameters
        self.save_checkpoints = save_checkpoints
        self.checkpoint_frequency = checkpoint_frequency
        self.total_timesteps = total_timesteps
        self._resume_command, self._config = resume_command, config
        self._counters = resume_from.document("counters.json") if resume_from else None
        self._origin = resume_from if resume_from and resume_from.has_state else None
        self._in_rollout = False
        self._shares_locals: bool | None = None  # known at the first step
        self.after_restore: list[Callable[[], None]] = []
        self._close_timeout_s, self._clock = close_timeout_s, clock
        self._guard = Guard()
        self._session: Session | None = None
        self._delivery = Delivery()
        self._episodes: Episodes | None = None
        self._learn, self._number = 1, 0
        self.record_steps = record_steps
        # So named that it is found, as other callbacks within callbacks.
        self.callback: RecorderCallback | None = None
        self._recorder: Recorder | None = None

    # ── the training's events ──

    def update_locals(self, locals_: dict[str, Any]) -> None:
        """Take in the learner's variables, unless a list of callbacks has done so.

        Its callbacks share one dictionary, which the list brings up to date before it asks them.
        """
        if self._shares_locals is None:
            told = self.locals
            self._shares_locals = all(told.get(key) is value for key, value in locals_.items())
        if not self._shares_locals:
            super().update_locals(locals_)

    def _on_training_start(self) -> None:
        self._shares_locals = None
        if isinstance(model := getattr(self, "model", None), BaseAlgorithm):
            self._learn = call_of(model, self._origin)
            if self._origin is not None:
                self._check(self._origin)
        self._guard.run("begin", self._begin, None)
        self._guard.run("record the steps", self._begin_streams, None)

    def _on_rollout_start(self) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            self._resume(origin)
        else:
            self._guard.run("read the last update", self._collect_updates, None)
            self._guard.run("save a checkpoint", self._rollout_starts, None)
        self._in_rollout = True
        if self.callback is not None:
            self.callback.on_rollout_start()

    def _on_rollout_end(self) -> None:
        self._in_rollout = False

    def _on_step(self) -> bool:
        try:
            if self._session is None:
                self._begin()  # driven by hand, without a beginning
            session = self._session
            if session is not None and session.step(self.num_timesteps, self.locals):
                self._say(f"checkpoint at timestep {self.num_timesteps:,}")
        except Exception as error:  # noqa: BLE001 - nothing that only watches stops a training
            self._guard.failed("take in a step", error)
        if self.callback is not None:
            self.callback.on_step()
        return True

    def _on_training_end(self) -> None:
        self._guard.run("read the last update", self._collect_updates, None)
        total = self._session.total_timesteps if self._session else None
        self._close("completed" if total is None or self.num_timesteps >= total else "stopped")
        self._end_streams(RecorderCallback.on_training_end)  # last: it sees what this leaves

    # ── for the program around it ──

    @property
    def status(self) -> SavingStatus:
        """How the recording stands."""
        delivery = self._session.outbox.delivery if self._session else self._delivery
        return SavingStatus(
            files=sum(delivery.files.values()),
            records={kind: count for kind, count in delivery.records.items() if count},
            checkpoints=delivery.files.get(CHECKPOINTS, 0),
            failures=delivery.failures + self._guard.errors,
            lost_records=delivery.lost_records,
            last_checkpoint=delivery.last.get(MODELS),
            trouble=delivery.trouble,
        )

    def save_checkpoint(self, reason: str, timeout_s: float = 60.0) -> Path:
        """Save a checkpoint now and return its zip once it is safe on disk.

        Raises:
            RecordingError: No training runs, its state cannot be taken, or the disk refuses.
        """
        session = self._session
        if session is None or session.observer.model is None:
            raise RecordingError("a checkpoint can be saved while a training runs, and only then")
        outbox = session.outbox
        try:
            seq = session.checkpoint(reason, self.num_timesteps, self.locals, point=self._point)
        except Exception as error:
            self._guard.failed("save a checkpoint", error)
            raise RecordingError(f"no checkpoint could be taken: {error}") from error
        if not outbox.wait(seq, timeout_s):
            trouble = outbox.delivery.trouble or f"it takes longer than {timeout_s:.0f} s"
            raise RecordingError(f"no checkpoint could be saved to {self.zip_folder}: {trouble}")
        return outbox.delivery.last[MODELS]

    def state_dict(self) -> dict[str, Any]:
        """What is due when, and what has been counted; see `trackway.checkpoint.stateful`."""
        return {} if self._session is None else self._session.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state, within a training."""
        if self._session is not None and state:
            self._session.load_state_dict(state)

    def close(self) -> None:
        """Write everything that is left and the summaries; done by itself when training ends."""
        self._close("interrupted")
        self._end_streams(RecorderCallback.close)

    # ── what happens then ──

    def _begin(self) -> None:
        if self._session is not None:
            return
        model = getattr(self, "model", None)
        self.num_timesteps = int(getattr(model, "num_timesteps", self.num_timesteps))
        observer = Observer(model, self._episodes, self._counters, self._guard, self._clock)
        self._session = Session(
            self._options(),
            observer,
            self.num_timesteps,
            self._learn,
            self._number,
            self._guard,
            self._clock,
        )
        atexit.register(self.close)
        self._say(f"recording to {self.save_dir}")
        self._session.begins(self.locals)

    def _begin_streams(self) -> None:
        self._end_streams(RecorderCallback.close)  # of a training that was broken off
        training = self.locals.get("callback")
        others = callbacks_of(training, RecorderCallback)
        wanting = (s for s in callbacks_of(training, RealTimeSavingCallback) if s.record_steps)
        if next(others, None) is not None or next(wanting, None) is not self:
            return  # somebody else does it, or nobody shall
        # Made here, not by its callback: the same deadline holds for all that is written.
        self._recorder = Recorder(
            self.zip_folder.parent, close_timeout_s=self._close_timeout_s, clock=self._clock
        )
        streams = RecorderCallback(self._recorder, clock=self._clock)
        streams.init_callback(self.model)
        streams.on_training_start(self.locals, self.globals)
        self.callback = streams

    def _end_streams(self, end: Callable[[RecorderCallback], None]) -> None:
        streams, self.callback = self.callback, None
        recorder, self._recorder = self._recorder, None
        if streams is not None:
            end(streams)
        if recorder is not None:
            self._guard.run("close the recorder", recorder.close, None)

    def _options(self) -> Options:
        return Options(
            folder=self.save_dir,
            zip_folder=self.zip_folder,
            save_frequency=self.save_frequency,
            checkpoint_frequency=self.checkpoint_frequency,
            episodes=self.save_episode_data,
            environment_states=self.save_environment_state,
            hyperparameters=self.save_hyperparameters,
            checkpoints=self.save_checkpoints,
            comprehensive=self._comprehensive,
            total_timesteps=self.total_timesteps,
            resume_command=self._resume_command,
            config=self._config,
            close_timeout_s=self._close_timeout_s,
            keep_files=self.keep_files,
            policy=self.policy,
        )

    def _collect_updates(self) -> None:
        if self._session is not None:
            self._session.observer.collect_updates()

    def _check(self, origin: Checkpoint) -> None:
        """Refuse to train in place of what had been trained already."""
        if self._learn < origin.learn:
            raise MismatchError(
                origin.path,
                f"it was taken in call {origin.learn} of `learn`, this is call {self._learn}, which had "
                "ended: load the model from it, and call `learn` for the timesteps that are left",
            )
        model: Any = self.model
        if model.num_timesteps < model._total_timesteps <= (origin.timestep or 0):
            raise MismatchError(
                origin.path,
                f"it has trained {origin.timestep} timesteps, and `learn` was asked for "
                f"{model._total_timesteps}: nothing is left to train",
            )

    def _resume(self, origin: Checkpoint) -> None:
        """Make this training the one that the checkpoint was taken of, to the last bit."""
        try:
            failed = restore(self.model, self.locals["callback"], origin, self._clock)
        except MismatchError as error:
            if self.num_timesteps != origin.timestep:  # nor have its weights been loaded
                self.close()
                raise
            _log.warning("training does not go on exactly, but from its weights: %s", error)
            return
        self.num_timesteps = self.model.num_timesteps
        if self._session is not None:
            self._session.resumed(origin, begins_anew=origin.begins_anew or bool(failed))
        for hook in self.after_restore:
            hook()
        if failed:
            _log.warning("%s", told_of(origin, failed))
        else:
            self._say(told_of(origin))

    def _rollout_starts(self) -> None:
        if self._session is not None and self._session.rollout_starts(
            self.num_timesteps, self.locals
        ):
            self._say(f"checkpoint at timestep {self.num_timesteps:,}")

    @property
    def _point(self) -> str | None:
        return None if self._in_rollout else "training_end"

    def _close(self, status: str) -> None:
        session = self._session
        if session is None:
            return
        atexit.unregister(self.close)
        try:
            # Still its session: the last checkpoint asks this callback for its state, too.
            self._delivery = session.close(status, self.num_timesteps, self.locals, self._point)
        finally:
            self._session = None
        # Of the next call of `learn`, too.
        self._episodes, self._number = session.observer.episodes, session.number
        records, files = sum(self.status.records.values()), self.status.files
        self._say(f"training {status}: {records:,} records in {files:,} files in {self.save_dir}")

    def _say(self, text: str) -> None:
        if self.verbose >= 1:
            sys.stdout.write(f"[trackway] {text}\n")


class ComprehensiveSavingCallback(RealTimeSavingCallback):
    """Records everything that `RealTimeSavingCallback` can, and sums it all up at the end.

    `comprehensive_summary_<time>.json` says what was recorded where and how to go on from it.
    """

    _comprehensive = True

    def __init__(
        self,
        save_dir: str | Path = "comprehensive_data",
        save_frequency: int = 1000,
        checkpoint_frequency: int = 10000,
        verbose: int = 1,
        **others: Any,
    ) -> None:
        super().__init__(
            save_dir,
            save_frequency,
            checkpoint_frequency=checkpoint_frequency,
            verbose=verbose,
            **others,
        )
