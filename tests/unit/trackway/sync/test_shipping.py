"""A run shipped into a store and made again from it."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import orjson
import pytest
from tests.support.memory_store import MemoryStore
from tests.support.shipping import mirror, record, shipped, shipper, values

from trackway import files
from trackway.errors import UnreachableError
from trackway.format.shipment import decode
from trackway.run import RunFolder, new_manifest, write_manifest
from trackway.storage.archive.compact import compact_run
from trackway.sync import layout
from trackway.sync.acknowledged import acknowledged_file
from trackway.sync.changes import Scanner, Shipped
from trackway.sync.folder_store import FolderStore
from trackway.sync.mirror import Mirror, runs


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
