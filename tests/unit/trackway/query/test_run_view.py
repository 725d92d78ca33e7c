import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.support.recorded import BEGUN_UNIX_S, ROW_S, make_run, record_attempt, step_columns

import trackway
from trackway.errors import QueryError
from trackway.query.run_view import RunView
from trackway.storage.archive.compact import compact_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "run").path


def rewards(rows: range) -> np.ndarray:
    return np.stack([step_columns(row, 4)["reward"] for row in rows])


def test_a_field_is_drawn_along_every_axis(run: Path) -> None:
    record_attempt(run, 400)
    view = RunView(run)
    values = rewards(range(400))

    by_timestep = view.curve("steps", "reward", buckets=10)
    np.testing.assert_allclose(by_timestep.x, 4 * (1 + 40 * np.arange(10)))
    np.testing.assert_allclose(by_timestep.buckets.max, values.reshape(10, -1).max(axis=1))
    np.testing.assert_allclose(
        by_timestep.buckets.mean, values.reshape(10, -1).mean(axis=1), rtol=1e-5
    )
    by_time = view.curve("steps", "reward", x="time", buckets=10)
    np.testing.assert_allclose(by_time.x, BEGUN_UNIX_S + ROW_S * 40 * np.arange(10), atol=1e-3)
    by_update = view.curve("steps", "reward", x="update", buckets=4)
    np.testing.assert_allclose(by_update.x, [0, 1, 2, 3], atol=0.02)
    by_episode = view.curve("steps", "reward", x="episode", buckets=8)
    assert by_episode.x_end[-1] == pytest.approx(32, abs=1.0)
    by_row = view.curve("steps", "reward", x="row", buckets=4)
    np.testing.assert_array_equal(by_row.x, [0, 100, 200, 300])


def test_one_number_of_one_environment_is_drawn_row_by_row(run: Path) -> None:
    record_attempt(run, 200)

    curve = RunView(run).curve("steps", "qpos", env=2, index=1, start=4, end=100, buckets=1000)

    expected = [step_columns(row, 4)["qpos"][2, 1] for row in range(24)]
    np.testing.assert_array_equal(curve.buckets.min, expected)
    np.testing.assert_array_equal(curve.buckets.max, expected)
    assert curve.unit == "m"


def test_numbers_of_records_are_drawn_and_their_nan_is_counted(run: Path) -> None:
    record_attempt(run, 500)
    view = RunView(run)

    losses = view.curve("updates", "train/loss")
    np.testing.assert_allclose(losses.x, [400, 800, 1200, 1600, 2000])
    np.testing.assert_array_equal(losses.buckets.nan, [0, 0, 1, 0, 0])
    returns = view.curve("episodes", "return", x="episode")
    np.testing.assert_array_equal(returns.x, 1 + np.arange(40))
    machine = view.curve("system", "cpu_percent", x="time")
    assert machine.x[0] == pytest.approx(BEGUN_UNIX_S + 99 * ROW_S)


def test_rows_appear_while_they_are_recorded(run: Path) -> None:
    recorder = record_attempt(run, 100, close=False)
    view = RunView(run)
    assert view.curve("steps", "reward", x="row").buckets.ends[-1] == 100

    for row in range(100, 130):
        recorder._streams["steps"].write(step_columns(row, 4))

    assert view.refresh()
    assert view.curve("steps", "reward", x="row").buckets.ends[-1] == 130
    assert not view.refresh()
    recorder.close()


def test_what_a_dead_attempt_did_after_its_checkpoint_is_not_on_the_line(run: Path) -> None:
    record_attempt(run, 400, seed=0)
    record_attempt(run, 200, begin=800, seed=1, unix_s=BEGUN_UNIX_S + 100)
    view = RunView(run)

    curve = view.curve("steps", "reward", buckets=8)

    assert view.rows("steps") == [200, 200]
    assert len(curve) == 8
    assert (np.diff(curve.x) > 0).all()
    np.testing.assert_array_equal(curve.attempt, [0, 0, 0, 0, 1, 1, 1, 1])
    assert curve.buckets.max[0] == rewards(range(50)).max()
    episodes = view.records("episodes")
    assert len(episodes) == 32
    assert (np.diff(episodes["timestep"]) >= 0).all()
    assert view.records("updates")["timestep"].tolist() == [400, 800, 1200, 1600]
    assert len(view.curve("updates", "n_updates", x="update")) == 4
    np.testing.assert_array_equal(
        view.curve("episodes", "return", x="episode").x, 1 + np.arange(32)
    )


def test_a_pyramid_is_kept_and_a_damaged_one_is_made_again(run: Path, cache: Path) -> None:
    record_attempt(run, 6000, num_envs=1)
    first = RunView(run)
    curve = first.curve("steps", "reward", env=0, buckets=4)
    first.save()
    kept = [path for path in cache.rglob("*") if path.is_file()]
    assert kept

    again = RunView(run).curve("steps", "reward", env=0, buckets=4)
    np.testing.assert_array_equal(again.buckets.max, curve.buckets.max)
    for path in kept:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    mended = RunView(run).curve("steps", "reward", env=0, buckets=4)
    np.testing.assert_array_equal(mended.buckets.max, curve.buckets.max)


def test_what_is_not_there_is_told_with_what_is(run: Path) -> None:
    record_attempt(run, 20)
    view = RunView(run)

    with pytest.raises(QueryError, match="no field 'rewards'; it has: reward, qpos"):
        view.curve("steps", "rewards")
    with pytest.raises(QueryError, match="no stream 'step'; it has: episodes, events"):
        view.curve("step", "reward")
    with pytest.raises(QueryError, match="environments 0 to 3"):
        view.curve("steps", "reward", env=4)
    with pytest.raises(QueryError, match="numbers 0 to 2"):
        view.curve("steps", "qpos", index=3)
    with pytest.raises(QueryError, match="no axis 'hours'"):
        view.curve("steps", "reward", x="hours")  # type: ignore[arg-type]


LOOK = """
import sys
from pathlib import Path
from trackway.query import stream_view
from trackway.query.run_view import RunView
stream_view._WORTH_A_CHILD_VALUES = int(sys.argv[2])
view = RunView(Path(sys.argv[1]))
view.follow("steps", "height")
found = view.curve("steps", "height", x="row", buckets=4).buckets
print(found.max.max(), "pyarrow" in sys.modules)
"""


def test_what_a_server_finds_in_parts_is_decoded_in_a_process_that_ends(run: Path) -> None:
    with trackway.Recorder(run, compact=False) as recorder:
        steps = recorder.stream("steps", trackway.Schema(trackway.Field("height")), 1)
        for row in range(5000):
            steps.write({"height": [row]})
    compact_run(run)

    def look(values_worth_it: int) -> str:
        command = [sys.executable, "-c", LOOK, str(run), str(values_worth_it)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert look(10_000) == "4999.0 True"
    assert look(5000) == "4999.0 False"
    assert look(10_000) == "4999.0 False", "the child's pyramid was not kept"
