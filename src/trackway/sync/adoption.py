"""What a store has already, read back from it: after a restart, and by whoever takes over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from trackway.errors import SyncError
from trackway.format.shipment import HEADER_GUESS, Entry, ShipmentHeader, decode_header, header_size
from trackway.storage.file_names import segments_in
from trackway.sync import layout
from trackway.sync.changes import Change, Shipped
from trackway.sync.lease import Epoch
from trackway.sync.store import Store

_AT_ONCE: Final = 16


def adopt(
    run: Path, store: Store, prefix: str, known: Sequence[Epoch], shipped: Shipped, from_start: bool
) -> None:
    """Complete `shipped` with shipments that this folder does not know to be stored.

    Args:
        run: The run's folder.
        store: Where it is shipped.
        prefix: Of the run's rank in it.
        known: Every epoch, oldest first; the last one is this writer's.
        shipped: What is known; its counts are those of the last epoch.
        from_start: Whether earlier epochs are read too.

    Raises:
        SyncError: The store holds other bytes than this folder: one of the two is a copy that went
            its own way.
    """
    for index, epoch in enumerate(known):
        last = index == len(known) - 1
        if not last and not from_start:
            continue
        ends = None if last else known[index + 1].ends
        for lane in layout.LANES:
            first = shipped.counts.get(lane, 0) if last else 0
            end = None if ends is None else ends.get(lane, 0)
            for header in headers(store, prefix, epoch.number, lane, first, end):
                for entry in header.entries:
                    _adopt_entry(run, entry, shipped)
                if last:
                    shipped.counts[lane] = header.number + 1


def headers(
    store: Store, prefix: str, epoch: int, lane: str, first: int, end: int | None
) -> Iterator[ShipmentHeader]:
    """The headers of a lane's shipments from `first` on, up to `end` or the first gap.

    At first one is asked for, then ever more at once as long as they are there.
    """
    number, asked = first, 1
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while end is None or number < end:
            numbers = range(number, number + asked if end is None else min(number + asked, end))
            keys = [layout.shipment_key(prefix, epoch, lane, each) for each in numbers]
            for header in pool.map(partial(_header, store), keys):
                if header is None:
                    return
                yield header
            number, asked = numbers.stop, min(2 * asked, _AT_ONCE)


def _header(store: Store, key: str) -> ShipmentHeader | None:
    data = store.get(key, 0, HEADER_GUESS)
    if data is None:
        return None
    if len(data) < (size := header_size(data)):
        data = store.get(key, 0, size) or b""
    return decode_header(data)


def _adopt_entry(run: Path, entry: Entry, shipped: Shipped) -> None:
    path = run / entry.path
    if entry.kind == "rename":
        shipped.grown.pop(entry.old, None)
        shipped.files.pop(entry.old, None)
        _adopt_whole(path, entry, shipped)
    elif entry.kind == "file":
        if not path.exists() or _digest(path, 0, entry.size) == entry.sha256:
            _adopt_whole(path, entry, shipped)
    else:
        shipped.grown[entry.path] = entry.offset + entry.size
        grown = path if path.exists() else path.with_suffix(".seg")
        there = _digest(grown, entry.offset, entry.size)
        # Shorter than what was shipped: a power cut took what had not been synced yet.
        if there is not None and there != entry.sha256:
            raise SyncError(
                f"the store holds other bytes of {entry.path} than this folder: one of them is a "
                "copy that went its own way. Rename the run's folder to ship it as a run of its own"
            )


def _adopt_whole(path: Path, entry: Entry, shipped: Shipped) -> None:
    if path.exists():
        stat = path.stat()
        shipped.take(Change(entry.path, 0, stat.st_size, mtime_ns=stat.st_mtime_ns))
    elif segments_in(path.name):
        shipped.take(Change(entry.path, 0, 0))  # it has become part of another file since


def _digest(path: Path, start: int, size: int) -> str | None:
    """Of the bytes from `start` on; None where there are fewer."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(size)
    except FileNotFoundError:
        return None
    return hashlib.sha256(data).hexdigest() if len(data) == size else None
