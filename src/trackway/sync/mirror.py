"""A run made again from a store, as far as it has come: every reader reads it as if it lay there.

Shipments are applied in order, lane by lane, and a lane stands still at a gap. Applying one twice
changes nothing, so the place in each lane is noted after the work, and a mirror that was killed
does its last shipment again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from trackway import files
from trackway.errors import FormatError, SyncError
from trackway.format.shipment import Entry, decode
from trackway.sync import layout
from trackway.sync.changes import lane_of
from trackway.sync.lease import Epoch, epochs
from trackway.sync.store import Store

# Shipments asked for at once by whoever is far behind: as many small ones, or as few large. That
# somebody is far behind shows as they are there: at first one is asked for, then twice as many.
_LEAST_AHEAD, _MOST_AHEAD = 4, 32
_AHEAD_BYTES = 64 << 20


@dataclass
class _Place:
    """How far a mirror has come: the epoch, and of each lane the shipments applied.

    Lanes that were left out, to save room, stay so.
    """

    epoch: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


class Mirror:
    """One rank of a run in a store, made again below a folder.

    Attributes:
        path: The run's folder here.
        epochs: Those that are known, oldest first.
    """

    def __init__(self, store: Store, run: str, folder: Path, rank: int = 0) -> None:
        """Go on where an earlier mirror in that folder stopped.

        Args:
            store: Where the run is.
            run: Its name.
            folder: Where its folder is made, such as `models/`.
            rank: Of several writers of one run, whose part this is. Streams of all ranks lie
                together; other files of rank 1 and on lie under `ranks/<rank>/`.
        """
        self._store, self._rank = store, rank
        self._prefix = layout.rank_prefix(run, rank)
        self.path = folder / run
        self._noted = self.path / "sync" / f"mirror-{rank}.json"
        self._place = self._read_place()
        self.epochs: Sequence[Epoch] = ()

    def poll(self, at_most: int | None = None) -> int:
        """Apply what is new; how many shipments that were.

        Args:
            at_most: Stop after so many in a lane.

        Raises:
            SyncError: The store has no such run, or what it has is damaged.
            UnreachableError: It cannot be reached; what was applied stays.
        """
        applied = 0
        while True:
            self._place.epoch = self._place.epoch or 1
            following = next((e for e in self.epochs if e.number == self._place.epoch + 1), None)
            ends = following.ends if following else None
            lanes = [lane for lane in layout.LANES if lane not in self._place.left_out]
            # All at once: a request may take longer than everything else.
            claimed, *next_ones = self._get(
                [self._next_epoch(), *(self._key(lane, self._count(lane)) for lane in lanes)]
            )
            if claimed is not None or not self.epochs:
                self.epochs = epochs(self._store, self._prefix)
                if not self.epochs:
                    raise SyncError(f"{self._store.url} has no run {self.path.name!r}")
                continue
            for lane, data in zip(lanes, next_ones, strict=True):
                end = None if ends is None else ends.get(lane, 0)
                applied += self._apply_lane(lane, data, end, at_most)
            if following is None or not self._complete(following):
                return applied
            self._place = _Place(following.number, left_out=self._place.left_out)
            self._note()

    @property
    def begun(self) -> bool:
        """Whether the folder was made by a mirror."""
        return self._noted.exists()

    def forget(self) -> None:
        """The folder is a run of this machine from now on."""
        self._noted.unlink(missing_ok=True)

    def leave_out(self, lane: str) -> int:
        """Let the files of a lane go here, and fetch no more of them; how many bytes that frees.

        Deleting the run's folder here is what brings them back.
        """
        freed = 0
        self._place.left_out.append(lane)
        self._note()
        for path in self.path.rglob("*"):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and not name.startswith("sync/") and lane_of(name) == lane:
                freed += path.stat().st_size
                path.unlink()
        return freed

    @property
    def left_out(self) -> Sequence[str]:
        return self._place.left_out

    def _complete(self, following: Epoch) -> bool:
        return all(
            self._count(lane) >= end
            for lane, end in following.ends.items()
            if lane not in self._place.left_out
        )

    def _next_epoch(self) -> str:
        last = self.epochs[-1].number if self.epochs else 0
        return layout.epoch_key(self._prefix, last + 1)

    def _count(self, lane: str) -> int:
        return self._place.counts.get(lane, 0)

    def _key(self, lane: str, number: int) -> str:
        return layout.shipment_key(self._prefix, self._place.epoch, lane, number)

    def _apply_lane(
        self, lane: str, data: bytes | None, end: int | None, at_most: int | None
    ) -> int:
        """Apply a lane's next shipment, and those behind it up to a gap; how many those were."""
        first = self._count(lane)
        if end is not None and first >= end:
            return 0
        got, asked = iter([data]), 1
        while asked:
            begin, largest = self._count(lane), 0
            try:
                for shipment in got:
                    if shipment is None:
                        break
                    self._apply(lane, self._count(lane), shipment)
                    self._place.counts[lane] = self._count(lane) + 1
                    largest = max(largest, len(shipment))
            finally:  # of several, what came before one that failed stays
                if (count := self._count(lane)) > begin:
                    self._note()
            if count < begin + asked or (at_most is not None and count - first >= at_most):
                break
            ahead = min(max(_AHEAD_BYTES // (largest + 1), _LEAST_AHEAD), _MOST_AHEAD)
            asked = min(2 * asked, ahead, ahead if end is None else end - count)
            got = self._get([self._key(lane, number) for number in range(count, count + asked)])
        return self._count(lane) - first

    def _get(self, keys: Sequence[str]) -> Iterator[bytes | None]:
        """Objects in the order of their keys, all asked for at once."""
        with ThreadPoolExecutor(max(1, len(keys))) as pool:
            yield from pool.map(self._store.get, keys)

    def _apply(self, lane: str, number: int, data: bytes) -> None:
        try:
            header, parts = decode(data)
        except FormatError as error:
            raise SyncError(
                f"{self._store.url}: shipment {number} of {lane} is damaged: {error}"
            ) from error
        if (header.lane, header.number) != (lane, number):
            raise SyncError(
                f"{self._store.url}: a shipment lies under another's key, {lane} {number}"
            )
        for entry, part in zip(header.entries, parts, strict=True):
            self._apply_entry(entry, part)

    def _apply_entry(self, entry: Entry, part: memoryview) -> None:
        path = self._file(entry.path)
        if entry.kind == "rename":
            old = self._file(entry.old)
            if old.exists():
                files.make_folder(path.parent)
                files.rename(old, path)
            return
        content = self._blobs(entry) if entry.blobs else part
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise SyncError(
                f"{self._store.url}: the bytes of {entry.path} are not what was shipped"
            )
        if not path.exists() and entry.kind == "append" and path.with_suffix(".seg").exists():
            return  # applied before, and its segment sealed since
        if entry.offset == 0:
            files.publish(path, content)  # a reader never sees a beginning cut short
            return
        if not path.exists():
            raise SyncError(f"{self._store.url}: the beginning of {entry.path} was never shipped")
        file = files.open_append(path, entry.offset)
        file.append(content)
        file.close()

    def _blobs(self, entry: Entry) -> bytes:
        def piece(digest: str) -> bytes:
            data = self._store.get(layout.blob_key(self._prefix, digest))
            if data is None:
                raise SyncError(f"{self._store.url}: a piece of {entry.path} is missing: {digest}")
            return data

        with ThreadPoolExecutor(min(_LEAST_AHEAD, len(entry.blobs))) as pool:
            return b"".join(pool.map(piece, entry.blobs))

    def _file(self, path: str) -> Path:
        """Where a file of the run lies here; a name that would lead elsewhere is refused."""
        parts = layout.parts_of(path)
        shared = parts[:2] in (("realtime_data", "streams"), ("realtime_data", "scenes"))
        if self._rank and not shared:
            return self.path.joinpath("ranks", str(self._rank), *parts)
        return self.path.joinpath(*parts)

    def _read_place(self) -> _Place:
        try:
            told = orjson.loads(self._noted.read_bytes())
        except FileNotFoundError:
            return _Place()
        return _Place(told["epoch"], dict(told["counts"]), list(told["left_out"]))

    def _note(self) -> None:
        told = {
            "format": "trackway-mirror",
            "version": 1,
            "store": self._store.url,
            "epoch": self._place.epoch,
            "counts": self._place.counts,
            "left_out": self._place.left_out,
        }
        files.publish(self._noted, orjson.dumps(told))


def runs(store: Store) -> list[str]:
    """The names of the runs that a store has."""
    return [layout.decode_name(name) for name in store.folders("runs/")]


def ranks(store: Store, run: str) -> list[int]:
    """The ranks that ship into a run."""
    return sorted(int(name) for name in store.folders(layout.run_prefix(run)) if name.isdigit())
