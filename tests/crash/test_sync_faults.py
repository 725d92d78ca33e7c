"""A run shipped through every fault of a network and of processes; an oracle looks on.

The oracle knows what lies in the run's folder. After each request that reached the store it may
make a mirror, and then there must be: no row that was not recorded, none twice, none behind a gap,
and no record whose model is missing. At the end, everything.

`TRACKWAY_FAULTS=1000` for as many random sequences.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.support.faulty_store import FaultyStore
from tests.support.memory_store import MemoryStore
from tests.support.streams import Bench

from trackway import files
from trackway.errors import FencedError, StreamError, SyncError, UnreachableError
from trackway.run import RunFolder
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader
from trackway.sync import adoption, changes, layout
from trackway.sync import shipper as shipping
from trackway.sync.acknowledged import acknowledged_file
from trackway.sync.mirror import Mirror, runs
from trackway.sync.returning import bring_back
from trackway.sync.sending import Sender
from trackway.sync.shipper import Shipper
from trackway.sync.takeover import take_over

pytestmark = pytest.mark.crash

SEQUENCES = int(os.environ.get("TRACKWAY_FAULTS", "10"))


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """In memory where there is room: what is tried here is no disk's matter."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < 1 << 30:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


class Oracle:
    """Looks at the store from another machine, whose clock and disk are its own."""

    def __init__(self, bench: Bench, store: MemoryStore, folder: Path) -> None:
        self._bench, self._store, self._folder = bench, store, folder
        self._mirror = Mirror(store, bench.run.name, folder)
        self._seen = 0

    def look(self, afresh: bool) -> None:
        mirror = Mirror(self._store, self._bench.run.name, self._folder) if afresh else self._mirror
        if self._bench.run.name not in runs(self._store):
            return  # not even its first epoch has been claimed
        mirror.poll()
        assert self.rows() >= self._seen, "rows are gone again"
        self._seen = self.rows()
        for record in mirror.path.glob("realtime_data/checkpoints/*.json"):
            model = mirror.path / "checkpoints" / f"{record.stem}.zip"
            assert model.exists(), "a record came before its model"
            assert model.read_bytes() == (self._bench.run / "checkpoints" / model.name).read_bytes()

    def rows(self) -> int:
        """How many rows are there, all of them as they were recorded."""
        there = self._folder / self._bench.run.name
        folder = self._bench.folder.path.relative_to(self._bench.run)
        try:
            found = Reader(type(self._bench.folder)(there / folder)).poll()
        except (StreamError, FileNotFoundError):
            return 0
        truth = self._bench.read()
        count = len(found)
        np.testing.assert_array_equal(found.rows, np.arange(count))
        for name, column in found.columns.items():
            np.testing.assert_array_equal(column, truth[name][:count])
        return count


def ship_through_faults(path: Path, seed: int) -> FaultyStore:
    """Record, ship, kill the shipper, lose the network; then let all of it arrive."""
    chance, looks = random.Random(seed), random.Random(f"looks {seed}")
    bench = Bench(path / "run", capacity=64, segment_rows=chance.choice([15, 40, 200]))
    store = MemoryStore()
    faulty = FaultyStore(store, seed)
    oracle = Oracle(bench, store, path / "there")
    shipper: Shipper | None = None
    for step in range(chance.randrange(8, 20)):
        faulty.share = chance.choice([0.05, 0.3, 0.6, 0.9])
        bench.commit(chance.randrange(1, 30))
        bench.step()
        if chance.random() < 0.3:
            stem = f"checkpoint_{step:03d}"
            files.publish(bench.run / "checkpoints" / f"{stem}.zip", chance.randbytes(1_100_000))
            files.publish(bench.run / "realtime_data/checkpoints" / f"{stem}.json", b"{}")
        if shipper is None:
            shipper = Shipper(RunFolder(bench.run), faulty, clock=bench.clock)
        for _ in range(chance.randrange(1, 12)):
            with contextlib.suppress(UnreachableError):
                shipper.ship(thorough=looks.random() < 0.3)
            if chance.random() < 0.5:
                oracle.look(afresh=chance.random() < 0.3)
        if chance.random() < 0.6:
            # As a kill: nothing is told to anybody, the lock goes with the process.
            shipper._lock.release()
            shipper = None
    if shipper is not None:
        shipper._lock.release()
    bench.finish()
    faulty.share = 0.0
    count = len(bench.read())
    if chance.random() < 0.3:
        compact_run(bench.run)  # segments go that were shipped, or half shipped, or not at all
    if chance.random() < 0.3:
        acknowledged_file(RunFolder(bench.run), store.url).unlink(missing_ok=True)
    last = Shipper(RunFolder(bench.run), faulty, clock=bench.clock)
    last.run(until_done=True)
    last.close()
    oracle.look(afresh=True)
    assert oracle.rows() == len(bench.read()) == count
    return faulty


def ship_many(path: Path, seeds: range) -> dict[str, int]:
    """Random sequences; the faults that they met."""
    faults: dict[str, int] = {}
    for seed in seeds:
        faulty = ship_through_faults(path / str(seed), seed)
        shutil.rmtree(path / str(seed))
        for name, count in faulty.faults.items():
            faults[name] = faults.get(name, 0) + count
    return faults


def test_nothing_is_lost_doubled_or_out_of_order_whatever_fails(folder):
    faults = ship_many(folder, range(SEQUENCES))

    assert set(faults) == {"refused", "lost answer", "sent twice"}


class Meanwhile(FaultyStore):
    """The store as the machine sees it that takes over, while the one before goes on at any moment."""

    def __init__(self, store: MemoryStore, seed: int, other: Callable[[], None]) -> None:
        super().__init__(store, seed, share=0.1)
        self._other, self._when = other, random.Random(f"meanwhile {seed}")
        self._turn = threading.Lock()  # who takes over asks for several things at once

    def _fault(self, *kinds: str) -> str | None:
        with self._turn:
            if self._when.random() < 0.1:
                self._other()
        return super()._fault(*kinds)


def take_over_through_faults(path: Path, seed: int) -> None:
    """One machine is cut off, wholly or in one direction, and another takes its run over."""
    chance = random.Random(seed)
    here = Bench(path / "here" / "run", capacity=256, segment_rows=chance.choice([15, 40, 200]))
    store = MemoryStore()
    line = FaultyStore(store, seed, share=0.0)
    zombie = Shipper(RunFolder(here.run), line, clock=here.clock)
    here.commit(chance.randrange(1, 30))
    here.step()
    zombie.ship()
    fenced: list[FencedError] = []

    def go_on() -> None:
        here.commit(chance.randrange(1, 4))
        here.step()
        try:
            if not fenced:
                zombie.ship()
        except UnreachableError:
            pass
        except FencedError as error:
            fenced.append(error)

    # It may be cut off in one direction only: what it sends arrives, and the answers get lost.
    line.share = chance.choice([0.0, 0.5, 0.9, 1.0])
    far = Meanwhile(store, seed + 1, go_on)
    while True:
        with contextlib.suppress(UnreachableError):
            run = take_over(far, "run", path / "there", here.clock).run
            bring_back(run, far)  # there is no checkpoint, so no step was needed to go on
            break
    taken = len(Reader(_same(here, run.path)).poll())
    there = Bench(run.path, capacity=256)
    heir = Shipper(run, far, clock=here.clock)
    for _ in range(chance.randrange(2, 6)):
        there.commit(chance.randrange(1, 20))
        there.step()
        with contextlib.suppress(UnreachableError):
            heir.ship()
    far.share = line.share = 0.0
    heir.run(until_done=True)
    go_on()
    here.clock.advance(2.0)
    go_on()

    assert fenced, "it goes on to ship"
    mirror = Mirror(store, "run", path / "mirror")
    mirror.poll()
    # Of the one before just what the other went on from, though it shipped and recorded more.
    before = Reader(_same(here, mirror.path)).poll()
    assert len(before) == taken <= len(here.read())
    np.testing.assert_array_equal(before["reward"], here.read()["reward"][:taken])
    after = Reader(_same(there, mirror.path)).poll()
    np.testing.assert_array_equal(after["reward"], there.read()["reward"])


def _same(bench: Bench, run: Path) -> StreamFolder:
    """The stream of a bench in another folder of the run."""
    return StreamFolder(run / bench.folder.path.relative_to(bench.run))


def test_a_machine_that_is_cut_off_and_the_one_that_takes_over_never_both_count(folder):
    for seed in range(max(6, SEQUENCES)):
        take_over_through_faults(folder / str(seed), seed)
        shutil.rmtree(folder / str(seed))


# The shipper broken on purpose, each way a slip of the pen: what looks on must notice.
def _acknowledge_first(monkeypatch):
    def broken(self):
        parcel = self._parcel
        if parcel is not None:
            self._acknowledge(parcel.lane, parcel.number, parcel.changes)
            self._parcel = None
            self._begun().send(parcel)

    monkeypatch.setattr(Shipper, "_finish_parcel", broken)


def _overwrite(monkeypatch):
    def broken(self, parcel):
        number = parcel.number
        key = layout.shipment_key(self._prefix, self._epoch.number, parcel.lane, number)
        self._store.put(key, parcel.data)

    # A shipment that the note does not know, since a kill came between, is written over.
    monkeypatch.setattr(Sender, "send", broken)
    monkeypatch.setattr(adoption, "headers", lambda *args: iter(()))


def _no_comparison(monkeypatch):
    def broken(self, parcel):
        key = layout.shipment_key(self._prefix, self._epoch.number, parcel.lane, parcel.number)
        self._store.create(key, parcel.data)

    monkeypatch.setattr(Sender, "send", broken)
    monkeypatch.setattr(adoption, "headers", lambda *args: iter(()))


def _reversed_order(monkeypatch):
    rank = changes._rank
    monkeypatch.setattr(changes, "_rank", lambda change: (not rank(change)[0], rank(change)[1]))
    monkeypatch.setattr(shipping, "_LIVE_BYTES", 1)


@pytest.mark.parametrize(
    "mutant", [_acknowledge_first, _overwrite, _no_comparison, _reversed_order]
)
def test_a_broken_shipper_is_noticed(folder, monkeypatch, mutant):
    mutant(monkeypatch)

    with pytest.raises((AssertionError, SyncError)):
        ship_many(folder, range(8, 100))  # the eighth catches the rarest of them
