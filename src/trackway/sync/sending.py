"""Changes made into shipments and blobs, and sent: once each, whatever the network does."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trackway.clock import Clock
from trackway.errors import FencedError, FormatError, SyncError
from trackway.format.shipment import Entry, ShipmentHeader, decode_header, encode
from trackway.sync import layout
from trackway.sync.changes import Change
from trackway.sync.lease import Epoch
from trackway.sync.store import Store

# Larger files travel in pieces of their own, so that a broken line costs one piece.
INLINE_BYTES = 1 << 20
PIECE_BYTES = 8 << 20


@dataclass(frozen=True)
class Parcel:
    """A shipment ready to go.

    Attributes:
        changes: What it ships.
        data: Its bytes. Sent again, they are the same bytes.
    """

    lane: str
    number: int
    changes: list[Change]
    data: bytes


class Sender:
    """Sends one run's shipments within one epoch.

    Attributes:
        sent_bytes: Bytes handed to the store so far.
        requests: Requests that cost as much as a PUT.
    """

    def __init__(
        self, run: Path, store: Store, prefix: str, epoch: Epoch, session: str, clock: Clock
    ) -> None:
        self._run, self._store, self._prefix, self._clock = run, store, prefix, clock
        self._epoch, self._session = epoch, session
        self.sent_bytes = self.requests = 0

    def pack(self, lane: str, number: int, changes: list[Change], most_bytes: int) -> Parcel | None:
        """As many of the changes as fit, with their bytes; blobs are sent on the way.

        Returns:
            None where nothing is left of them: files that went or changed meanwhile.

        Raises:
            UnreachableError: The store cannot be reached; nothing has been acknowledged.
        """
        entries: list[Entry] = []
        payload: list[bytes] = []
        taken: list[Change] = []
        room = most_bytes
        for change in changes:
            if taken and change.end - change.start > room:
                break
            try:
                with (self._run / change.source).open("rb") as file:
                    packed = self._pack(change, file)
            except FileNotFoundError:
                continue  # the next look finds it under its new name
            if packed is None:
                continue
            for entry, data in packed:
                entries.append(entry)
                payload.append(data)
            taken.append(change)
            room -= change.end - change.start
        if not taken:
            return None
        header = ShipmentHeader(
            writer=self._epoch.writer,
            session=self._session,
            epoch=self._epoch.number,
            lane=lane,
            number=number,
            created_unix=self._clock.unix_s(),
            entries=tuple(entries),
        )
        return Parcel(lane, number, taken, encode(header, payload))

    def send(self, parcel: Parcel) -> None:
        """Store a shipment under its number; returns once the store has it.

        Raises:
            UnreachableError: Perhaps it has it, perhaps not: send the same parcel again.
            SyncError: Another process ships this run under the same identity.
        """
        key = layout.shipment_key(self._prefix, self._epoch.number, parcel.lane, parcel.number)
        self.requests += 1
        if not self._store.create(key, parcel.data):
            there = self._store.get(key)
            # The answer to an earlier try was lost; its object was not.
            if there != parcel.data:
                raise self._conflict(key, there)
        self.sent_bytes += len(parcel.data)

    def _pack(self, change: Change, file: BinaryIO) -> list[tuple[Entry, bytes]] | None:
        size = change.end - change.start
        stat = os.fstat(file.fileno())
        if not change.grows and (stat.st_size, stat.st_mtime_ns) != (change.end, change.mtime_ns):
            return None  # another file took the name: the next look finds it
        file.seek(change.start)
        if size <= INLINE_BYTES or change.grows:
            data = file.read(size)
            if len(data) < size:
                return None
            digest = hashlib.sha256(data).hexdigest()
            if not change.grows:
                return [(Entry(change.path, "file", size=size, sha256=digest), data)]
            packed = []
            if size:
                entry = Entry(change.path, "append", change.start, size, digest)
                packed.append((entry, data))
            if change.renamed:
                packed.append((Entry(change.renamed, "rename", old=change.path), b""))
            return packed
        whole, blobs = hashlib.sha256(), []
        for start in range(0, size, PIECE_BYTES):
            piece = file.read(min(PIECE_BYTES, size - start))
            if len(piece) < min(PIECE_BYTES, size - start):
                return None
            whole.update(piece)
            blobs.append(hashlib.sha256(piece).hexdigest())
            self._send_blob(blobs[-1], piece)
        entry = Entry(change.path, "file", size=size, sha256=whole.hexdigest(), blobs=tuple(blobs))
        return [(entry, b"")]

    def _send_blob(self, digest: str, piece: bytes) -> None:
        # Named by its content: where the key is taken, this very piece stands there.
        self.requests += 1
        self._store.create(layout.blob_key(self._prefix, digest), piece)
        self.sent_bytes += len(piece)

    def _conflict(self, key: str, there: bytes | None) -> SyncError:
        try:
            header = decode_header(there or b"")
        except FormatError as error:
            return SyncError(f"{self._store.url}: {key} is damaged: {error}")
        if header.writer != self._epoch.writer:
            return FencedError(f"{self._store.url}: another writer has used {key}")
        return SyncError(
            f"another process ships this run to {self._store.url} under the same identity, perhaps "
            "from a copy of this folder: stop one of the two, then start this one again"
        )
