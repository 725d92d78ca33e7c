import contextlib
import errno
from pathlib import Path

import duckdb
import numpy as np
import orjson
import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.support.archives import NUM_ENVS, Recorded, record_texts
from tests.support.clock import FakeClock
from tests.support.streams import Bench, assert_rows

from trackway import files
from trackway.cli.main import main
from trackway.storage.archive import plan
from trackway.storage.archive.compact import compact_run
from trackway.storage.archive.part import open_part
from trackway.storage.reader import Reader, describe, end_row, read, read_records
from trackway.storage.segments import load


@pytest.fixture
def recorded(tmp_path):
    found = Recorded(tmp_path, FakeClock())
    for count in (7, 1, 40):
        found.batch(count)
    found.finish()
    return found


def assert_same(records, recorded, first=0):
    assert records.rows.tolist() == recorded.rows[first:]
    for name, given in recorded.everything().items():
        assert records[name].dtype == given.dtype
        assert records[name].tobytes() == given[first:].tobytes(), name


def test_segments_become_one_part_that_holds_every_bit(recorded):
    digests = load(recorded.folder.segments()[-1].path).seal["digests"]
    (made,) = compact_run(recorded.run)

    assert made.rows == 48
    assert [file.name for file in recorded.folder.path.iterdir()] == ["000000-000003.parquet"]
    assert_same(read(recorded.run, "steps"), recorded)
    assert_same(read(recorded.run, "steps", first=20), recorded, 20)
    with open_part(made.path) as part:
        assert part.header.digests == digests
        assert part.header.rows == 48
        assert part.wrong_fields() == ([], [])
    assert end_row(recorded.folder) == 48
    assert describe(recorded.folder)[0] == recorded.schema
    assert compact_run(recorded.run) == []


def test_a_reader_sees_that_the_stream_has_ended(recorded):
    compact_run(recorded.run)
    reader = Reader(recorded.folder)
    reader.poll()

    assert reader.ended


def test_other_programs_read_columns_by_their_names(recorded):
    (made,) = compact_run(recorded.run)
    given = recorded.everything()
    by_env = given["qpos"][:, 1, 2]

    table = pq.read_table(made.path)
    assert table.column_names == [
        "row", "env", "qpos_0", "qpos_1_", "qpos_2", "inertia_0_0", "inertia_0_1", "inertia_1_0",
        "inertia_1_1", "camera", "noise", "row_", "qpos_1", "done",
    ]  # fmt: skip
    told = table.schema.field("qpos_2").metadata
    assert told[b"unit"] == b"m"
    assert told[b"description"] == b"position of the trunk"
    assert (told[b"field"], orjson.loads(told[b"index"])) == (b"qpos", [2])
    query = f"SELECT qpos_2, len(camera) FROM '{made.path}' WHERE env = 1 ORDER BY row"
    found = duckdb.sql(query).fetchnumpy()
    np.testing.assert_array_equal(found["qpos_2"], by_env)
    frame = pl.scan_parquet(made.path).filter(pl.col("env") == 1).select("qpos_2").collect()
    np.testing.assert_array_equal(frame["qpos_2"].to_numpy(), by_env)


def test_rows_that_were_lost_stay_missing(tmp_path):
    recorded = Recorded(tmp_path, FakeClock())
    recorded.batch(5)
    recorded.journal.skip(4)
    recorded.batch(6)
    recorded.finish()
    compact_run(tmp_path)
    records = read(tmp_path, "steps", first=3)

    assert records.rows.tolist() == [3, 4, *range(9, 15)]
    assert_same(records, recorded, 3)


def test_many_environments_share_a_row_group_and_long_runs_are_split(tmp_path, monkeypatch):
    monkeypatch.setattr("trackway.storage.archive.encoding.GROUP_ROWS", 20)
    for count, groups in ((9, 2), (100, 3 * 5)):
        recorded = Recorded(tmp_path / str(count), FakeClock())
        recorded.batch(count)
        recorded.finish()
        (made,) = compact_run(recorded.run)

        assert pq.read_metadata(made.path).num_row_groups == groups
        assert_same(read(recorded.run, "steps"), recorded)
        assert_same(read(recorded.run, "steps", first=7), recorded, 7)
        given = recorded.everything()
        for env in range(NUM_ENVS):
            found = Reader(recorded.folder, ["qpos", "camera"], first=5, env=env).poll()
            for field in ("qpos", "camera"):
                np.testing.assert_array_equal(found[field], given[field][5:, env : env + 1])


def test_a_limit_gives_so_many_rows_and_the_next_poll_the_following(tmp_path, monkeypatch):
    monkeypatch.setattr("trackway.storage.archive.encoding.GROUP_ROWS", 40)
    recorded = Recorded(tmp_path, FakeClock())
    recorded.batch(100)
    recorded.finish()
    compact_run(tmp_path)
    for env in (None, 1):
        reader = Reader(recorded.folder, ["row"], first=33, env=env)
        found = [reader.poll(limit=30) for _ in range(4)]

        assert all(len(records) < 2 * 30 for records in found)
        assert np.concatenate([records.rows for records in found]).tolist() == list(range(33, 100))


def test_a_reader_stands_where_segments_become_a_part(tmp_path):
    bench = Bench(tmp_path, segment_rows=10)
    readers = [Reader(bench.folder) for _ in range(1) if bench.commit(1) is None]
    seen = [readers[0].poll().rows.tolist()]
    late: list[int] = []
    for round_ in range(30):
        bench.commit(7)
        bench.step()
        if round_ % 4 == 0:
            compact_run(tmp_path)
        if round_ % 3 == 0:
            seen[0] += readers[0].poll().rows.tolist()
        if round_ % 11 == 5:
            late += Reader(bench.folder, first=len(late)).poll(limit=15).rows.tolist()
    bench.finish()
    seen[0] += readers[0].poll().rows.tolist()

    assert seen[0] == list(range(211))
    assert late == list(range(len(late)))
    assert_rows(bench.read(), range(211))


def test_a_part_is_read_in_pieces_while_it_is_merged_into_a_larger_one(tmp_path, monkeypatch):
    monkeypatch.setattr("trackway.storage.archive.encoding.GROUP_ROWS", 3)
    recorded = Recorded(tmp_path, FakeClock())
    reader = None
    for _ in range(9):
        recorded.batch(6)
        compact_run(tmp_path)
        if reader is None:
            reader = Reader(recorded.folder)
            seen = reader.poll(limit=2).rows.tolist()
    assert len(recorded.folder.parts()) < 9
    while len(found := reader.poll(limit=2)):
        seen += found.rows.tolist()

    assert seen == list(range(54))


def test_small_parts_are_merged_as_a_stream_grows_and_no_row_often(tmp_path):
    recorded = Recorded(tmp_path, FakeClock())
    written = 0
    for _ in range(70):
        recorded.batch(4)
        written += sum(made.rows for made in compact_run(tmp_path))
    recorded.finish()
    compact_run(tmp_path)

    assert len(recorded.folder.parts()) <= 2 * plan.FAN_IN
    assert written <= 4 * 280
    assert_same(read(tmp_path, "steps"), recorded)


def test_only_what_fills_a_part_is_taken_while_training_goes_on(tmp_path):
    bench = Bench(tmp_path, segment_rows=10)
    for _ in range(12):
        bench.commit(9)
        bench.step()
    assert compact_run(tmp_path) == []
    bench.finish()

    (made,) = compact_run(tmp_path, least_bytes=1)
    assert made.rows == 108
    assert_rows(bench.read(), range(108))


def test_records_are_lines_of_json_and_cut_ones_are_joined_again(tmp_path):
    records = [orjson.dumps({"n": i, "text": "é" * (i * 37 % 400)}) for i in range(60)]
    folder = record_texts(tmp_path, FakeClock(), records, per_segment=11)
    assert len(folder.segments()) > 5
    (made,) = compact_run(tmp_path)

    assert read_records(tmp_path, "events") == [orjson.loads(record) for record in records]
    found = duckdb.sql(f"SELECT record->>'$.n' FROM '{made.path}' WHERE flags = 3").fetchall()
    assert [int(n) for (n,) in found] == list(range(60))


def test_of_many_records_those_that_are_asked_for_are_read_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("trackway.storage.archive.write._TABLE_ROWS", 16)
    records = [orjson.dumps({"n": i, "text": "é" * (i * 37 % 400)}) for i in range(60)]
    folder = record_texts(tmp_path, FakeClock(), records, per_segment=1 << 20)
    rows = read(tmp_path, "events")
    (made,) = compact_run(tmp_path)
    for first in range(len(rows)):
        found = Reader(folder, first=first).poll(limit=3)
        assert found.rows.tolist() == rows.rows[first : first + len(found)].tolist()
        for name, column in found.columns.items():
            assert column.tobytes() == rows[name][first : first + len(found)].tobytes()

    told = pq.ParquetFile(made.path).metadata
    assert told.num_row_groups == 4
    harmed = bytearray(made.path.read_bytes())
    harmed[told.row_group(2).column(2).data_page_offset + 30] ^= 1
    made.path.write_bytes(harmed)
    reader = Reader(folder)
    assert len(reader.poll(limit=20)) >= 20
    assert not reader.faults
    assert len(reader.poll()) < len(rows) - 20
    assert "damaged" in reader.faults[0]


def test_a_record_that_lies_in_two_parts_is_read_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr("trackway.storage.archive.compact.PART_BYTES", 3000)
    records = [orjson.dumps({"n": i, "text": "é" * 301}) for i in range(40)]
    folder = record_texts(tmp_path, FakeClock(), records, per_segment=5)
    compact_run(tmp_path)

    assert len(folder.parts()) > 2
    assert read_records(tmp_path, "events") == [orjson.loads(record) for record in records]


@pytest.mark.parametrize("at_once", [100, 1 << 20])
def test_what_is_not_whole_stays_in_the_journal(recorded, monkeypatch, at_once):
    monkeypatch.setattr("trackway.storage.segments._BLOCK_BYTES", at_once)
    path = recorded.folder.sealed_segment(1)
    damaged = bytearray(path.read_bytes())
    damaged[load(path).rows[0].end - 9] ^= 1
    path.write_bytes(damaged)
    compact_run(recorded.run)

    assert path.read_bytes() == damaged
    names = [file.path.name for file in recorded.folder.contents().files]
    assert names == ["000000-000000.parquet", "000001.seg", "000002-000003.parquet"]
    kept = [row for row in recorded.rows if row != 7]
    assert read(recorded.run, "steps").rows.tolist() == kept


def test_what_a_killed_compaction_left_is_cleared_away(recorded):
    folder = recorded.folder
    kept = {file.path: file.path.read_bytes() for file in folder.segments()}
    compact_run(recorded.run)
    for path, data in kept.items():
        path.write_bytes(data)
    (folder.path / ".000000-000003.parquet.77-0.tmp").write_bytes(b"half a part")

    assert folder.segments() == []
    assert_same(read(recorded.run, "steps"), recorded)
    compact_run(recorded.run)
    assert [file.name for file in folder.path.iterdir()] == ["000000-000003.parquet"]


@pytest.mark.parametrize("operation", range(9))
def test_a_compaction_that_dies_at_any_operation_loses_and_doubles_nothing(
    recorded, monkeypatch, operation
):
    """Every change of the folder is a place to die: the new name, each old one that goes."""
    left = operation

    def mortal(plain):
        def act(*args, **kwargs):
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return plain(*args, **kwargs)

        return act

    with monkeypatch.context() as patch:
        patch.setattr(files, "remove", mortal(files.remove))
        patch.setattr(files, "sync_folder", mortal(files.sync_folder))
        patch.setattr(Path, "replace", mortal(Path.replace))
        with contextlib.suppress(KeyboardInterrupt):
            compact_run(recorded.run)
    assert_same(read(recorded.run, "steps"), recorded)
    compact_run(recorded.run)
    assert_same(read(recorded.run, "steps"), recorded)
    assert [file.name for file in recorded.folder.path.iterdir()] == ["000000-000003.parquet"]


def test_a_full_disk_leaves_the_journal_as_it_was(recorded, monkeypatch, capsys):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = {path: path.read_bytes() for path in recorded.folder.path.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr("trackway.storage.archive.compact.write_columns", full)
        assert main(["compact", str(recorded.run)]) == 1
    assert "No space left" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in recorded.folder.path.iterdir()} == before
    assert main(["compact", str(recorded.run)]) == 0


def test_two_compactions_do_not_meet(recorded):
    held = files.lock(recorded.folder.attempt.archive_lock)
    assert compact_run(recorded.run) == []
    held.release()
    assert len(compact_run(recorded.run)) == 1


def test_one_environment_is_read_alone(recorded):
    (made,) = compact_run(recorded.run)
    with open_part(made.path) as part:
        qpos, done = part.values(["qpos", "done"], slice(5, 20), slice(1, 2))

    given = recorded.everything()
    np.testing.assert_array_equal(qpos, given["qpos"][5:20, 1:2])
    np.testing.assert_array_equal(done, given["done"][5:20, 1:2])
    assert NUM_ENVS == 3
