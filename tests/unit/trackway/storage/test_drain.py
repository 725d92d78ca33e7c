"""From the ring to the journal, on disks good and bad."""

import errno
import os
import shutil

import pytest
from tests.support.streams import Bench, assert_rows

from trackway import files
from trackway.storage import ring
from trackway.storage.drain import RETRY_S
from trackway.storage.limits import Limits
from trackway.storage.segments import load
from trackway.storage.verify import verify


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def notes(bench):
    found = []
    for file in bench.folder.segments():
        found += [f.json() for f in load(file.path).frames if f.kind == 2]
    return found


@pytest.fixture
def disk(monkeypatch):
    """A disk that refuses what a test says, by the name of the operation."""
    refused: dict[str, int] = {}

    def guard(owner, name, operation):
        plain = getattr(owner, name)

        def guarded(*args, **kwargs):
            if operation in refused:
                code = refused[operation]
                raise OSError(code, os.strerror(code))
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, guarded)

    guard(files.AppendFile, "append", "write")
    guard(files.AppendFile, "sync_data", "sync")
    guard(files, "create_append", "create")
    guard(files, "rename", "rename")
    return refused


def test_rows_go_to_the_journal_and_leave_the_ring_when_durable(bench):
    bench.commit(5)
    bench.step(0.0)

    assert bench.ring.tail == 0
    bench.step(0.25)
    assert bench.ring.tail == 5
    bench.forget_ring()
    assert_rows(bench.read(), range(5))


def test_a_ring_that_is_half_full_is_synced_early(bench):
    bench.commit(9)
    bench.step(0.0)

    assert bench.ring.tail == 9


def test_a_row_that_is_wanted_is_synced_at_once(bench):
    bench.commit(2)
    bench.ring.words[ring.WANTED] = 2
    bench.step(0.0)

    assert bench.ring.tail == 2


def test_many_laps_come_out_in_order(bench):
    for count in (1, 15, 14, 8, 3, 15, 13):
        bench.commit(count)
        bench.step()
    bench.finish()

    assert_rows(bench.read(), range(69))


def test_segments_are_cut_by_rows_whatever_the_timing(tmp_path):
    digests = []
    for pace in (1, 7, 15):
        bench = Bench(tmp_path / str(pace), segment_rows=10)
        while bench.stream.committed < 35:
            bench.commit(min(pace, 35 - bench.stream.committed))
            bench.step()
        bench.finish()
        segments = [load(file.path) for file in bench.folder.segments()]
        digests.append([segment.seal["digests"] for segment in segments])

        assert [sum(f.count for f in s.rows) for s in segments] == [10, 10, 10, 5]
        assert all(file.sealed for file in bench.folder.segments())
        assert_rows(bench.read(), range(35))
    assert digests[0] == digests[1] == digests[2]


def test_a_writer_that_takes_over_goes_on_where_the_last_one_stopped(bench):
    bench.commit(7)
    bench.step()
    bench.commit(3)
    bench.step(0.0)  # written, not synced
    bench.drain.close()
    bench.drain = bench.new_drain()
    bench.commit(4)
    bench.step()
    bench.finish()

    assert len(bench.folder.segments()) == 1
    assert [note["note"] for note in notes(bench)] == ["resumed", "ended"]
    assert_rows(bench.read(), range(14))


def test_a_torn_tail_is_cut_set_aside_and_written_again_from_the_ring(bench):
    bench.commit(4)
    bench.step()
    end = bench.folder.open_segment(0).stat().st_size
    bench.commit(3)
    bench.step(0.0)
    bench.drain.close()
    path = bench.folder.open_segment(0)
    torn = path.read_bytes()[end:-5]
    os.truncate(path, path.stat().st_size - 5)
    bench.drain = bench.new_drain()
    bench.step()

    assert bench.folder.torn(path, end).read_bytes() == torn
    assert_rows(bench.read(), range(7))
    assert load(path).damage == []


def test_a_tail_of_zeros_is_cut_and_not_worth_keeping(bench):
    bench.commit(4)
    bench.step()
    bench.drain.close()
    path = bench.folder.open_segment(0)
    with path.open("ab") as file:
        file.write(bytes(5000))
    bench.drain = bench.new_drain()
    bench.commit(2)
    bench.step()
    bench.forget_ring()

    assert_rows(bench.read(), range(6))
    assert not list(bench.folder.path.glob("*.torn-*"))
    assert load(path).damage == []


def test_a_seal_without_its_name_is_given_its_name(bench, disk):
    bench.commit(4)
    bench.step()
    disk["rename"] = errno.EIO
    bench.stream.close()
    assert not bench.drain.finish("closed")
    bench.drain.close()
    assert not bench.folder.segments()[0].sealed

    del disk["rename"]
    bench.drain = bench.new_drain()
    bench.finish()
    assert [file.sealed for file in bench.folder.segments()] == [True, True]
    assert_rows(bench.read(), range(4))


def test_a_segment_without_a_header_is_set_aside(bench):
    bench.folder.open_segment(0).write_bytes(b"\x89TWS")
    bench.commit(2)
    bench.step()

    assert_rows(bench.read(), range(2))
    assert bench.folder.torn(bench.folder.open_segment(0), 0).exists()


def test_while_the_disk_is_full_rows_stay_in_the_ring_and_none_is_lost(bench, disk):
    bench.commit(3)
    bench.step()
    disk["write"] = errno.ENOSPC
    bench.commit(6)
    bench.step()

    assert bench.stream.failing
    assert "No space left" in bench.stream.failure
    assert_rows(bench.read(), range(9))
    disk.clear()
    bench.step(RETRY_S)
    assert not bench.stream.failing
    bench.finish()
    assert_rows(bench.read(), range(9))
    assert bench.stream.lost == 0


def test_when_the_ring_fills_the_oldest_rows_are_given_up_and_the_gap_is_told(bench, disk):
    bench.commit(3)
    bench.step()
    disk["write"] = errno.ENOSPC
    for _ in range(30):  # training goes on: `Bench` refuses to wait
        bench.commit(1)
        bench.step(0.1)
    disk.clear()
    bench.step(RETRY_S)
    bench.commit(2)
    bench.finish()
    records = bench.read()
    lost = sorted(set(range(35)) - set(records.rows.tolist()))
    gaps = [note for note in notes(bench) if note["note"] == "gap"]

    assert 0 < len(lost) == bench.stream.lost < 30
    assert gaps == [{"note": "gap", "first": 3, "count": len(lost), "reason": os.strerror(28)}]
    assert lost == list(range(3, 3 + len(lost)))
    assert_rows(records, [row for row in range(35) if row not in lost])


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.EROFS, errno.ENOSPC])
def test_a_gap_is_told_until_that_is_durable_also_by_another_writer(bench, disk, code):
    disk["write"] = code
    for _ in range(30):
        bench.commit(1)
        bench.step(0.1)
    lost = bench.stream.lost
    bench.drain.close()
    bench.drain = bench.new_drain()  # the writer was killed in between
    del disk["write"]
    disk["sync"] = errno.EIO
    bench.step(RETRY_S)
    disk.clear()
    bench.step(RETRY_S)
    bench.finish()
    sealed = [load(file.path) for file in bench.folder.segments() if file.sealed]
    gaps = [f.json() for s in sealed for f in s.frames if f.kind == 2 and f.json()["note"] == "gap"]

    assert [(gap["first"], gap["count"]) for gap in gaps] == [(0, lost)]
    assert lost == bench.stream.lost > 0
    assert not bench.stream.failing
    assert_rows(bench.read(), range(lost, 30))


def test_rows_written_just_before_the_disk_refused_are_not_counted_as_lost(bench, monkeypatch):
    bench.commit(10)
    bench.step()
    plain, calls = files.AppendFile.append, []

    def once(self, data):  # the frame before the ring's end fits, the one after it does not
        calls.append(data)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(self, data)

    monkeypatch.setattr(files.AppendFile, "append", once)
    bench.commit(12)
    bench.step(0.0)
    for _ in range(20):
        bench.commit(1)
        bench.step(0.0)
    monkeypatch.setattr(files.AppendFile, "append", plain)
    bench.step(RETRY_S)
    bench.finish()

    assert len(bench.read()) + bench.stream.lost == 42
    assert bench.stream.lost > 0


def test_after_a_failed_sync_the_rows_are_written_again_elsewhere(bench, disk):
    bench.commit(3)
    bench.step()
    bench.commit(4)
    disk["sync"] = errno.EIO
    bench.step()

    assert bench.ring.tail == 3
    disk.clear()
    bench.step(RETRY_S)
    bench.finish()
    # The first segment may hold anything from row 3 on: it is not read for them.
    os.truncate(bench.folder.open_segment(0), bench.folder.open_segment(0).stat().st_size - 1)
    assert load(bench.folder.sealed_segment(1)).rows[0].first_row == 3
    assert_rows(bench.read(), range(7))
    assert bench.stream.lost == 0


@pytest.mark.parametrize("operation", ["create", "rename", "sync", "write"])
def test_a_refusal_in_the_middle_of_sealing_loses_nothing(tmp_path, disk, operation):
    bench = Bench(tmp_path, segment_rows=5)
    bench.commit(4)
    bench.step()
    disk[operation] = errno.EIO
    bench.commit(4)
    bench.step()
    bench.step(RETRY_S)
    disk.clear()
    bench.step(RETRY_S)
    bench.commit(3)
    bench.finish()

    assert bench.stream.lost == 0
    assert_rows(bench.read(), range(11))


def test_a_folder_that_is_deleted_under_the_writer_is_made_again(bench):
    bench.commit(5)
    bench.step()
    shutil.rmtree(bench.folder.path)
    bench.commit(4)
    bench.step()
    bench.step(RETRY_S)
    bench.commit(1)
    bench.stream.close()

    assert bench.drain.finish("closed")
    assert_rows(bench.read(), range(5, 10))


def test_the_oldest_segments_go_when_the_stream_is_too_large_and_that_is_told(tmp_path):
    bench = Bench(tmp_path, segment_rows=10, limits=Limits(max_bytes=9000))
    for _ in range(20):
        bench.commit(10)
        bench.step()
    bench.finish()
    records = bench.read()
    size = sum(file.path.stat().st_size for file in bench.folder.segments())

    assert size <= 9000
    assert_rows(records, range(int(records.rows[0]), 200))
    assert records.rows[0] > 0
    told = [note for note in notes(bench) if note["note"] == "limited"]
    assert told[-1]["first"] + told[-1]["count"] == records.rows[0]


@pytest.mark.parametrize(
    ("limits", "first"),
    [
        (Limits(keep_rows=35), 160),  # at the last roll, row 199: 160 .. 199 hold the newest 35
        (Limits(keep_s=35), 160),  # ten rows every ten seconds
        (Limits(keep_rows=100, keep_s=35), 160),  # the tighter one counts
        (Limits(keep_rows=1), 190),
    ],
)
def test_the_newest_rows_and_the_last_seconds_are_kept_and_little_more(tmp_path, limits, first):
    bench = Bench(tmp_path, segment_rows=10, limits=limits)
    for _ in range(20):
        bench.commit(10)
        bench.step(10.0)
    bench.commit(1)
    bench.step()
    bench.finish()
    told = [note for note in notes(bench) if note["note"] == "limited"]

    assert_rows(bench.read(), range(first, 201))
    assert told[-1]["first"] + told[-1]["count"] == first
    assert verify(bench.folder).whole


def test_limits_hold_after_another_writer_took_over(tmp_path):
    bench = Bench(tmp_path, segment_rows=10, limits=Limits(keep_rows=20))
    for _ in range(10):
        bench.commit(10)
        bench.step()
        bench.drain.close()
        bench.drain = bench.new_drain()
    bench.finish()
    records = bench.read()

    assert_rows(records, range(int(records.rows[0]), 100))
    assert 20 <= len(records) <= 40


def test_a_damaged_segment_is_not_deleted_and_stops_nothing(tmp_path):
    bench = Bench(tmp_path, segment_rows=10, limits=Limits(keep_rows=20))
    bench.commit(11)
    bench.step()
    bench.folder.sealed_segment(0).write_bytes(b"not a segment")
    while bench.stream.committed < 100:
        bench.commit(1)
        bench.step()
    bench.finish()

    assert bench.folder.sealed_segment(0).read_bytes() == b"not a segment"
    assert_rows(bench.read(), range(10, 100))


def test_waits_are_told_once_also_when_the_writer_changes(bench):
    bench.ring.words[ring.WAITS] = 2
    bench.ring.words[ring.WAITED_NS] = 1_500_000_000
    bench.commit(1)
    bench.step()
    bench.drain.close()
    bench.drain = bench.new_drain()
    bench.step()
    bench.finish()

    assert [n for n in notes(bench) if n["note"] == "waited"] == [
        {"note": "waited", "times": 2, "seconds": 1.5}
    ]


def test_a_stream_without_rows_still_tells_its_schema(bench):
    bench.finish()
    records = bench.read()

    assert len(records) == 0
    assert records["qpos"].shape == (0, 2, 3)
