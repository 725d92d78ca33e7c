"""Changes made into shipments and blobs, and sent: once each, whatever the network does."""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from trackway.clock import Clock
from trackway.errors import FencedError, FormatError, SyncError
from trackway.format.shipment import Entry, ShipmentHeader, decode_header, encode, encode_header
from trackway.sync import layout
from trackway.sync.buffer import Buffer
from trackway.sync.cadence import Bandwidth
from trackway.sync.changes import Change
from trackway.sync.lease import Epoch
from trackway.sync.store import Store

# Larger files travel in pieces of their own, so that a broken line costs one piece. Smaller ones share a
# shipment: every object is a request that is paid for.
INLINE_BYTES = 4 << 20
PIECE_BYTES = 8 << 20
# No shipment is larger than what a line has lately taken in this time: what is urgent waits behind it.
_WITHIN_S = 10.0
_LEAST_BYTES = 1 << 20
# A header of some hundred entries is put right before its payload; a longer one is joined with it.
_HEADER_ROOM = 1 << 16


@dataclass(frozen=True)
class Parcel:
    """A shipment ready to go.

    Attributes:
        changes: What it ships.
        data: Its bytes, valid until the next is packed. Sent again, they are the same bytes.
    """

    lane: str
    number: int
    changes: list[Change]
    data: bytes | memoryview


class Sender:
    """Sends one run's shipments within one epoch.

    Attributes:
        sent_bytes: Bytes handed to the store so far.
        requests: Requests that cost as much as a PUT.
    """

    def __init__(
        self,
        run: Path,
        store: Store,
        prefix: str,
        epoch: Epoch,
        session: str,
        bandwidth: Bandwidth,
        clock: Clock,
    ) -> None:
        self._run, self._store, self._prefix, self._clock = run, store, prefix, clock
        self._epoch, self._session, self._bandwidth = epoch, session, bandwidth
        self._parcel, self._piece = Buffer(), Buffer()
        self._line_bytes_per_s = math.inf
        self.sent_bytes = self.requests = 0

    def at_once(self, most_bytes: int) -> int:
        """How much to ship at once: no more than `most_bytes`, nor than the line takes in some seconds."""
        return int(min(most_bytes, max(_LEAST_BYTES, _WITHIN_S * self._line_bytes_per_s)))

    def pack(self, lane: str, number: int, changes: list[Change], most_bytes: int) -> Parcel | None:
        """As many of the changes as fit, with their bytes; blobs are sent on the way.

        Returns:
            None where nothing is left of them: files that went or changed meanwhile.

        Raises:
            UnreachableError: The store cannot be reached; nothing has been acknowledged.
        """
        entries: list[Entry] = []
        taken: list[Change] = []
        room = most_bytes
        largest = max((c.end - c.start for c in changes if _is_inline(c)), default=0)
        parcel = self._parcel.room(_HEADER_ROOM + max(most_bytes, largest))
        end = _HEADER_ROOM
        for change in changes:
            if taken and change.end - change.start > room:
                break
            try:
                with (self._run / change.source).open("rb") as file:
                    packed = self._pack(change, file, parcel[end:])
            except FileNotFoundError:
                continue  # the next look finds it under its new name
            if packed is None:
                continue
            entries += packed
            end += sum(entry.payload_bytes for entry in packed)
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
        head = encode_header(header)
        begin = _HEADER_ROOM - len(head)
        if begin < 0:
            return Parcel(lane, number, taken, encode(header, [parcel[_HEADER_ROOM:end]]))
        parcel[begin:_HEADER_ROOM] = head
        return Parcel(lane, number, taken, parcel[begin:end])

    def send(self, parcel: Parcel) -> None:
        """Store a shipment under its number; returns once the store has it.

        Raises:
            UnreachableError: Perhaps it has it, perhaps not: send the same parcel again.
            SyncError: Another process ships this run under the same identity.
        """
        key = layout.shipment_key(self._prefix, self._epoch.number, parcel.lane, parcel.number)
        if not self._create(key, parcel.data, self._parcel):
            there = self._store.get(key)
            # The answer to an earlier try was lost; its object was not.
            if there != parcel.data:
                raise self._conflict(key, there)

    def _pack(
        self, change: Change, file: BufferedReader, payload: memoryview
    ) -> list[Entry] | None:
        """The entries of a change, its bytes at the beginning of `payload`; None: they are not there."""
        size = change.end - change.start
        stat = os.fstat(file.fileno())
        if not change.grows and (stat.st_size, stat.st_mtime_ns) != (change.end, change.mtime_ns):
            return None  # another file took the name: the next look finds it
        file.seek(change.start)
        if _is_inline(change):
            data = payload[:size]
            if file.readinto(data) < size:
                return None
            digest = hashlib.sha256(data).hexdigest()
            if not change.grows:
                return [Entry(change.path, "file", size=size, sha256=digest)]
            packed = []
            if size:
                packed.append(Entry(change.path, "append", change.start, size, digest))
            if change.renamed:
                packed.append(Entry(change.renamed, "rename", old=change.path))
            return packed
        whole, blobs = hashlib.sha256(), []
        alone = size <= PIECE_BYTES
        for start in range(0, size, PIECE_BYTES):
            piece = self._piece.room(min(PIECE_BYTES, size - start))
            if file.readinto(piece) < len(piece):
                return None
            whole.update(piece)
            # Of a file in one piece the two digests are one.
            blobs.append((whole if alone else hashlib.sha256(piece)).hexdigest())
            self._send_blob(blobs[-1], piece)
        digest = whole.hexdigest()
        return [Entry(change.path, "file", size=size, sha256=digest, blobs=tuple(blobs))]

    def _send_blob(self, digest: str, piece: memoryview) -> None:
        # Named by its content: where the key is taken, this very piece stands there.
        self._create(layout.blob_key(self._prefix, digest), piece, self._piece)

    def _create(self, key: str, data: bytes | memoryview, buffer: Buffer) -> bool:
        self.requests += 1
        began_s = self._clock.monotonic_s()
        try:
            created = self._store.create(key, data)
        except BaseException:
            # A request that was given up may still be on its way with these bytes.
            buffer.abandon()
            raise
        finally:
            if len(data) >= _LEAST_BYTES:
                lasted_s = self._clock.monotonic_s() - began_s
                self._line_bytes_per_s = len(data) / max(lasted_s, 1e-9)
        self.sent_bytes += len(data)
        self._bandwidth.spend(len(data))
        return created

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


def _is_inline(change: Change) -> bool:
    """Whether its bytes travel in the shipment itself."""
    return change.grows or change.end - change.start <= INLINE_BYTES
