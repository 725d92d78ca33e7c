import pytest
from tests.support.segments import header
from tests.support.streams import Bench, assert_rows

from trackway.errors import StreamError
from trackway.storage import ring
from trackway.storage.cursor import Block, Cursor
from trackway.storage.places import StreamFolder
from trackway.storage.reader import Reader, describe, follow, read, read_records


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path, segment_rows=10)


def test_rows_are_read_the_moment_they_are_committed(bench):
    bench.commit(3)

    assert_rows(bench.read(), range(3))


def test_journal_and_ring_are_read_as_one(bench):
    for _ in range(5):
        bench.commit(9)
        bench.step()
    bench.commit(7)

    assert_rows(bench.read(), range(52))
    assert_rows(bench.read(first=17), range(17, 52))
    assert_rows(bench.read(first=49), range(49, 52))
    assert_rows(bench.read(first=99), [])


def test_a_field_that_is_read_alone_does_not_hold_the_others_in_memory(bench):
    bench.commit(9)
    bench.finish()
    blocks = Cursor(bench.folder, ["reward"]).read(0)
    columns = [column for block in blocks if isinstance(block, Block) for column in block.columns]

    assert sum(len(column) for column in columns) == 9
    assert all(column.base is None for column in columns)


def test_two_readers_at_their_own_pace_see_every_row_once(bench):
    eager, lazy, late = Reader(bench.folder), None, []
    seen = []
    bench.commit(1)
    lazy = Reader(bench.folder)
    for step in range(40):
        bench.commit(1 + step % 7)
        bench.step(0.1)
        seen += eager.poll().rows.tolist()
        if step % 9 == 0:
            late += lazy.poll().rows.tolist()
    bench.finish()
    seen += eager.poll().rows.tolist()
    late += lazy.poll().rows.tolist()

    assert seen == list(range(bench.stream.committed))
    assert late == seen
    assert len(eager.poll()) == 0
    assert eager.ended
    assert lazy.ended


def test_a_reader_that_only_sees_the_files_follows_them(bench, monkeypatch):
    """As from another machine, over a network disk."""
    monkeypatch.setattr("trackway.storage.reader.ring.find_ring", lambda _: None)
    bench.commit(1)
    bench.step()
    reader, seen = Reader(bench.folder), []
    for _ in range(30):
        bench.commit(4)
        bench.step(0.3)
        seen += reader.poll().rows.tolist()

    assert seen == list(range(121))


def test_a_long_stream_is_read_in_parts(bench):
    for _ in range(20):
        bench.commit(6)
        bench.step()
    bench.finish()
    reader, parts = Reader(bench.folder), []
    while len(part := reader.poll(limit=15)):
        parts.append(part.rows.tolist())

    assert [row for part in parts for row in part] == list(range(120))
    assert all(15 <= len(part) <= 20 for part in parts[:-1])


def test_a_stream_that_grows_is_read_in_parts_without_a_gap(tmp_path):
    bench = Bench(tmp_path, segment_rows=7)
    reader, rows = None, []
    for _ in range(12):
        bench.commit(13)  # the ring holds 16: what was not read before lies in the journal only
        bench.step()
        reader = reader or Reader(bench.folder)
        rows += reader.poll(limit=5).rows.tolist()
    bench.finish()
    while len(part := reader.poll(limit=5)):
        rows += part.rows.tolist()

    assert rows == list(range(156))
    assert reader.ended


def test_only_the_fields_that_are_asked_for_are_given(bench):
    bench.commit(3)
    records = Reader(bench.folder, ["done", "reward"]).poll()

    assert list(records.columns) == ["done", "reward"]
    assert records["reward"].shape == (3, 2)


def test_unknown_streams_fields_and_attempts_are_answered_with_those_that_exist(bench):
    bench.commit(3)
    with pytest.raises(StreamError, match="no stream 'stops'; it has: steps"):
        read(bench.run, "stops")
    with pytest.raises(StreamError, match="no field qvel; it has: qpos, reward, done"):
        read(bench.run, "steps", fields=["qvel", "qpos"])
    with pytest.raises(StreamError, match="no recorded streams"):
        read(bench.run, "steps", attempt="009-x")
    with pytest.raises(StreamError, match="no recorded streams"):
        read(bench.run / "nowhere", "steps")
    with pytest.raises(StreamError, match=r"read it with trackway.read"):
        read_records(bench.run, "steps")


def test_what_two_dead_processes_left_in_the_ring_is_read_and_sealed(bench):
    bench.commit(5)
    bench.step()
    bench.commit(4)
    bench.drain.close()
    records = read(bench.run, "steps")  # nobody holds the locks

    assert_rows(records, range(9))
    assert not bench.folder.ring_pointer.exists()
    assert not bench.ring.path.exists()
    assert [file.sealed for file in bench.folder.segments()] == [True]
    assert_rows(read(bench.run, "steps"), range(9))


def test_while_the_folder_cannot_be_written_the_ring_is_read_in_place(bench, monkeypatch):
    bench.commit(9)
    bench.step(0.0)
    bench.drain.close()

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr("trackway.storage.abandoned.files.lock", refuse)
    assert_rows(read(bench.run, "steps"), range(9))
    assert bench.ring.path.exists()


def test_damage_in_the_middle_costs_the_rows_that_lie_there(bench):
    for _ in range(4):
        bench.commit(2)
        bench.step()
    bench.finish()
    path = bench.folder.sealed_segment(0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    rows = bench.read().rows.tolist()

    assert len(rows) == 6
    assert set(rows) < set(range(8))


def test_a_folder_without_a_readable_segment_says_so(tmp_path):
    (tmp_path / "steps").mkdir()
    with pytest.raises(StreamError, match="no file of a stream that can be read"):
        describe(StreamFolder(tmp_path / "steps"))


def test_a_schema_longer_than_one_look_is_read(tmp_path):
    from trackway.format.schema import Field, Schema

    folder = StreamFolder(tmp_path)
    wide = Schema(*(Field(f"field {i}", description="x" * 100) for i in range(1000)))
    folder.open_segment(0).write_bytes(header(schema=wide).encode())

    assert describe(folder)[0] == wide


def test_following_ends_with_the_stream(bench):
    bench.commit(3)
    batches = follow(Reader(bench.folder), bench.folder, clock=bench.clock)

    assert_rows(next(batches), range(3))
    bench.commit(2)
    assert_rows(next(batches), range(3, 5))
    bench.finish()
    assert list(batches) == []


def test_following_ends_when_the_trainer_is_gone_without_a_word(bench):
    bench.commit(3)
    bench.step()
    bench.drain.close()
    batches = list(follow(Reader(bench.folder), bench.folder, clock=bench.clock))

    assert [len(batch) for batch in batches] == [3]
    assert ring.find_ring(bench.folder.ring_pointer) is None
