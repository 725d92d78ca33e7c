import duckdb
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from tests.support.archives import SCHEMA, Recorded
from tests.support.clock import FakeClock

from trackway.errors import StreamError
from trackway.format.schema import Field, Schema
from trackway.storage.archive.compact import compact_run
from trackway.storage.archive.part import open_part
from trackway.storage.archive.precision import bounds_for, rounded, within
from trackway.storage.archive.rewrite import rewrite
from trackway.storage.reader import read
from trackway.storage.seals import seals
from trackway.storage.verify import verify


@pytest.fixture
def recorded(tmp_path):
    found = Recorded(tmp_path, FakeClock())
    found.batch(400)
    found.batch(100)
    found.finish()
    compact_run(tmp_path)
    return found


@settings(max_examples=200)
@given(
    st.sampled_from([np.float32, np.float64]).flatmap(
        lambda dtype: st_numpy.arrays(dtype, 8, elements=st_numpy.from_dtype(np.dtype(dtype)))
    ),
    st.floats(1e-9, 1e3),
)
def test_no_value_moves_farther_than_its_bound(values, bound):
    assert within(values, rounded(values, bound), bound).all()


def test_units_decide_where_no_bound_is_given():
    assert bounds_for(SCHEMA) == {"qpos": 5e-6}
    motor = Schema(Field("motor", "float32", (2,), "rad, N m"), Field("gait", "float32", (), "1"))
    assert bounds_for(motor) == {"motor": 5e-6}
    assert bounds_for(SCHEMA, {"noise": 0.1, "qpos": 0}) == {"noise": 0.1}
    with pytest.raises(StreamError, match="'done' holds bool"):
        bounds_for(SCHEMA, {"done": 1.0})
    with pytest.raises(StreamError, match="no field 'qvel'"):
        bounds_for(SCHEMA, {"qvel": 1.0})


def test_a_part_is_smaller_and_says_how_exact_it_is(recorded):
    (file,) = recorded.folder.parts()
    before, digests = file.path.stat().st_size, [s.digests for s in seals(recorded.folder)]
    path = rewrite(recorded.folder, file, bounds={"qpos": 1e-3})

    assert [part.path for part in recorded.folder.parts()] == [path]
    assert path.name == "000000-000002.r1.parquet"
    assert path.stat().st_size < before
    given = recorded.everything()
    found = read(recorded.run, "steps")
    assert within(given["qpos"], found["qpos"], 1e-3).all()
    assert found["inertia"].tobytes() == given["inertia"].tobytes()
    with open_part(path) as part:
        assert (part.header.tier, part.header.bounds) == ("analysis", {"qpos": 1e-3})
    # Two runs can still be compared by what was recorded.
    assert [s.digests for s in seals(recorded.folder)] == digests
    report = verify(recorded.folder)
    assert report.whole
    assert report.tier == "analysis"


def test_every_program_reads_rounded_values_within_the_bound(recorded):
    (file,) = recorded.folder.parts()
    path = rewrite(recorded.folder, file, bounds={"qpos": 1e-3, "inertia": 1e-2})
    given = recorded.everything()
    found = {
        "polars": pl.read_parquet(path).to_dict(),
        "pyarrow": pq.read_table(path).to_pydict(),
        "duckdb": duckdb.sql(f"SELECT * FROM '{path}'").fetchnumpy(),
    }

    for field, column, index, bound in (
        ("qpos", "qpos_2", np.s_[..., 2], 1e-3),
        ("inertia", "inertia_1_0", np.s_[..., 1, 0], 1e-2),
    ):
        by_env = given[field][index].T.ravel()
        for program, columns in found.items():
            values = np.ma.filled(np.ma.asarray(columns[column]), np.nan).astype(by_env.dtype)
            assert within(by_env, values, bound).all(), (program, column)
            assert not (values == by_env).all(), "it is not rounded"


def test_what_would_give_up_nothing_is_not_written(recorded):
    (file,) = recorded.folder.parts()

    assert rewrite(recorded.folder, file) is None
    assert rewrite(recorded.folder, file, places=np.arange(500)) is None
    rewrite(recorded.folder, file, bounds={"qpos": 1e-3})
    (file,) = recorded.folder.parts()
    assert rewrite(recorded.folder, file, bounds={"qpos": 1e-4}) is None


def test_rows_that_were_let_go_are_no_gap(recorded):
    (file,) = recorded.folder.parts()
    places = np.array([0, 10, 20, *range(200, 260), 499])
    note = {"note": "thinned", "row": 0, "first": 0, "count": 500, "every": 10, "reason": "a test"}
    rewrite(recorded.folder, file, places=places, note=note)
    found = read(recorded.run, "steps")

    assert found.rows.tolist() == places.tolist()
    np.testing.assert_array_equal(found["qpos"], recorded.everything()["qpos"][places])
    report = verify(recorded.folder)
    assert report.whole
    assert (report.rows, report.tier) == (64, "sampled")


def test_parts_of_one_tier_are_merged_as_exact_ones_are(tmp_path, monkeypatch):
    recorded = Recorded(tmp_path, FakeClock())
    for _ in range(8):
        recorded.batch(20)
    with monkeypatch.context() as patch:
        patch.setattr("trackway.storage.archive.compact.PART_BYTES", 1)
        compact_run(tmp_path)
    for file in recorded.folder.parts():
        rewrite(recorded.folder, file, places=np.arange(0, 20, 3))
    assert len(recorded.folder.parts()) == 8
    compact_run(tmp_path)

    assert len(recorded.folder.parts()) == 1
    rows = [20 * batch + i for batch in range(8) for i in range(0, 20, 3)]
    found = read(tmp_path, "steps")
    assert found.rows.tolist() == rows
    np.testing.assert_array_equal(found["inertia"], recorded.everything()["inertia"][rows])
