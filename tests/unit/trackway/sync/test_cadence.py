"""How often is shipped, and how much at a time."""

from __future__ import annotations

import os

import pytest
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.streams import Bench

from trackway import files
from trackway.errors import UnreachableError
from trackway.run import RunFolder
from trackway.sync import cost, layout
from trackway.sync.shipper import Shipper

PREFIX = layout.rank_prefix("run", 0)


class Training(FakeClock):
    """Records a row a second while the shipper sleeps, and is over after a while.

    Attributes:
        watched_s: From when to when a watcher says every four seconds that it is there.
    """

    def __init__(self, bench: Bench, store: MemoryStore, lasts_s: float) -> None:
        super().__init__(0.0)
        self._bench, self._store, self._lasts_s = bench, store, lasts_s
        self._recorded_s = self._said_s = 0.0
        self.watched_s = range(0)
        self._lock = files.lock(RunFolder(bench.run).lock)

    def sleep_s(self, duration_s):
        super().sleep_s(max(duration_s, 1e-4))  # as the shortest sleep takes
        if self.now_s - self._recorded_s >= 1.0:
            self._recorded_s = self.now_s
            self._bench.commit(1)
            self._bench.step()
        if int(self.now_s) in self.watched_s and self.now_s - self._said_s >= 4.0:
            self._said_s = self.now_s
            self._store.put(layout.watched_key(PREFIX), os.urandom(8))
        if self.now_s >= self._lasts_s:
            self._lock.release()


class Timed(MemoryStore):
    """Notes when how many bytes came, and refuses all for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.clock: FakeClock | None = None
        self.came: list[tuple[float, str, int]] = []
        self.tried: list[float] = []
        self.away_s = range(0)

    def create(self, key, data):
        if "/e0" in key or "/blobs/" in key:
            self.tried.append(self.clock.now_s)
            if int(self.clock.now_s) in self.away_s:
                raise UnreachableError("there is no network")
            self.came.append((self.clock.now_s, key, len(data)))
        return super().create(key, data)

    def between(self, begin_s: float, end_s: float) -> int:
        """Shipments of steps."""
        return sum(begin_s <= at_s < end_s and "/steps/" in key for at_s, key, _ in self.came)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "run", capacity=64)


@pytest.fixture
def store():
    return Timed()


def ship(bench, store, lasts_s, watched_s=range(0), **options):
    store.clock = clock = Training(bench, store, lasts_s)
    clock.watched_s = watched_s
    process = Shipper(RunFolder(bench.run), store, clock=clock, **options)
    process.run()
    process.close()


def test_it_hurries_while_somebody_watches_and_rests_while_nobody_does(bench, store):
    ship(bench, store, 240.0, watched_s=range(90, 120))

    assert 2 <= store.between(1, 90) <= 3
    # It looks every five seconds whether somebody watches: from then on every row goes at once.
    assert store.between(95, 120) >= 24
    # Twenty seconds after the last word of a watcher it has forgotten it.
    assert store.between(145, 235) <= 3


@pytest.mark.parametrize("watched", [False, True])
def test_what_a_day_costs_is_what_is_asked_for(bench, watched):
    class Counting(Timed):
        gets = 0

        def get(self, key, start=0, end=None):
            self.gets += 1
            return super().get(key, start, end)

    store = Counting()
    ship(bench, store, 300.0, watched_s=range(300 * watched))
    day = cost.requests_per_day(float(watched))

    # Here a row comes once a second, and there is nothing but steps.
    puts = min(day.puts / 2 / cost.DAY_S, 1.0) * 300
    assert store.between(0, 300) == pytest.approx(puts, rel=0.1, abs=1)
    assert store.gets == pytest.approx(day.gets / cost.DAY_S * 300, rel=0.1, abs=12)


def test_whoever_likes_has_it_ship_every_second_watched_or_not(bench, store):
    ship(bench, store, 30.0, idle_s=1.0)

    assert store.between(1, 29) >= 26


def test_a_network_that_is_away_is_tried_ever_less_often_and_again_at_last(bench, store):
    store.away_s = range(10, 200)
    ship(bench, store, 260.0, idle_s=1.0)

    tries = [at_s for at_s in store.tried if int(at_s) in store.away_s]
    assert 6 <= len(tries) <= 16
    assert store.between(200, 232) > 0
    assert store.between(235, 255) >= 18


def test_a_line_that_takes_little_is_given_little_at_once(bench, store):
    class Slow(Timed):
        def create(self, key, data):
            self.clock.now_s += len(data) / 0.2e6
            return super().create(key, data)

    store = Slow()
    for number in range(40):
        name = f"realtime_data/episodes/episodes_{number}.json"
        files.publish(bench.run / name, os.urandom(1 << 20))
    ship(bench, store, 400.0, idle_s=1.0)

    largest = [size for _, key, size in store.came if "/live/" in key]
    assert max(largest[1:]) < 3 << 20 < 5 << 20 < largest[0]
    assert sum(largest) > 40 << 20


def test_a_cap_on_the_line_is_kept_within_a_large_file_as_well(bench, store):
    files.publish(bench.run / "checkpoints" / "checkpoint_1.zip", os.urandom(36 << 20))
    cap = 2e6

    ship(bench, store, 5.0, bytes_per_s=cap)

    began_s, sent, largest = store.came[0][0], 0, 8 << 20
    for at_s, _, count in store.came:
        assert sent <= cap * (at_s - began_s) + largest
        sent += count
    assert sent > 36 << 20
