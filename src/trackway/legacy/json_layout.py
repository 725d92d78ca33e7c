"""The user's JSON files: which records stand in which file under which name.

Runs in the writer process. A message may come twice (when the writer before this one died, or when
the disk refused half of it); files are recognised by their content, so nothing is written twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trackway import files as disk
from trackway.checkpoint.archive import pack_arrays
from trackway.checkpoint.assemble import REPLAY_FOLDER, checkpoint_zip
from trackway.checkpoint.retention import Policy
from trackway.checkpoint.shelf import Shelf
from trackway.clock import SYSTEM_CLOCK, Clock, file_stamp
from trackway.files import publish_new
from trackway.format.jsonable import json_bytes, strict, strict_json
from trackway.format.message import Message
from trackway.legacy.snapshots import Derivation, Snapshot, records_of
from trackway.legacy.summaries import summaries
from trackway.recorder.inbox import Done, UnwritableError, WrittenFile, serve
from trackway.recorder.packer import Packing

EPISODES, STATES, METRICS = "episodes", "environment_states", "learning_metrics"
CHECKPOINTS, HYPERPARAMETERS, MODELS, SUMMARIES = (
    "checkpoints",
    "hyperparameters",
    "models",
    "summaries",
)
_PREFIXES = {
    EPISODES: "episodes",
    STATES: "env_states",
    METRICS: "learning_metrics",
    CHECKPOINTS: "checkpoint",
    HYPERPARAMETERS: "hyperparameters",
}


class JsonLayout:
    """A sink: records are held until a commit makes files of them, everything else is written."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._folder, self._zip_folder = Path(), Path()
        self._held = _Held()
        self._recorded = Done()  # before a checkpoint that the disk refused
        self._environment: dict[str, Any] = {}
        self._derivation: Derivation | None = None
        self._recording: Message | None = None  # None: there is nothing left to say at the end
        self._totals: Message = {}
        self._files: Counter[str] = Counter()
        self._last_checkpoint: str | None = None
        self._finished_s: float | None = None
        self._lock: disk.Lock | None = None
        self.packing: Packing | None = None
        self._shelf: Shelf | None = None  # None: every checkpoint stays
        # Per folder: the stem, number and content of the newest file.
        self._latest: dict[Path, tuple[str, int, bytes]] = {}

    def handle(self, seq: int, message: Message, columns: dict[str, Any]) -> Done:
        kind = message["kind"]
        if kind == "open":
            self._recording, self._totals = message["recording"], message["totals"]
            self._environment = strict({**message["environment"], "timestamp": None})
            told = message["derivation"]
            self._derivation = None if told is None else Derivation.load(told)
            self._folder = Path(message["recording"]["folder"])
            self._zip_folder = Path(message["recording"]["zip_folder"])
            keep = message["recording"].get("keep_files")
            self.packing = None if keep is None else Packing(keep)
            policy = Policy(**message["recording"].get("policy", {}))
            self._shelf = None if policy.keeps_all else Shelf(self._zip_folder, policy)
            self._hold_folder()
            return Done()
        self._totals = message.get("totals", self._totals)
        if kind in ("episodes", "save"):
            self._hold(message, columns)
            self._held.seqs.append(seq)
            return Done()
        if kind == "commit":
            done = self._commit(message["unix_s"], seq)
        elif kind == "replay":
            _published(self._zip_folder / REPLAY_FOLDER / message["name"], pack_arrays(columns))
            done = Done()
        elif kind == "checkpoint":
            # What it counts as recorded is on the disk before it, should this process die as well.
            recorded = self._commit(message["unix_s"], seq)
            self._recorded.seqs += recorded.seqs
            self._recorded.files += recorded.files
            done = self._checkpoint(message, columns)
            done.seqs += self._recorded.seqs
            done.files = self._recorded.files + done.files
            self._recorded = Done()
        else:
            done = Done(files=[self._document(message)])
        done.seqs.append(seq)
        self._files.update(file.kind for file in done.files)
        if kind == SUMMARIES:
            self._recording = None
        return done

    def finish(self) -> Done:
        """Write the records that no commit came for, and how far an interrupted training got."""
        unix_s = self._finished_s = self._finished_s or self._clock.unix_s()
        done = self._commit(unix_s, 0)
        if self._recording is None:
            return done
        documents = summaries(
            "killed",
            self._recording,
            self._totals,
            unix_s,
            self._files + Counter(file.kind for file in done.files),
            self._last_checkpoint,
            {},
        )
        for document in documents:
            done.files.append(self._document({"kind": SUMMARIES, "unix_s": unix_s, **document}))
        self._recording = None
        return done

    def _hold_folder(self) -> None:
        """Show that somebody writes here: who resumes a run waits for a dead trainer's writer."""
        with contextlib.suppress(OSError):
            disk.make_folder(self._folder)
            self._lock = self._lock or disk.lock(self._folder)

    def _hold(self, message: Message, columns: dict[str, Any]) -> None:
        held = self._held
        held.episodes += message.get("records", ())
        if "snapshot" in message:
            held.episodes.append(Snapshot(message["snapshot"], columns))
        if "environment" in message:
            state = strict(message["environment"])
            summary = {**self._environment, "timestamp": state["timestamp"]}
            held.states.append({**state, "environment_summary": summary})
        if "metrics" in message:
            held.metrics.append(strict(message["metrics"]))

    def _commit(self, unix_s: float, seq: int) -> Done:
        held = self._held
        try:
            episodes = held.episode_records(self._derivation)
        except Exception as error:
            self._held = _Held()
            raise UnwritableError([*held.seqs, seq], f"{type(error).__name__}: {error}") from error
        files = [
            self._records(kind, records, unix_s)
            for kind, records in (
                (EPISODES, episodes),
                (STATES, held.states),
                (METRICS, held.metrics),
            )
            if records
        ]
        self._held = _Held()
        return Done(seqs=held.seqs, files=files)

    def _records(self, kind: str, records: list[dict[str, Any]], unix_s: float) -> WrittenFile:
        data = json_bytes(records)
        stem = f"{_PREFIXES[kind]}_{file_stamp(unix_s)}"
        path = self._publish_once(self._folder / kind, stem, data)
        if self.packing is not None:
            self.packing.added(path.parent)
        return WrittenFile(kind, path, len(records))

    def _document(self, message: Message) -> WrittenFile:
        kind = message["kind"]
        folder = self._folder / kind if kind in _PREFIXES else self._folder
        prefix = _PREFIXES.get(kind) or message["prefix"]
        stem = f"{prefix}_{file_stamp(message['unix_s'])}"
        return WrittenFile(
            kind, self._publish_once(folder, stem, strict_json(message["record"])), 1
        )

    def _publish_once(self, folder: Path, stem: str, data: bytes) -> Path:
        """Publish under the first free name, or find that this very content is there already."""
        latest_stem, number, latest = self._latest.get(folder, ("", 1, b""))
        if latest_stem != stem:
            number = 1
        elif latest != data:
            number += 1  # many files a second: names up to here are taken by other content
        while True:
            path = folder / f"{_numbered(stem, number)}.json"
            if _published(path, data):
                self._latest[folder] = (stem, number, data)
                return path
            number += 1

    def _checkpoint(self, message: Message, arrays: dict[str, Any]) -> Done:
        """The zip first: the JSON that points to it must never point to nothing."""
        unix_s, record = message["unix_s"], message["record"]
        if "manifest" not in message:
            return Done(files=[self._document({**message, "kind": CHECKPOINTS})])
        data = checkpoint_zip(message, arrays, unix_s)
        record["compatibility"]["sha256"] = hashlib.sha256(data).hexdigest()
        first_stem = message["stem"]
        for number in itertools.count(1):
            stem = _numbered(first_stem, number)
            zip_path, path = (
                self._zip_folder / f"{stem}.zip",
                self._folder / CHECKPOINTS / f"{stem}.json",
            )
            text = strict_json(_renamed(record, first_stem, stem))
            if self._shelf is not None and self._shelf.is_gone(zip_path):
                continue
            # Both names or neither: half a pair belongs to somebody else.
            if path.exists() and path.read_bytes() != text:
                continue
            if _published(zip_path, data) and _published(path, text):
                self._last_checkpoint = str(zip_path)
                self._let_go(zip_path)
                return Done(
                    files=[WrittenFile(MODELS, zip_path, 0), WrittenFile(CHECKPOINTS, path, 1)]
                )
        raise AssertionError("names do not end")

    def _let_go(self, published: Path) -> None:
        """Take away what the policy does not keep; records first, which must not point to nothing."""
        if self._shelf is None:
            return
        self._shelf.added(published)
        if gone := self._shelf.doomed():
            folder = self._folder / CHECKPOINTS
            disk.remove_all(folder, [folder / f"{path.stem}.json" for path in gone])
            self._shelf.remove(gone)


@dataclass
class _Held:
    """Records that wait for a commit, in the order in which they came, and their messages."""

    episodes: list[Any] = field(default_factory=list)
    """Records of episodes, and snapshots that are to become records."""
    states: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)

    def episode_records(self, derivation: Derivation | None) -> list[dict[str, Any]]:
        snapshots = [item for item in self.episodes if isinstance(item, Snapshot)]
        found = iter(records_of(snapshots, derivation))
        records: list[dict[str, Any]] = []
        for item in self.episodes:
            records += next(found) if isinstance(item, Snapshot) else [strict(item)]
        return records


def _renamed(record: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The record with the checkpoint's final name where the foreseen one stood."""
    recovery = {
        key: value.replace(old, new) if isinstance(value, str) else value
        for key, value in record["recovery_info"].items()
    }
    return {**record, "recovery_info": recovery}


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}_{number}"


def _published(path: Path, data: bytes) -> bool:
    """Whether the content now stands at that path; False where something else does."""
    try:
        if path.exists():
            same = path.stat().st_size == len(data) and path.read_bytes() == data
            if same:  # perhaps from a try that failed at the last sync: there, and not yet durable
                disk.sync_folder(path.parent)
            return same
        publish_new(path, data)
    except FileExistsError:
        if not path.exists():
            raise  # not this name is taken, but a folder's on the way to it
        return path.read_bytes() == data
    return True


if __name__ == "__main__":
    serve(JsonLayout())
