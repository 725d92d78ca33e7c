"""What follows a store: many runs and writers, damage, a cache that is bounded."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest
from tests.support.programs import wait_for
from tests.support.shipping import mirror, record, shipped, shipper, values
from tests.support.streams import Bench

from trackway import files
from trackway.errors import StreamError, SyncError
from trackway.storage.places import attempts
from trackway.storage.reader import Reader
from trackway.sync import layout, lease
from trackway.sync.follower import Follower


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_a_store_cannot_make_a_mirror_write_elsewhere(bench, store, tmp_path, path):
    from trackway.format.shipment import Entry, ShipmentHeader, encode

    record(bench, 10)
    shipped(bench, store)
    prefix = layout.rank_prefix("달리기 1", 0)
    count = lease.end(store, prefix, 1, "live")
    header = ShipmentHeader(
        "w", "s", 1, "live", count, 0.0, (Entry(path, "file", size=1, sha256="x"),)
    )
    store.create(layout.shipment_key(prefix, 1, "live", count), encode(header, [b"x"]))

    with pytest.raises(SyncError, match="no file of a run"):
        mirror(store, tmp_path)


def test_days_without_a_network_bring_the_live_view_back_first(bench, store, tmp_path):
    files.publish(bench.folder.attempt.path / "updates" / "000000.seg", os.urandom(100))
    for number in range(6):
        name = f"{number:06d}.seg"
        files.publish(bench.folder.attempt.path / "joints" / name, os.urandom(9 << 20))
    process = shipper(bench, store)
    process.ship()
    process.close()

    there = mirror(store, tmp_path)

    attempt = there.path / bench.folder.attempt.path.relative_to(bench.run)
    assert (attempt / "updates" / "000000.seg").exists()
    assert len(list((attempt / "joints").glob("*.seg"))) < 6


def test_several_writers_of_one_run_appear_as_one_run(bench, store, tmp_path):
    other = Bench(tmp_path / "elsewhere" / bench.run.name, capacity=64)
    record(bench, 20)
    record(other, 30)
    files.publish(bench.run / "realtime_data/episodes/episodes_1.json", b"[0]")
    files.publish(other.run / "realtime_data/episodes/episodes_1.json", b"[1]")
    shipped(bench, store)
    second = shipper(other, store, rank=1)
    second.run(until_done=True)
    second.close()

    follower = Follower(store, tmp_path / "there")
    follower.catch_up()

    there = tmp_path / "there" / bench.run.name
    rows = [len(Reader(a.stream("steps")).poll()) for a in attempts(there)]
    assert sorted(rows) == [20, 30]
    assert (there / "realtime_data/episodes/episodes_1.json").read_bytes() == b"[0]"
    assert (there / "ranks/1/realtime_data/episodes/episodes_1.json").read_bytes() == b"[1]"


def test_a_run_that_is_damaged_in_the_store_keeps_no_other_from_growing(bench, store, tmp_path):
    other = Bench(tmp_path / "here" / "other", capacity=64)
    shippers = [shipper(which, store) for which in (bench, other)]
    for which, process in zip((bench, other), shippers, strict=True):
        record(which, 20)
        process.ship()
    (shipment,) = store._path.glob("runs/other/0/e000001/steps/*")
    shipment.write_bytes(b"nonsense")
    Follower(store, tmp_path / "asked").catch_up()
    assert len(values(tmp_path / "asked" / bench.run.name)) == 20
    stop, follower = threading.Event(), Follower(store, tmp_path / "there")
    thread = threading.Thread(target=follower.follow, args=(stop,))
    thread.start()

    def arrived() -> int:
        with contextlib.suppress(StreamError, FileNotFoundError):  # nothing yet
            return len(values(tmp_path / "there" / bench.run.name))
        return 0

    for rows in (20, 30, 40):
        wait_for(lambda rows=rows: arrived() == rows)
        record(bench, 10)
        shippers[0].ship()
    stop.set()
    thread.join()
    for process in shippers:
        process.close()


def test_a_cache_that_is_full_lets_the_steps_of_the_oldest_go_first(bench, store, tmp_path):
    record(bench, 60)
    files.publish(bench.run / "realtime_data/episodes/episodes_1.json", b"[0]")
    shipped(bench, store)

    follower = Follower(store, tmp_path / "there", cache_bytes=4000)
    follower.catch_up()
    follower.catch_up()

    there = tmp_path / "there" / bench.run.name
    assert (there / "realtime_data/episodes/episodes_1.json").exists()
    assert not list(there.rglob("*.seg"))
    assert not list(there.rglob("*.open"))
