"""`Checkpointer`: exact checkpoints of any training of Stable-Baselines3, and going on from them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from stable_baselines3.common.callbacks import BaseCallback

from trackway.checkpoint.archive import FORMAT
from trackway.checkpoint.choose import choose, list_checkpoints, told
from trackway.checkpoint.differences import find_differences
from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.checkpoint.retention import Policy
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import MismatchError, RecordingError
from trackway.frameworks.sb3.exact import restore, told_of
from trackway.frameworks.sb3.learn_calls import call_of, note_origin, went_on_from
from trackway.frameworks.sb3.learner import text_of
from trackway.frameworks.sb3.replay_journal import Segment
from trackway.frameworks.sb3.snapshots import Snapshots, Taken
from trackway.probes.system import machine, versions
from trackway.recorder.delivery import Delivery
from trackway.recorder.guard import Guard
from trackway.recorder.outbox import Outbox

_WRITER = "trackway.frameworks.sb3.checkpoint_writer"
_TAKE = "take a checkpoint"
_log = logging.getLogger("trackway")


class Checkpointer(BaseCallback):
    """Takes a checkpoint where a rollout starts, at or past each multiple of `every` timesteps.

    Build everything as for a new training, call `learn` as the first time, and the training goes on
    bit for bit where the checkpoint was taken; `exact` in its manifest says so, or what is missing.
    It stands beside other callbacks, not within one that tells of no rollouts, as `EveryNTimesteps`.

    Args:
        folder: Where `checkpoint_<time>.zip` go.
        every: Timesteps between them.
        keep_last: Keep so many of the newest; None keeps all.
        keep_every: And every so many-th.
        keep_best: And so many with the highest mean return of the last episodes. A file
            `checkpoint_….zip.pin` beside a checkpoint keeps it, too.
        resume_from: A checkpoint; or "newest": the newest whole one of the folder, if there is one. A
            program that calls `learn` several times goes through them again: each that had come to its
            end ends at once, as it had ended. Where the model was loaded from the checkpoint, the calls
            before are left out.
        close_timeout_s: How long the end of a training waits for the disk.
    """

    def __init__(
        self,
        folder: str | Path,
        every: int = 100_000,
        *,
        keep_last: int | None = None,
        keep_every: int | None = None,
        keep_best: int = 0,
        resume_from: str | Path | None = None,
        close_timeout_s: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every is {every}; give a number of timesteps, at least 1")
        self.folder, self.every = Path(folder).absolute(), every
        self.policy = Policy(keep_last, keep_every, keep_best)
        self.delivery = Delivery()
        self.after_restore: list[Callable[[], None]] = []
        self._newest = resume_from == "newest"
        named = resume_from is not None and not self._newest
        self._named = read_checkpoint(Path(str(resume_from))) if named else None
        self._origin: Checkpoint | None = None
        self._finished: Checkpoint | None = None  # where there is nothing left to train
        self._learn = 0
        self._close_timeout_s, self._clock = close_timeout_s, clock
        self._number = self._next = 0
        self._snapshots: Snapshots | None = None
        self._outbox: Outbox | None = None
        self._guard = Guard()
        self._in_rollout = False

    def state_dict(self) -> dict[str, int]:
        """See `trackway.checkpoint.stateful`."""
        return {"number": self._number, "next": self._next}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """See `trackway.checkpoint.stateful`."""
        self._number, self._next = state["number"], state["next"]

    def _init_callback(self) -> None:
        self._check_place()

    def _check_place(self) -> None:
        """Whether it will be told of rollouts: Stable-Baselines3 notes within which callback one stands."""
        around = self.parent
        while around is not None:
            if type(around)._on_rollout_start is BaseCallback._on_rollout_start:
                raise _misplaced(type(around).__name__)
            around = around.parent

    def _on_training_start(self) -> None:
        self._check_place()  # a list within a callback notes it only now
        self._learn = call_of(self.model, self._named)
        self._origin = self._find_origin()
        self._finished = None
        self._guard = Guard()
        self._snapshots, root = Snapshots(self.model, self._clock), self.locals["callback"]
        self._guard.run("look at the training", partial(self._snapshots.begin, root), None)
        model = self.model
        self._constant: dict[str, Any] = {  # printing a space takes longer than copying a network
            "algorithm": type(model).__name__,
            "num_envs": model.n_envs,
            "observation_space": text_of(model.observation_space),
            "action_space": text_of(model.action_space),
            "compatibility": {
                "versions": versions(),
                "platform": sys.platform,
                "machine": machine() | {"threads": torch.get_num_threads()},
                "config": {"learner": {"device": str(model.device)}},
            },
        }
        opening = {"kind": "open", "folder": str(self.folder), "policy": asdict(self.policy)}
        self._outbox = Outbox(_WRITER, opening, clock=self._clock)
        self._next = self.every * (self.model.num_timesteps // self.every + 1)

    def _find_origin(self) -> Checkpoint | None:
        """What this `learn` goes on from, if from anything."""
        if self._named is None:
            return self._choose(self.folder) if self._newest else None
        if self._learn < self._named.learn:
            return self._choose(self._named.path.parent)
        named, self._named = self._named, None
        if went_on_from(self.model, named.path):
            # A program that gives it to each of its calls means the one in which it was taken.
            _log.warning(
                "an earlier call of learn has gone on from %s: this one just goes on", named.path
            )
            return None
        return named

    def _choose(self, folder: Path) -> Checkpoint | None:
        """The newest of this `learn`."""
        choice = choose(folder, learn=self._learn)
        for path, why in choice.damaged.items():
            _log.warning("%s is passed over: %s", path, why)
        if choice.checkpoint is None:
            for path in list_checkpoints(folder):
                if (learn := told(path).get("learn", 1)) > self._learn:
                    raise MismatchError(
                        path,
                        f"it was taken in call {learn} of `learn`, this is call {self._learn}, and no "
                        "checkpoint of this one is left: give each a folder",
                    )
        return choice.checkpoint

    def _on_rollout_start(self) -> None:
        assert self._snapshots is not None
        root = self.locals["callback"]
        origin, self._origin = self._origin, None
        if origin is not None:
            # Before anything else: what does not fit must not go on as something else.
            failed = restore(self.model, root, origin, self._clock)
            self.num_timesteps = self.model.num_timesteps
            if self.num_timesteps >= self.model._total_timesteps:
                self._finished = origin
            note_origin(self.model, origin.path)
            self._snapshots.resumed(origin, self.folder)
            for hook in self.after_restore:
                hook()
            (_log.warning if failed else _log.info)("%s", told_of(origin, failed))
            then = origin.manifest.get("compatibility", {})
            for difference in find_differences(then, self._constant["compatibility"]):
                _log.warning("%s", difference)
        due = origin is None and self.model.num_timesteps >= self._next
        self._guard.run(_TAKE, partial(self._rollout_starts, due=due), None)
        self._in_rollout = True

    def _rollout_starts(self, *, due: bool) -> None:
        assert self._snapshots is not None
        self._snapshots.watch()
        if (segment := self._snapshots.advance()) is not None:
            self._put_segment(segment)
        if due:
            self._take("periodic", "rollout_start")
        else:
            self._snapshots.keep(self.locals["callback"], dict)

    def _on_step(self) -> bool:
        if not self._in_rollout:
            raise _misplaced("the callback around it")
        return self._finished is None

    def _on_rollout_end(self) -> None:
        self._in_rollout = False

    def _on_training_end(self) -> None:
        if self._outbox is None:
            return
        if self._finished is not None:
            # A step has been made, since only a step can end a training.
            restore(self.model, self.locals["callback"], self._finished, self._clock, begins=False)
            self.num_timesteps = self.model.num_timesteps
        else:
            self._guard.run(_TAKE, self._take_last, None)
        if self._snapshots is not None:
            self._guard.run("let go of the environments", self._snapshots.close, None)
        delivery, failures = self._outbox.close(self._close_timeout_s), self._guard.errors
        self.delivery = replace(delivery, failures=delivery.failures + failures)
        self._outbox = None
        if failures:
            _log.warning("recording failed %d times: checkpoints may be missing", failures)
        if self.delivery.lost_records:
            sys.stderr.write(
                f"[trackway] the last checkpoints are not on disk: {self.delivery.trouble}\n"
            )

    def _take_last(self) -> None:
        if not self._in_rollout:
            self._take("end", "training_end")
        elif self._snapshots is not None and self._snapshots.kept is not None:
            self._put(self._snapshots.kept, "stopped")

    def _take(self, reason: str, point: str) -> None:
        assert self._snapshots is not None
        self._next = self.every * (self.model.num_timesteps // self.every + 1)
        self._number += 1  # before: who resumes from it counts on
        self._snapshots.forget()
        self._put(self._snapshots.take(self.locals["callback"], point, {}), reason)

    def _put(self, taken: Taken, reason: str) -> None:
        assert self._outbox is not None
        unix_s, model = self._clock.unix_s(), self.model
        returns = [info["r"] for info in model.ep_info_buffer or () if "r" in info]
        manifest = {
            "format": FORMAT,
            "timestep": taken.timestep,
            "timestamp": unix_s,
            "reason": reason,
            "planned_total_timesteps": int(model._total_timesteps),
            "number": self._number - 1,
            "learn": self._learn,
            "metric": float(sum(returns) / len(returns)) if returns else None,
            **taken.facts,
            **self._constant,
        }
        for segment in taken.segments:
            self._put_segment(segment)
        message: dict[str, Any] = {"kind": "checkpoint", **taken.content, "manifest": manifest}
        message["unix_s"] = unix_s
        self._outbox.put(message, taken.arrays, records=1, copied=taken.done)

    def _put_segment(self, segment: Segment) -> None:
        assert self._outbox is not None
        # Its arrays are a copy already.
        content = {"kind": "replay", "name": segment.name}
        self._outbox.put(content, segment.arrays, records=0, copied=lambda: None)


def _misplaced(around: str) -> RecordingError:
    return RecordingError(
        f"a Checkpointer is not told by {around} where rollouts start, where alone it takes checkpoints "
        "and goes on from them: put it beside, `callback=[…, Checkpointer(…)]`; its `every` says how often"
    )
