"""One recording, from the start of a training to its end: what is put into the outbox, and when."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trackway.checkpoint.read import Checkpoint
from trackway.checkpoint.retention import Policy
from trackway.clock import Clock
from trackway.frameworks.sb3.replay_journal import Segment
from trackway.frameworks.sb3.snapshots import Snapshots
from trackway.legacy.checkpoints import checkpoint_message, compatibility, documents
from trackway.legacy.json_layout import HYPERPARAMETERS, MODELS, SUMMARIES
from trackway.legacy.observer import Observer
from trackway.legacy.summaries import summaries
from trackway.probes.system import resume_command
from trackway.recorder.delivery import Delivery
from trackway.recorder.guard import Guard
from trackway.recorder.outbox import Outbox

_WRITER = "trackway.legacy.json_layout"
_CUT_AT = 1000  # finished episodes between two saves; then they get a file without waiting longer

_log = logging.getLogger("trackway")


@dataclass(frozen=True)
class Options:
    """What is recorded where and how often; the arguments of the callbacks."""

    folder: Path
    zip_folder: Path
    save_frequency: int
    checkpoint_frequency: int
    episodes: bool
    environment_states: bool
    hyperparameters: bool
    checkpoints: bool
    comprehensive: bool
    total_timesteps: int | None
    resume_command: Callable[[Path], str] | None
    config: Mapping[str, Any] | None
    close_timeout_s: float
    keep_files: int | None
    policy: Policy


class Session:
    """Puts records into the outbox as the training goes by.

    Every method is given `seen`, the learner's local variables: `rewards`, `dones`, `infos`, …;
    empty where the callback is driven by hand.

    Args:
        options: What is recorded.
        observer: What reads the training.
        timestep: Of the training.
        learn: Which call of `learn` this is.
        number: Checkpoints taken before.

    Attributes:
        number: Checkpoints taken until now.
    """

    def __init__(
        self,
        options: Options,
        observer: Observer,
        timestep: int,
        learn: int,
        number: int,
        guard: Guard,
        clock: Clock,
    ) -> None:
        self.options, self.observer, self._learn, self.number = options, observer, learn, number
        self._guard, self._clock = guard, clock
        self._next_save = _after(timestep, options.save_frequency)
        self._next_checkpoint = _after(timestep, options.checkpoint_frequency)
        self._saved_at = self._checkpoint_at = timestep
        self._unsaved_episodes = 0
        self._due = False
        self._snapshots = Snapshots(observer.model, clock)
        self._checkpoint_seq = 0
        self._rollout_at = timestep
        self._recording = {
            "folder": str(options.folder),
            "zip_folder": str(options.zip_folder),
            "started_unix_s": observer.started_unix_s,
            "comprehensive": options.comprehensive,
            "keep_files": options.keep_files,
            "policy": asdict(options.policy),
            "compatibility": compatibility(),
        }
        opening = {
            "kind": "open",
            "recording": self._recording,
            "environment": observer.environment,
            "derivation": observer.derivation,
            "totals": observer.totals(timestep),
        }
        self.outbox = Outbox(_WRITER, opening, clock=clock)
        if options.hyperparameters:
            nothing: dict[str, Any] = {}
            record = guard.run("read the hyperparameters", observer.hyperparameters, nothing)
            message = {"kind": HYPERPARAMETERS, "unix_s": observer.started_unix_s, "record": record}
            self.outbox.put(message, records=1)

    def begins(self, seen: Mapping[str, Any]) -> None:
        """The training begins, or is about to go on from a checkpoint."""
        if self.options.checkpoints and self.observer.model is not None:
            self._snapshots.begin(seen.get("callback"))

    @property
    def total_timesteps(self) -> int | None:
        """The whole training: as the callback was told, else as `learn` was asked for."""
        model: Any = self.observer.model
        total = self.options.total_timesteps or getattr(model, "_total_timesteps", None)
        return int(total) if total else None  # NumPy's, perhaps

    def step(self, timestep: int, seen: Mapping[str, Any]) -> bool:
        """Take in a step; whether a checkpoint was taken.

        One that falls due is taken when the next rollout starts: there nothing is half done, and the
        training can go on from it exactly.
        """
        if "dones" in seen:
            finished = self.observer.step(timestep, seen)
            if finished and self.options.episodes:
                self._put_episodes(finished)
        if timestep >= self._next_save:
            self._next_save = _after(timestep, self.options.save_frequency)
            self.save(timestep, seen)
        if timestep < self._next_checkpoint:
            return False
        self._next_checkpoint = _after(timestep, self.options.checkpoint_frequency)
        self._due = self.options.checkpoints
        return self._due and self.observer.model is None and self.rollout_starts(timestep, seen)

    def rollout_starts(self, timestep: int, seen: Mapping[str, Any]) -> bool:
        """Take the checkpoint that has fallen due, if one has; whether one was."""
        due, self._due = self._due, False
        self._rollout_at = timestep
        if self.options.checkpoints and self.observer.model is not None:
            self._snapshots.watch()
            if (segment := self._snapshots.advance()) is not None:
                self._put_segment(segment)
        if due:
            self.checkpoint("periodic", timestep, seen, point="rollout_start")
        elif self.options.checkpoints and self.observer.model is not None:
            self._snapshots.keep(seen.get("callback"), lambda: self._documents(timestep, seen))
        return due

    def state_dict(self) -> dict[str, Any]:
        """What is due when, and what has been counted; see `trackway.checkpoint.stateful`."""
        return {
            "next": [self._next_save, self._next_checkpoint],
            "last": [self._saved_at, self._checkpoint_at],
            "unsaved_episodes": self._unsaved_episodes,
            "number": self.number,
            "episodes": self.observer.episodes and self.observer.episodes.state_dict(),
            "updates": self.observer.updates.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._next_save, self._next_checkpoint = state["next"]
        self._saved_at, self._checkpoint_at = state["last"]
        self._unsaved_episodes = state["unsaved_episodes"]
        self.number = state.get("number", 0)  # of a format before 3: none
        if self.observer.episodes is not None and state["episodes"] is not None:
            self.observer.episodes.load_state_dict(state["episodes"])
        self.observer.updates.load_state_dict(state["updates"])

    def save(self, timestep: int, seen: Mapping[str, Any]) -> None:
        """Copy what is to be recorded of this moment."""
        observer, unix_s, columns = self.observer, self._clock.unix_s(), None
        detail = observer.moment()
        rand_power = observer.rand_power(detail)
        message: dict[str, Any] = {"kind": "save", "unix_s": unix_s}
        records = 1
        # At the end of a training that was saved at its last step, only the last update is news.
        news = timestep != self._saved_at
        if news and self.options.episodes:
            message["snapshot"], columns = observer.snapshot(detail, timestep, unix_s, seen)
            records += len(message["snapshot"]["counts"] or [0])
        if news and self.options.environment_states:
            message["environment"] = observer.environment_state(timestep, unix_s, rand_power)
            records += 1
        message["metrics"] = observer.metrics(
            timestep, unix_s, rand_power, self.total_timesteps, seen
        )
        message["totals"] = observer.totals(timestep)
        self.outbox.put(message, columns, records=records, commit=True)
        self._saved_at, self._unsaved_episodes = timestep, 0

    def checkpoint(
        self, reason: str, timestep: int, seen: Mapping[str, Any], *, point: str | None
    ) -> int:
        """Copy the whole state of the learner; the number of its message.

        Args:
            reason: Why, for the record.
            timestep: Of the training.
            seen: As everywhere.
            point: "rollout_start" or "training_end"; None in the middle of a rollout: then what was
                kept of its start is published, if it was.
        """
        model, episodes = self.observer.model, self.observer.episodes
        taken, number = None, self.number
        if model is not None:
            taken, self._snapshots.kept = self._snapshots.kept, None
            if point is not None or taken is None:
                if taken is not None:
                    taken.done()
                if (
                    point is None
                    and self._checkpoint_seq
                    and self._rollout_at == self._checkpoint_at
                ):
                    return self._checkpoint_seq  # of this very rollout
                self.number += 1  # before: who resumes from it counts on
                taken = self._snapshots.take(
                    seen.get("callback"), point, self._documents(timestep, seen)
                )
            timestep = taken.timestep
        self._checkpoint_at = timestep
        total = self.total_timesteps
        message = checkpoint_message(
            model,
            taken,
            timestep,
            self._clock.unix_s(),
            self.options.zip_folder,
            reason=reason,
            learn=self._learn,
            number=number,
            metric=episodes.recent_metrics()["recent_episode_return_mean"] if episodes else None,
            resume_command=self.options.resume_command
            or (lambda path: resume_command(path, total)),
            total_timesteps=total,
        )
        for segment in taken.segments if taken else ():
            self._put_segment(segment)
        arrays, copied = (taken.arrays, taken.done) if taken else (None, None)
        self._checkpoint_seq = self.outbox.put(message, arrays, records=1, copied=copied)
        return self._checkpoint_seq

    def resumed(self, checkpoint: Checkpoint, *, begins_anew: bool) -> None:
        """The training goes on where the checkpoint was taken; with new episodes, if they begin anew."""
        self._snapshots.resumed(checkpoint, self.options.zip_folder)
        self._snapshots.watch()
        observer = self.observer
        if begins_anew and observer.episodes is not None:
            timestep = observer.model.num_timesteps
            cut = observer.episodes.interrupt(timestep, self._clock.unix_s())
            if cut and self.options.episodes:
                self._put_episodes(cut)

    def _put_segment(self, segment: Segment) -> None:
        # Its arrays are a copy already.
        message = {"kind": "replay", "name": segment.name}
        self.outbox.put(message, segment.arrays, records=0, copied=lambda: None)

    def _documents(self, timestep: int, seen: Mapping[str, Any]) -> dict[str, Any]:
        curriculum = self.observer.curriculum(seen)
        return documents(self.observer, timestep, curriculum, self.options.config)

    def close(
        self, status: str, timestep: int, seen: Mapping[str, Any], point: str | None
    ) -> Delivery:
        """Record the end, wait for the disk as long as allowed, and say what was lost.

        Args:
            status: How the training ended.
            timestep: Of the training.
            seen: As everywhere.
            point: "training_end", or None in the middle of a rollout.
        """
        guard, outbox, options = self._guard, self.outbox, self.options
        unsaved = self._unsaved_episodes or self.observer.updates.unread
        if timestep != self._saved_at or unsaved:
            guard.run("save the end", lambda: self.save(timestep, seen), None)
        # In the middle of an interrupted update the model is no state to go on from, but for what
        # was kept of the rollout before.
        resumable = status != "interrupted" or (point is None and self._snapshots.kept)
        if options.checkpoints and timestep != self._checkpoint_at and resumable:
            last = partial(self.checkpoint, status, timestep, seen, point=point)
            guard.run("save a checkpoint", last, 0)
        guard.run("let go of the environments", self._snapshots.close, None)
        outbox.wait(timeout_s=options.close_timeout_s)
        self._put_summaries(status, timestep)
        hopeless = outbox.delivery.trouble is not None
        delivery = outbox.close(1.0 if hopeless else options.close_timeout_s)
        if delivery.failures or guard.errors or delivery.restarts:
            _log.warning(
                "recording: the disk refused %d writes (each was tried again), %d readings failed, "
                "%d writer processes died",
                delivery.failures,
                guard.errors,
                delivery.restarts,
            )
        if delivery.lost_records:
            why = delivery.trouble or "there was no room left in memory"
            _log.error("%d records are lost: %s", delivery.lost_records, why)
        return delivery

    def _put_episodes(self, finished: list[dict[str, Any]]) -> None:
        # At once, though their file comes later: what the writer has, a killed trainer cannot lose.
        self._unsaved_episodes += len(finished)
        many = self._unsaved_episodes >= _CUT_AT
        message = {"kind": "episodes", "records": finished}
        self.outbox.put(message, records=len(finished), commit=many)
        if many:
            self._unsaved_episodes = 0

    def _put_summaries(self, status: str, timestep: int) -> None:
        unix_s, delivery = self._clock.unix_s(), self.outbox.delivery
        last_checkpoint = delivery.last.get(MODELS)
        documents = summaries(
            status,
            self._recording,
            self.observer.totals(timestep),
            unix_s,
            delivery.files,
            None if last_checkpoint is None else str(last_checkpoint),
            {"lost_records": delivery.lost_records, "failed_writes": delivery.failures},
        )
        for document in documents:
            message = {"kind": SUMMARIES, "unix_s": unix_s, **document}
            self.outbox.put(message, records=1)


def _after(timestep: int, frequency: int) -> int:
    """The first multiple past a timestep."""
    return frequency * (timestep // frequency + 1)
