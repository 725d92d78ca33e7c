"""A run shipped into a store and made again from it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from tests.support.clock import FakeClock
from tests.support.memory_store import MemoryStore
from tests.support.programs import trackway_command, wait_for
from tests.support.streams import Bench

from trackway import files
from trackway.errors import FencedError, StreamError, SyncError, UnreachableError
from trackway.format.shipment import decode
from trackway.run import RunFolder, new_manifest, write_manifest
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import attempts
from trackway.storage.reader import Reader, read
from trackway.sync import layout, lease
from trackway.sync.acknowledged import acknowledged_file
from trackway.sync.changes import Scanner, Shipped
from trackway.sync.folder_store import FolderStore
from trackway.sync.follower import Follower
from trackway.sync.mirror import Mirror, runs
from trackway.sync.shipper import Shipper


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "here" / "달리기 1", capacity=64, segment_rows=40)


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


def shipper(bench, store, **options) -> Shipper:
    return Shipper(RunFolder(bench.run), store, clock=bench.clock, **options)


def shipped(bench, store) -> None:
    """Everything there is, by a process that comes and goes."""
    process = shipper(bench, store)
    process.run(until_done=True)
    process.close()


def mirror(store, tmp_path, run="달리기 1") -> Mirror:
    there = Mirror(store, run, tmp_path / "there")
    there.poll()
    return there


def values(run) -> np.ndarray:
    return read(run, "steps")["reward"]


def record(bench, count) -> None:
    for _ in range(0, count, 10):
        bench.commit(10)
        bench.step()


def test_what_was_recorded_here_is_read_there(bench, store, tmp_path):
    record(bench, 100)
    files.publish(bench.run / "realtime_data/episodes/episodes_1.json", b"[1]")
    files.publish(bench.run / "checkpoints/checkpoint_1.zip", os.urandom(3 << 20))

    shipped(bench, store)
    there = mirror(store, tmp_path)

    assert runs(store) == ["달리기 1"]
    assert np.array_equal(values(there.path), bench.read()["reward"])
    for name in ("realtime_data/episodes/episodes_1.json", "checkpoints/checkpoint_1.zip"):
        assert (there.path / name).read_bytes() == (bench.run / name).read_bytes()


def test_a_segment_goes_on_growing_there_and_is_sealed_as_it_is_here(bench, store, tmp_path):
    seen = []
    there = None
    for _ in range(12):
        record(bench, 10)
        shipped(bench, store)
        there = there or mirror(store, tmp_path)
        there.poll()
        seen.append(len(values(there.path)))

    assert seen == list(range(10, 121, 10))
    here = sorted(path.name for path in bench.folder.path.glob("*.seg"))
    copies = there.path / bench.folder.path.relative_to(bench.run)
    assert sorted(path.name for path in copies.glob("*.seg")) == here
    assert here
    for name in here:
        assert (copies / name).read_bytes() == (bench.folder.path / name).read_bytes()


def test_nothing_is_shipped_twice_by_the_next_process(bench, store):
    record(bench, 50)
    shipped(bench, store)
    before = [item.key for item in store.list("runs/")]

    shipped(bench, store)

    assert [item.key for item in store.list("runs/")] == before


def test_a_part_of_segments_that_the_store_has_is_not_shipped_as_well(bench, store, tmp_path):
    record(bench, 200)
    bench.finish()
    shipped(bench, store)
    before = [item.key for item in store.list("runs/")]
    truth = bench.read()
    (made,) = compact_run(bench.run)
    assert not list(bench.folder.path.glob("*.seg"))

    shipped(bench, store)
    acknowledged_file(RunFolder(bench.run), store.url).unlink()
    shipped(bench, store)

    assert [item.key for item in store.list("runs/")] == before
    there = mirror(store, tmp_path)
    assert np.array_equal(values(there.path), truth["reward"])
    assert made.rows == len(truth)


def test_a_part_of_segments_that_never_arrived_is_shipped(bench, store, tmp_path):
    record(bench, 60)
    shipped(bench, store)  # a sealed segment, and half of the next
    record(bench, 100)
    bench.finish()
    compact_run(bench.run)

    shipped(bench, store)

    there = mirror(store, tmp_path)
    assert np.array_equal(values(there.path), bench.read()["reward"])
    copies = there.path / bench.folder.path.relative_to(bench.run)
    assert [path.name for path in copies.glob("*.parquet")] == [
        path.name for path in bench.folder.path.glob("*.parquet")
    ]


def test_without_its_notes_it_learns_from_the_store_what_it_has_shipped(bench, store, tmp_path):
    record(bench, 50)
    shipped(bench, store)
    before = [item.key for item in store.list("runs/")]
    acknowledged_file(RunFolder(bench.run), store.url).unlink()
    shipped(bench, store)
    assert [item.key for item in store.list("runs/")] == before

    record(bench, 10)
    shipped(bench, store)

    assert np.array_equal(values(mirror(store, tmp_path).path), bench.read()["reward"])


def test_a_torn_note_is_completed_from_the_store(bench, store, tmp_path):
    record(bench, 50)
    shipped(bench, store)
    before = [item.key for item in store.list("runs/")]
    note = acknowledged_file(RunFolder(bench.run), store.url)
    note.write_bytes(note.read_bytes()[:150])

    shipped(bench, store)

    assert [item.key for item in store.list("runs/")] == before


def test_whoever_is_far_behind_asks_for_many_small_shipments_at_once(bench, tmp_path):
    class Counting(MemoryStore):
        now = most = 0

        def get(self, key, start=0, end=None):
            self.now += 1
            self.most = max(self.most, self.now)
            time.sleep(0.02)  # so that others begin meanwhile, however busy the machine
            self.now -= 1
            return super().get(key, start, end)

    store = Counting()
    process = shipper(bench, store)
    for _ in range(60):
        record(bench, 10)
        process.ship(thorough=False)
    process.close()

    assert len(values(mirror(store, tmp_path).path)) == 600
    assert store.most > 16


def test_whoever_keeps_up_asks_for_little_that_is_not_there_yet(bench, tmp_path):
    class Asked(MemoryStore):
        count = 0

        def get(self, key, start=0, end=None):
            self.count += 1
            return super().get(key, start, end)

    store = Asked()
    process = shipper(bench, store)
    record(bench, 10)
    process.ship(thorough=False)
    there = mirror(store, tmp_path)
    for _ in range(10):
        record(bench, 10)
        process.ship(thorough=False)
        store.count = 0
        assert there.poll() == 1
        # The next epoch and the next of three lanes; then what may follow the one that was there.
        assert store.count <= 6
    process.close()


def test_records_never_come_before_the_model_they_name(bench, store, tmp_path):
    files.publish(bench.run / "realtime_data/checkpoints/checkpoint_1.json", b"{}")
    files.publish(bench.run / "checkpoints/checkpoint_1.zip", os.urandom(20 << 20))
    shipped(bench, store)

    lane = layout.lane_prefix(layout.rank_prefix("달리기 1", 0), 1, "models")
    there = Mirror(store, "달리기 1", tmp_path / "there")
    for _ in store.list(lane):
        there.poll(at_most=1)
        if (there.path / "realtime_data/checkpoints/checkpoint_1.json").exists():
            assert (there.path / "checkpoints/checkpoint_1.zip").stat().st_size == 20 << 20

    assert (there.path / "realtime_data/checkpoints/checkpoint_1.json").exists()


def test_whoever_takes_over_fences_the_one_before(bench, store, tmp_path):
    record(bench, 50)
    zombie = shipper(bench, store)
    zombie.run(until_done=True)
    prefix = layout.rank_prefix("달리기 1", 0)

    lease.claim(store, prefix, "another", bench.clock)
    record(bench, 20)

    with pytest.raises(FencedError, match="has taken this run over"):
        zombie.run(until_done=True)
    # What it shipped after that lies beyond the end of its epoch.
    assert len(values(mirror(store, tmp_path).path)) == 50
    assert lease.end(store, prefix, 1, "steps") > lease.epochs(store, prefix)[-1].ends["steps"]


def test_a_store_that_is_a_folder_is_resumed_from_like_any_other(bench, store, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    says = "import os; print(os.environ['TRACKWAY_STORE'], 'TRACKWAY_CLAIMED_UNIX' in os.environ)"
    program = {"folder": str(tmp_path), "resume": [sys.executable, "-c", says]}
    write_manifest(RunFolder(bench.run), new_manifest(command=["x"], config={}, program=program))
    shipped(bench, store)

    resumed = subprocess.run(
        trackway_command("resume", "../store", bench.run.name),
        cwd=tmp_path / "elsewhere",
        capture_output=True,
        text=True,
    )

    assert resumed.returncode == 0, resumed.stderr
    told, claimed = resumed.stdout.split()
    assert (Path(told).is_absolute(), Path(told).resolve()) == (True, tmp_path / "store")
    assert claimed == "True"
    assert (tmp_path / "elsewhere" / "models" / bench.run.name / "run.json").exists()


def test_of_two_who_claim_at_once_one_holds_the_run(store):
    clock = FakeClock()

    class Racing(FolderStore):
        def create(self, key, data):
            if "epochs" in key and not self.raced:
                self.raced = True
                lease.claim(store, "runs/a/0/", "faster", clock)
            return super().create(key, data)

    racing = Racing(store._path)
    racing.raced = False

    with pytest.raises(FencedError):
        lease.claim(racing, "runs/a/0/", "slower", clock)
    assert [epoch.writer for epoch in lease.epochs(store, "runs/a/0/")] == ["faster"]


def test_two_shippers_of_one_folder_are_one_too_many(bench, store):
    first = shipper(bench, store)

    with pytest.raises(SyncError, match="another process ships"):
        shipper(bench, store)
    first.close()


def test_a_copy_of_the_folder_with_the_same_identity_is_found_out(bench, store, tmp_path):
    record(bench, 30)
    shipped(bench, store)
    copy = tmp_path / "copy" / bench.run.name
    shutil.copytree(bench.run, copy)
    first = shipper(bench, store)
    first.ship()
    second = Shipper(RunFolder(copy), store, clock=bench.clock)
    second.ship()
    files.publish(copy / "realtime_data/a.json", b"[2]")
    second.ship()
    files.publish(bench.run / "realtime_data/a.json", b"[1]")

    with pytest.raises(SyncError, match="same identity"):
        first.ship()


def test_an_emptied_store_is_filled_again(bench, store, tmp_path):
    record(bench, 50)
    shipped(bench, store)
    shutil.rmtree(store._path)

    shipped(bench, store)

    assert np.array_equal(values(mirror(store, tmp_path).path), bench.read()["reward"])


def test_many_small_files_travel_together(bench, store):
    contents = {f"realtime_data/episodes/{n}.json": b"[%d]" % n for n in range(600)}
    (bench.run / "realtime_data" / "episodes").mkdir(parents=True)
    for path, content in contents.items():
        (bench.run / path).write_bytes(content)

    shipped(bench, store)

    # More than the header of a usual shipment has room for.
    (only,) = store.list(layout.lane_prefix(layout.rank_prefix("달리기 1", 0), 1, "live"))
    header, parts = decode(store.get(only.key))
    told = {entry.path: bytes(part) for entry, part in zip(header.entries, parts, strict=True)}
    assert told == contents


def test_bytes_of_a_request_that_was_given_up_stay_as_they_were(bench, store):
    """Something may still be sending them when the next shipment is made."""
    given_up = []

    class Slow(FolderStore):
        def create(self, key, data):
            if "/steps/" in key and not given_up:
                given_up.append((data, bytes(data)))
                raise UnreachableError("no answer within 30 s")
            return super().create(key, data)

    record(bench, 10)
    process = shipper(bench, Slow(store._path))
    with pytest.raises(UnreachableError):
        process.ship()
    for _ in range(3):
        record(bench, 10)
        process.ship()
    process.close()

    ((held, was),) = given_up
    assert bytes(held) == was


def test_how_it_stands_is_told_from_time_to_time_not_at_every_look(bench, store, monkeypatch):
    told = []
    publish = files.publish
    monkeypatch.setattr(
        files, "publish", lambda path, data: (told.append(path.name), publish(path, data))
    )
    process = shipper(bench, store)
    for look in range(40):
        if look < 20:
            record(bench, 1)  # which takes a second of this clock
        process._try_once(at_once=True)
    process.close()

    assert 2 <= told.count("status.json") <= 5


def test_a_replaced_file_is_shipped_again_and_only_then(bench, store, tmp_path):
    manifest = new_manifest(command=["x"], config={})
    run = RunFolder(bench.run)
    write_manifest(run, manifest | {"status": "running"})
    shipped(bench, store)
    write_manifest(run, manifest | {"status": "finished"})
    shipped(bench, store)

    there = mirror(store, tmp_path)

    assert orjson.loads((there.path / "run.json").read_bytes())["status"] == "finished"


def test_a_quick_look_sees_what_is_published_and_a_thorough_one_what_is_changed_in_place(bench):
    folder = bench.run / "realtime_data" / "episodes"
    for number in range(3):
        files.publish(folder / f"episodes_{number}.json", b"[]")
    scanner, told = Scanner(bench.run), Shipped()

    def look(thorough=False):
        found = scanner.changes(told, 1 << 20, thorough).values()
        changes = [change for lane in found for change in lane if "episodes" in change.path]
        for change in changes:
            told.take(change)
        return [change.path.rpartition("/")[2] for change in changes]

    assert len(look()) == 3
    assert [look(), look(), look()] == [[], [], []]
    (folder / "episodes_1.json").write_bytes(b"[1, 2]")
    assert look() == []
    assert look(thorough=True) == ["episodes_1.json"]
    assert [look(), look()] == [[], []]
    # Twice within what may be one tick of the folder's clock.
    files.publish(folder / "episodes_3.json", b"[]")
    assert look() == ["episodes_3.json"]
    files.publish(folder / "episodes_4.json", b"[]")
    files.publish(folder / "episodes_0.json", b"[3]")
    assert sorted(look()) == ["episodes_0.json", "episodes_4.json"]


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


def test_a_full_disk_here_delays_and_loses_nothing(bench, store, tmp_path, monkeypatch):
    record(bench, 20)
    process = shipper(bench, store)
    process.ship()
    record(bench, 20)
    append = files.AppendFile.append
    full = []

    def refuse(self, data):
        if self.path.suffix == ".acknowledged" and len(full) < 3:
            full.append(self.path)
            raise OSError(28, "No space left on device")
        append(self, data)

    monkeypatch.setattr(files.AppendFile, "append", refuse)
    process.run(until_done=True)
    process.close()

    assert len(full) == 3
    assert np.array_equal(values(mirror(store, tmp_path).path), bench.read()["reward"])
