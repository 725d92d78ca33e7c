import numpy as np
import orjson
import psutil
import pytest
from tests.support.segments import NUM_ENVS, SCHEMA, rows
from tests.support.streams import Bench

from trackway import Recorder
from trackway.errors import FormatError, RecordingError
from trackway.format.schema import Field, Schema
from trackway.storage import ring
from trackway.storage.places import find_stream
from trackway.storage.reader import Reader
from trackway.storage.ring import RingSpec, capacity_for, create_ring, find_ring, place_ring

NAMES = [field.name for field in SCHEMA]


def spec(capacity=16):
    return RingSpec("steps", "columns", NUM_ENVS, SCHEMA, capacity, 1000)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_committed_rows_lie_in_their_slots(bench):
    bench.commit(5)
    columns = bench.ring.rows(1, 4)

    for column, given in zip(columns, rows(1, 4), strict=True):
        assert column.tolist() == given.tolist()


def test_rows_that_were_never_committed_are_not_given(bench):
    bench.commit(5)

    with pytest.raises(FormatError, match="rows 4 to 5"):
        bench.ring.rows(4, 2)


def test_a_row_counts_by_its_own_number_even_if_the_trainer_died_before_the_head(bench):
    bench.commit(5)
    bench.ring.words[ring.HEAD] = 4

    assert bench.ring.head == 5


def test_a_head_that_lies_gives_no_row(bench):
    bench.commit(5)
    bench.ring.words[ring.HEAD] = 9

    with pytest.raises(FormatError):
        bench.ring.rows(5, 4)
    first, columns = bench.ring.snapshot(0, NAMES)
    assert len(columns[0]) == 0 or first + len(columns[0]) <= 5


def test_a_snapshot_leaves_out_the_row_that_is_being_overwritten(bench):
    bench.ring.words[ring.TAIL] = 100  # somebody drains
    bench.stream._limit = 1000
    bench.commit(20)
    first, columns = bench.ring.snapshot(0, NAMES)

    assert first == 20 - 16 + 1
    assert columns[0].tolist() == rows(5, 15)[0].tolist()


def test_a_full_ring_whose_trainer_waits_is_given_whole(bench):
    """Its oldest row is neither durable nor being overwritten: else a reader would miss it."""
    bench.stream._limit = 1000
    bench.commit(16)
    first, columns = bench.ring.snapshot(0, NAMES)

    assert (first, len(columns[0])) == (0, 16)
    bench.ring.words[ring.TAIL] = 1
    assert bench.ring.snapshot(0, NAMES)[0] == 1


def test_a_snapshot_begins_where_it_is_asked_to(bench):
    bench.commit(9)
    first, (reward,) = bench.ring.snapshot(6, ["reward"])

    assert first == 6
    assert reward.tolist() == rows(6, 3)[1].tolist()
    assert len(bench.ring.snapshot(9, ["reward"])[1][0]) == 0


def test_a_ring_from_before_the_machine_started_anew_is_not_believed(bench, monkeypatch):
    bench.commit(3)
    assert find_ring(bench.folder.ring_pointer) is not None

    monkeypatch.setattr(ring, "boot_id", lambda: "another")
    assert find_ring(bench.folder.ring_pointer) is None
    with pytest.raises(FormatError, match="before it started anew"):
        ring.Ring(bench.ring.path, writable=False)


def test_what_is_no_ring_is_refused(tmp_path):
    path = tmp_path / "ring"
    for data in (b"", b"\0" * 9000, ring.MAGIC + b"\0" * 9000):
        path.write_bytes(data)
        with pytest.raises(FormatError):
            ring.Ring(path, writable=False)
    whole = create_ring(tmp_path / "whole", spec())
    path.write_bytes(whole.path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="cut short"):
        ring.Ring(path, writable=False)


def test_a_pointer_to_nothing_is_no_ring(bench):
    bench.folder.ring_pointer.write_bytes(
        orjson.dumps({"ring": "/nowhere", "boot": ring.boot_id()})
    )
    assert find_ring(bench.folder.ring_pointer) is None

    bench.folder.ring_pointer.write_bytes(b"{")
    assert find_ring(bench.folder.ring_pointer) is None


def test_a_ring_lies_in_the_run_when_shared_memory_is_missing(tmp_path):
    made = place_ring(spec(), tmp_path / "ring", shared_memory=tmp_path / "no such folder")

    assert made.path == tmp_path / "ring"


def test_a_ring_lies_in_the_run_when_it_would_take_most_of_shared_memory(tmp_path, monkeypatch):
    class Small:
        f_bavail, f_frsize = 4, 4096

    monkeypatch.setattr(ring.os, "statvfs", lambda _: Small())
    made = place_ring(spec(), tmp_path / "ring", shared_memory=tmp_path)

    assert made.path == tmp_path / "ring"


def network_disk(monkeypatch, *folders):
    monkeypatch.setattr(ring, "is_local", lambda folder: folder not in folders)


def test_no_ring_is_mapped_on_a_network_disk(tmp_path, monkeypatch):
    run, temporary = tmp_path / "run", tmp_path / "temporary"
    run.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(ring.tempfile, "gettempdir", lambda: str(temporary))
    network_disk(monkeypatch, run)
    made = place_ring(spec(), run / "ring", shared_memory=tmp_path / "no such folder")

    assert made.path.is_relative_to(temporary)
    assert made.path.parent.stat().st_mode & 0o777 == 0o700
    assert list(run.iterdir()) == []


def test_without_room_anywhere_one_sentence_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(ring.tempfile, "gettempdir", lambda: str(tmp_path / "none either"))
    network_disk(monkeypatch, tmp_path)
    with pytest.raises(
        RecordingError,
        match=r"no room for the ring of stream 'steps' \(.*no such folder: No such file.*; "
        r".* lies on a network disk; .*\): give Recorder a smaller ring_bytes",
    ):
        place_ring(spec(), tmp_path / "ring", shared_memory=tmp_path / "no such folder")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_else_in_shared_memory_is_not_used(tmp_path, monkeypatch):
    (tmp_path / "shared").mkdir()
    uid = ring.os.getuid() + 1
    (tmp_path / "shared" / f"trackway-{uid}").mkdir()
    monkeypatch.setattr(ring.os, "getuid", lambda: uid)
    made = place_ring(spec(), tmp_path / "ring", shared_memory=tmp_path / "shared")

    assert made.path == tmp_path / "ring"


def test_a_ring_is_as_large_as_it_is_asked_to_be_and_has_some_slots_at_least():
    wide = Schema(*(Field(f"f{i}", "float32") for i in range(500)))

    assert capacity_for(wide, 1, 16 << 20) == (16 << 20) // 2048
    assert capacity_for(wide, 4096, 16 << 20) == ring.MINIMUM_SLOTS


def test_a_reader_does_not_hold_the_ring_that_it_read(tmp_path):
    """A process's memory counts pages of a mapping that it has touched."""
    schema = Schema(Field("x", "float64", (512,)))
    with Recorder(tmp_path, ring_bytes=32 << 20) as recorder:
        steps = recorder.stream("steps", schema)
        reader = Reader(find_stream(tmp_path, "steps"))
        for row in range(4000):
            steps.write({"x": np.full((1, 512), row)})
        own = psutil.Process()
        held, found = shared_bytes(own), reader.poll()

        assert found["x"].nbytes > 16e6
        assert shared_bytes(own) - held < 1e6


def shared_bytes(process):
    """Of mappings that others share, such as rings."""
    maps = process.memory_maps(grouped=False)
    return sum(part.rss for part in maps if part.path.endswith(".ring") and "w" not in part.perms)
