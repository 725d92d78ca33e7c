"""Who may ship into a run: whoever created its newest epoch.

An epoch is claimed by creating the next one's object, which one of several claimers achieves; no
clock takes part. The object says where each lane of the epoch before ended when it was claimed.
What its writer ships after that lies beyond the end: kept, and told of as a branch of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson

from trackway.clock import Clock
from trackway.errors import FencedError, SyncError
from trackway.sync import layout
from trackway.sync.store import Store

_AT_ONCE = 16


@dataclass(frozen=True)
class Epoch:
    """A stretch of a run's shipments by one writer.

    Attributes:
        ends: Where each lane of the epoch before ends: the number of its shipments that count.
    """

    number: int
    writer: str
    host: str
    created_unix: float
    ends: Mapping[str, int] = field(default_factory=dict)


def epochs(store: Store, prefix: str) -> list[Epoch]:
    """Every epoch of a writer's place, oldest first."""
    keys = [item.key for item in store.list(layout.epochs_prefix(prefix))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda key: _read(store, key), filter(layout.epoch_of, keys)))


def claim(store: Store, prefix: str, writer: str, clock: Clock) -> Epoch:
    """Take the run over: from now on nobody else's shipments count.

    Raises:
        FencedError: Another claimer was faster.
    """
    known = epochs(store, prefix)
    last = known[-1] if known else None
    claimed = Epoch(
        number=last.number + 1 if last else 1,
        writer=writer,
        host=socket.gethostname(),
        created_unix=clock.unix_s(),
        ends=_ends(store, prefix, last.number) if last else {},
    )
    key = layout.epoch_key(prefix, claimed.number)
    data = orjson.dumps({"format": "trackway-epoch", "version": 1, **vars(claimed)})
    # A request whose answer got lost finds its own object when it is repeated.
    if store.create(key, data) or store.get(key) == data:
        return claimed
    raise FencedError(f"{_read(store, key).host} took this run over in the same moment")


def hold(store: Store, prefix: str, writer: str, clock: Clock) -> Epoch:
    """The epoch in which `writer` ships: its own, or the first of all.

    Raises:
        FencedError: Another writer holds the run.
    """
    known = epochs(store, prefix)
    if not known:
        return claim(store, prefix, writer, clock)
    check_mine(known[-1], writer)
    return known[-1]


def check_mine(newest: Epoch, writer: str) -> None:
    """Look whether the newest epoch is this writer's.

    Raises:
        FencedError: It is not.
    """
    if newest.writer != writer:
        raise _fenced(newest)


def check_held(store: Store, prefix: str, epoch: Epoch) -> None:
    """Look whether the epoch is still the newest.

    Raises:
        FencedError: It is not.
    """
    following = layout.epoch_key(prefix, epoch.number + 1)
    if store.get(following) is not None:
        raise _fenced(_read(store, following))


def end(store: Store, prefix: str, epoch: int, lane: str) -> int:
    """How many shipments a lane has, counted up to the first gap."""
    count = 0
    for item in store.list(layout.lane_prefix(prefix, epoch, lane)):
        number = layout.number_of(item.key)
        if number is None:
            continue
        if number != count:
            break
        count += 1
    return count


def _ends(store: Store, prefix: str, epoch: int) -> dict[str, int]:
    with ThreadPoolExecutor(len(layout.LANES)) as pool:
        counts = pool.map(lambda lane: end(store, prefix, epoch, lane), layout.LANES)
        return dict(zip(layout.LANES, counts, strict=True))


def _fenced(by: Epoch) -> FencedError:
    return FencedError(
        f"{by.host} has taken this run over; what is recorded here from now on stays here, a branch "
        "of its own"
    )


def _read(store: Store, key: str) -> Epoch:
    data = store.get(key)
    told: dict[str, Any] = orjson.loads(data) if data else {}
    if told.get("format") != "trackway-epoch":
        raise SyncError(f"{store.url}: {key} is not an epoch of a run")
    if told["version"] > 1:
        raise SyncError(f"{store.url}: {key} was written by a later Trackway: update this one")
    return Epoch(
        told["number"], told["writer"], told["host"], told["created_unix"], told.get("ends", {})
    )
