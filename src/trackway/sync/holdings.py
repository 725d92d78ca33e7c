"""What a store has of a run's streams, asked of the store itself."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trackway.errors import SyncError
from trackway.format.shipment import (
    HEADER_GUESS,
    Entry,
    ShipmentHeader,
    decode,
    decode_header,
    header_size,
)
from trackway.storage.file_names import is_reduced, segments_in
from trackway.sync import layout, lease
from trackway.sync.lease import Epoch
from trackway.sync.store import Store

_AT_ONCE = 16


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file: entry `index` of a shipment."""

    key: str
    index: int
    entry: Entry


class Holdings:
    """The finished files of streams that a store has whole, by path below the run's folder."""

    def __init__(self, store: Store, prefix: str) -> None:
        """Read the headers of every shipment of steps that counts.

        Args:
            store: Where the run was shipped.
            prefix: Of the run's rank in it.

        Raises:
            UnreachableError: The store cannot be reached.
        """
        self._store, self._prefix = store, prefix
        self._growing: dict[str, list[Piece]] = {}
        self._files: dict[str, list[Piece]] = {}
        # By stream's folder, which file has the rows of which segment.
        self._segments: dict[str, dict[int, str]] = {}
        self._newest: tuple[str, Sequence[memoryview]] = ("", ())
        blobs = {item.key.rpartition("/")[2] for item in store.list(layout.blobs_prefix(prefix))}
        known = lease.epochs(store, prefix)
        for epoch, after in zip(known, [*known[1:], None], strict=True):
            for key, header in self._headers(epoch, after):
                for index, entry in enumerate(header.entries):
                    if blobs.issuperset(entry.blobs):
                        self._take(Piece(key, index, entry))

    def _headers(self, epoch: Epoch, after: Epoch | None) -> Iterator[tuple[str, ShipmentHeader]]:
        lane = layout.LANES[-1]
        sizes: list[tuple[str, int]] = []
        for item in self._store.list(layout.lane_prefix(self._prefix, epoch.number, lane)):
            if layout.number_of(item.key) != len(sizes):
                break  # behind a gap nothing counts
            sizes.append((item.key, item.size_bytes))
        del sizes[len(sizes) if after is None else after.ends.get(lane, 0) :]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(lambda item: (item[0], self._header(*item)), sizes)

    def _header(self, key: str, size: int) -> ShipmentHeader:
        data = self._store.get(key, 0, HEADER_GUESS) or b""
        if len(data) < (needed := header_size(data)):
            data = self._store.get(key, 0, needed) or b""
        header = decode_header(data)
        if size != needed + sum(entry.payload_bytes for entry in header.entries):
            raise SyncError(f"{self._store.url}: {key} has not the size that it tells of")
        return header

    def _take(self, piece: Piece) -> None:
        entry = piece.entry
        if entry.kind == "append":
            if entry.offset == 0:
                self._growing[entry.path] = []
            self._growing.setdefault(entry.path, []).append(piece)
            return
        pieces = self._growing.pop(entry.old, []) if entry.kind == "rename" else [piece]
        folder, _, name = entry.path.rpartition("/")
        if not _follow_each_other(pieces):
            return
        self._files[entry.path] = pieces
        # A part of which rows or digits were given up stands for nothing but itself.
        if not is_reduced(PurePosixPath(name)):
            self._segments.setdefault(folder, {}).update(
                dict.fromkeys(segments_in(name), entry.path)
            )

    def standing_for(self, name: str, path: Path) -> list[str]:
        """Stored files that together have all rows of a segment or part; none if they do not.

        Args:
            name: Its path below the run's folder.
            path: Where it lies here: where the store has the file itself, its bytes are compared.
        """
        folder, _, own = name.rpartition("/")
        there = self._segments.get(folder, {})
        found = {there.get(number, "") for number in segments_in(own)}
        if name not in self._files:
            # Parts were proven against the segments that they were made of.
            return [] if "" in found else sorted(found)
        with path.open("rb") as data:
            pieces = (piece.entry for piece in self._files[name])
            same = [hashlib.sha256(data.read(p.size)).hexdigest() == p.sha256 for p in pieces]
            return [name] if all(same) and not data.read(1) else []

    def fetch(self, path: str) -> bytes:
        """A stored file, as it was shipped.

        Raises:
            SyncError: What the store gives is not what was shipped, or it has no such file.
            UnreachableError: The store cannot be reached.
        """
        if path not in self._files:
            raise SyncError(f"{self._store.url} has no {path} any more")
        return b"".join(map(self._fetch, self._files[path]))

    def _fetch(self, piece: Piece) -> bytes | memoryview:
        entry = piece.entry
        keys = [layout.blob_key(self._prefix, digest) for digest in entry.blobs]
        data: bytes | memoryview
        if keys:
            data = b"".join(self._store.get(key) or b"" for key in keys)
        else:
            data = self._shipment(piece.key)[piece.index]
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise SyncError(
                f"{self._store.url}: the bytes of {entry.path} are not what was shipped"
            )
        return data

    def _shipment(self, key: str) -> Sequence[memoryview]:
        # Neighbours in a file lie in the same shipment, or in the next.
        if self._newest[0] != key:
            self._newest = key, decode(self._store.get(key) or b"")[1]
        return self._newest[1]


def _follow_each_other(pieces: Sequence[Piece]) -> bool:
    offsets = [piece.entry.offset for piece in pieces]
    ends = itertools.accumulate((piece.entry.size for piece in pieces), initial=0)
    return bool(pieces) and offsets == list(ends)[:-1]
