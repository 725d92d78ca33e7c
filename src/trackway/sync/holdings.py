"""What a store has of a run's files, asked of the store itself."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trackway.errors import SyncError
from trackway.format.shipment import (
    HEADER_GUESS,
    Entry,
    ShipmentHeader,
    decode_header,
    header_size,
)
from trackway.storage.file_names import is_reduced, segments_in
from trackway.sync import layout, lease
from trackway.sync.lease import Epoch
from trackway.sync.store import Store

_AT_ONCE = 64
_BATCH_BYTES = 64 << 20


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file: an entry of the shipment `key`, its payload from byte `start` on."""

    key: str
    start: int
    entry: Entry
    epoch: int
    created_unix: float


class Holdings:
    """The files that a store has, by path below the run's folder.

    Attributes:
        files: The pieces of those that are finished, in the order in which they were shipped.
        growing: The pieces of those that grew when the store heard of them last.
    """

    def __init__(self, store: Store, prefix: str, lanes: Sequence[str] = layout.LANES) -> None:
        """Read the headers of every shipment that counts.

        Args:
            store: Where the run was shipped.
            prefix: Of the run's rank in it.
            lanes: Whose files.

        Raises:
            SyncError: What the store has is damaged.
            UnreachableError: The store cannot be reached.
        """
        self._store, self._prefix = store, prefix
        self.files: dict[str, list[Piece]] = {}
        self.growing: dict[str, list[Piece]] = {}
        # By stream's folder, which file has the rows of which segment.
        self._segments: dict[str, dict[int, str]] = {}
        blobs = {item.key.rpartition("/")[2] for item in store.list(layout.blobs_prefix(prefix))}
        known = lease.epochs(store, prefix)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            following = [*known[1:], None]
            listed = pool.map(
                lambda told: self._counted(*told),
                [(lane, *two) for lane in lanes for two in zip(known, following, strict=True)],
            )
            shipments = [shipment for counted in listed for shipment in counted]
            headers = pool.map(lambda shipment: self._header(*shipment), shipments)
            for (key, _), (size, header) in zip(shipments, headers, strict=True):
                starts = itertools.accumulate(
                    (entry.payload_bytes for entry in header.entries), initial=size
                )
                for start, entry in zip(starts, header.entries, strict=False):
                    if blobs.issuperset(entry.blobs):
                        self._take(Piece(key, start, entry, header.epoch, header.created_unix))

    def _counted(self, lane: str, epoch: Epoch, after: Epoch | None) -> list[tuple[str, int]]:
        """Keys and sizes of a lane's shipments that count."""
        found: list[tuple[str, int]] = []
        for item in self._store.list(layout.lane_prefix(self._prefix, epoch.number, lane)):
            if layout.number_of(item.key) != len(found):
                break  # behind a gap nothing counts
            found.append((item.key, item.size_bytes))
        return found if after is None else found[: after.ends.get(lane, 0)]

    def _header(self, key: str, size: int) -> tuple[int, ShipmentHeader]:
        data = self._store.get(key, 0, HEADER_GUESS) or b""
        if len(data) < (needed := header_size(data)):
            data = self._store.get(key, 0, needed) or b""
        header = decode_header(data)
        if size != needed + sum(entry.payload_bytes for entry in header.entries):
            raise SyncError(f"{self._store.url}: {key} has not the size that it tells of")
        return needed, header

    def _take(self, piece: Piece) -> None:
        entry = piece.entry
        layout.parts_of(entry.path)
        if entry.kind == "append":
            if entry.offset == 0:
                self.growing[entry.path] = []
            self.growing.setdefault(entry.path, []).append(piece)
            return
        pieces = [piece]
        if entry.kind == "rename":
            pieces = self.growing.pop(entry.old, []) or self.files.pop(entry.old, [])
        folder, _, name = entry.path.rpartition("/")
        if not _follow_each_other(pieces):
            return
        self.files.pop(entry.path, None)
        self.files[entry.path] = pieces
        # A part of which rows or digits were given up stands for nothing but itself.
        if not is_reduced(PurePosixPath(name)):
            for number in segments_in(name):
                self._segments.setdefault(folder, {})[number] = entry.path

    def pieces(self, path: str) -> list[Piece]:
        """The pieces of a file.

        Raises:
            SyncError: The store has no such file (any more).
        """
        found = self.files.get(path) or self.growing.get(path)
        if not found:
            raise SyncError(f"{self._store.url} has no {path} any more")
        return found

    def size(self, path: str) -> int:
        return sum(piece.entry.size for piece in self.pieces(path))

    def mtime_ns(self, path: str) -> int:
        """The time that a file is given here: when its last piece was shipped."""
        return int(self.pieces(path)[-1].created_unix * 1e9)

    def streams(self) -> dict[str, list[str]]:
        """By stream's folder, the files that have its rows, in their order."""
        found = {folder: dict(segments) for folder, segments in self._segments.items()}
        for path in self.growing:
            folder, _, name = path.rpartition("/")
            for number in segments_in(name.replace(".open", ".seg")):
                found.setdefault(folder, {}).setdefault(number, path)
        return {
            folder: list(dict.fromkeys(segments[number] for number in sorted(segments)))
            for folder, segments in found.items()
        }

    def standing_for(self, name: str, path: Path) -> list[str]:
        """Stored files that together have all rows of a segment or part; none if they do not.

        Args:
            name: Its path below the run's folder.
            path: Where it lies here: where the store has the file itself, its bytes are compared.
        """
        folder, _, own = name.rpartition("/")
        there = self._segments.get(folder, {})
        found = {there.get(number, "") for number in segments_in(own)}
        if name not in self.files:
            # Parts were proven against the segments that they were made of.
            return [] if "" in found else sorted(found)
        with path.open("rb") as data:
            pieces = (piece.entry for piece in self.files[name])
            same = [hashlib.sha256(data.read(p.size)).hexdigest() == p.sha256 for p in pieces]
            return [name] if all(same) and not data.read(1) else []

    def fetch(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Stored files as they were shipped, in this order, as many at once as fit memory.

        Raises:
            SyncError: What the store gives is not what was shipped, or it has no such file.
            UnreachableError: The store cannot be reached.
        """
        batch: list[str] = []
        size = 0
        for path in paths:
            batch.append(path)
            size += self.size(path)
            if size >= _BATCH_BYTES:
                yield from self._fetch(batch)
                batch, size = [], 0
        yield from self._fetch(batch)

    def beginning(self, path: str, size: int) -> bytes:
        """The first bytes of a file, so many if its first piece has them."""
        piece = self.pieces(path)[0]
        end = min(size, piece.entry.size)
        if piece.entry.blobs:
            return self._get(layout.blob_key(self._prefix, piece.entry.blobs[0]), 0, end)
        return self._get(piece.key, piece.start, piece.start + end)

    def ending(self, path: str) -> bytes:
        """The last bytes of a file: as many as came in one piece."""
        piece = self.pieces(path)[-1]
        if piece.entry.blobs:
            return self._get(layout.blob_key(self._prefix, piece.entry.blobs[-1]), 0, None)
        return self._get(piece.key, piece.start, piece.start + piece.entry.size)

    def _fetch(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        # What neighbours in one shipment need is asked for at once.
        spans: dict[str, tuple[int, int | None]] = {}
        for path in paths:
            for piece in self.pieces(path):
                for digest in piece.entry.blobs:
                    spans[layout.blob_key(self._prefix, digest)] = (0, None)
                if piece.entry.payload_bytes:
                    start, end = piece.start, piece.start + piece.entry.size
                    known = spans.get(piece.key, (start, end))
                    spans[piece.key] = min(known[0], start), max(known[1] or end, end)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            got = pool.map(lambda told: self._get(told[0], *told[1]), spans.items())
            data = dict(zip(spans, got, strict=True))
        begins = {key: start for key, (start, _) in spans.items()}
        for path in paths:
            yield path, b"".join(self._bytes(p, data, begins) for p in self.pieces(path))

    def _get(self, key: str, start: int, end: int | None) -> bytes:
        return self._store.get(key, start, end) or b""

    def _bytes(
        self, piece: Piece, data: Mapping[str, bytes], begins: Mapping[str, int]
    ) -> bytes | memoryview:
        entry = piece.entry
        found: bytes | memoryview
        if entry.blobs:
            found = b"".join(data[layout.blob_key(self._prefix, digest)] for digest in entry.blobs)
        elif entry.size:
            start = piece.start - begins[piece.key]
            found = memoryview(data[piece.key])[start : start + entry.size]
        else:
            found = b""
        if hashlib.sha256(found).hexdigest() != entry.sha256:
            raise SyncError(
                f"{self._store.url}: the bytes of {entry.path} are not what was shipped"
            )
        return found


def _follow_each_other(pieces: Sequence[Piece]) -> bool:
    offsets = [piece.entry.offset for piece in pieces]
    ends = itertools.accumulate((piece.entry.size for piece in pieces), initial=0)
    return bool(pieces) and offsets == list(ends)[:-1]
