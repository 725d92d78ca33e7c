from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.support.recorded import SCHEMA, make_run, record_attempt, step_columns

import trackway
from trackway.errors import MissingExtraError, RunError
from trackway.query import extras
from trackway.storage.archive.compact import compact_run


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_every_step_is_a_line_with_its_timestep(models: Path) -> None:
    record_attempt(make_run(models / "a").path, 120)

    steps = trackway.open(models)["a"].steps.collect()

    assert steps.height == 480
    assert steps.columns[:3] == ["attempt", "row", "env"]
    assert {"qpos_0", "qpos_1", "qpos_2", "torque_1", "reward_component.speed"} <= set(
        steps.columns
    )
    line = steps.row(by_predicate=(pl.col("row") == 77) & (pl.col("env") == 2), named=True)
    assert line["timestep"] == 4 * 78
    expected = step_columns(77, 4)
    np.testing.assert_array_equal([line[f"qpos_{i}"] for i in range(3)], expected["qpos"][2])
    assert line["foot_contact_1"] == expected["foot_contact"][2, 1]
    assert steps.schema["reward"] == pl.Float32


def test_only_the_columns_that_are_needed_are_read(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_attempt(make_run(models / "a").path, 60)
    asked: list[list[str]] = []
    from trackway.query import step_frames

    class Watched(step_frames.Reader):
        def __init__(self, folder: object, fields: list[str], *rest: int) -> None:
            asked.append(list(fields))
            super().__init__(folder, fields, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(step_frames, "Reader", Watched)
    steps = trackway.open(models)["a"].steps

    assert steps.filter(pl.col("env") == 1).select(pl.col("qpos_1").max()).collect().item() <= 1.0
    assert steps.select(pl.len()).collect().item() == 240
    assert steps.select("row", "env").head(3).collect().height == 3
    assert asked[0] == ["qpos"]
    assert all(len(fields) == 1 for fields in asked)
    assert len(SCHEMA) > 5


def test_records_keep_their_kinds_and_nest_with_dots(models: Path) -> None:
    record_attempt(make_run(models / "a").path, 300)
    run = trackway.open(models)["a"]

    episodes, updates = run.episodes.collect(), run.updates.collect()
    assert episodes.height == 24
    assert episodes.schema["length"] == pl.Int64
    assert episodes.schema["is_success"] == pl.Boolean
    assert episodes["reward_components.speed"].to_list() == [25.0] * 24
    assert episodes["termination_reason"].value_counts().height == 2
    assert updates["train/loss"].is_null().to_list() == [False, False, True]
    assert_frame_equal(run.episodes.collect(), episodes)  # now from its index


def test_attempts_make_one_line_and_what_was_abandoned_is_told_apart(models: Path) -> None:
    run_folder = make_run(models / "a").path
    record_attempt(run_folder, 400, seed=0)
    record_attempt(run_folder, 300, begin=800, seed=1)
    run = trackway.open(models)["a"]

    steps = run.steps.filter(pl.col("env") == 0).select("attempt", "timestep", "reward").collect()
    np.testing.assert_array_equal(steps["timestep"], 4 * np.arange(1, 501))
    rewards = [step_columns(row, 4, seed=0)["reward"][0] for row in range(200)]
    rewards += [step_columns(row, 4, seed=1)["reward"][0] for row in range(300)]
    np.testing.assert_array_equal(steps["reward"], np.array(rewards, np.float32))
    tail = run.abandoned.steps.filter(pl.col("env") == 0).collect()
    np.testing.assert_array_equal(tail["timestep"], 4 * np.arange(201, 401))
    assert run.episodes.collect()["timestep"].is_sorted()
    assert run.episodes.collect().height == 4 * 10
    assert run.abandoned.episodes.collect().height == 4 * 4
    assert run.updates.collect()["timestep"].to_list() == [400, 800, 1200, 1600, 2000]
    assert run.abandoned.updates.collect()["timestep"].to_list() == [1200, 1600]
    assert run.system.collect().height == 5


def test_rows_are_there_while_they_are_recorded(models: Path) -> None:
    recorder = record_attempt(make_run(models / "a", status="running").path, 30, close=False)
    run = trackway.open(models)["a"]

    assert run.steps.select(pl.len()).collect().item() == 120
    recorder._streams["steps"].write(step_columns(30, 4))
    assert run.steps.select(pl.len()).collect().item() == 124
    recorder.close()


def test_runs_with_other_fields_share_a_table(models: Path) -> None:
    record_attempt(make_run(models / "a").path, 30)
    with trackway.Recorder(models / "b") as recorder:
        other = trackway.Schema(trackway.Field("reward", "float64"), trackway.Field("height"))
        recorder.stream("steps", other, 2).write({"reward": [1.5, 2.5], "height": [0.1, 0.2]})
    runs = trackway.open(models)

    told = runs.steps.select("run", "reward", "height", "qpos_0").collect()
    assert told.height == 122
    assert told.filter(pl.col("run") == "b")["height"].to_list() == [0.1, 0.2]
    assert told.filter(pl.col("run") == "a")["height"].null_count() == 120
    assert [run.name for run in runs] == ["a", "b"]
    assert runs.latest.name == "b"
    assert runs.facts["run"].to_list() == ["a", "b"]


def test_a_damaged_run_is_named_and_the_others_answer(models: Path) -> None:
    record_attempt(make_run(models / "good").path, 30)
    record_attempt(make_run(models / "bad").path, 30)
    for segment in (models / "bad").rglob("steps/*.seg"):
        segment.write_bytes(b"nothing of a segment")
    (models / "worse").mkdir()
    (models / "worse" / "run.json").write_bytes(b"{")
    runs = trackway.open(models)

    steps = runs.steps.select("run").collect()

    assert steps["run"].unique().to_list() == ["good"]
    assert set(runs.skipped) == {"bad", "worse"}
    assert "that can be read" in runs.skipped["bad"]


def test_what_was_compacted_reads_as_before(models: Path) -> None:
    run_folder = make_run(models / "a").path
    record_attempt(run_folder, 300)
    run = trackway.open(models)["a"]
    before = {
        name: run.table(name).collect() for name in ("steps", "episodes", "updates", "system")
    }

    assert compact_run(run_folder)
    assert not list(run_folder.rglob("steps/*.seg"))

    for name, table in before.items():
        order = ["row", "env"] if name == "steps" else []
        after = run.table(name).collect()
        assert_frame_equal(after.sort(order) if order else after, table)
    column = run.steps.filter(pl.col("env") == 2).select("qpos_1").collect()
    assert column.height == 300


def test_a_damaged_part_is_named_and_the_rest_answers(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_folder = make_run(models / "a").path
    record_attempt(run_folder, 100)
    record_attempt(run_folder, 100, begin=400)
    compact_run(run_folder)
    part = min(run_folder.rglob("001-*/steps/*.parquet"))
    data = bytearray(part.read_bytes())
    data[: len(data) // 2] = bytes(byte ^ 0xFF for byte in data[: len(data) // 2])
    part.write_bytes(data)

    steps = trackway.open(models)["a"].steps.select("timestep", "reward").collect()

    assert steps["timestep"].min() > 400
    assert steps.height == 400
    assert str(part.parent) in caplog.text


def test_an_arrow_table_has_the_columns_asked_for(models: Path) -> None:
    record_attempt(make_run(models / "a").path, 10)

    table = trackway.open(models)["a"].arrow("steps", ["timestep", "reward"])

    assert table.column_names == ["timestep", "reward"]
    assert table.num_rows == 40


def test_a_run_without_streams_has_empty_tables(models: Path) -> None:
    make_run(models / "a")
    run = trackway.open(models)["a"]

    for name in ("steps", "episodes", "updates", "events", "system", "checkpoints"):
        assert run.table(name).collect().height == 0
    assert "return" in run.episodes.collect_schema()


def test_a_stream_that_not_every_run_has_is_a_table_of_all(models: Path) -> None:
    with trackway.Recorder(models / "a") as recorder:
        only = trackway.Schema(trackway.Field("height"))
        recorder.stream("mine", only, 1).write({"height": [0.5]})
    with trackway.Recorder(models / "b") as recorder:
        recorder.stream("steps", only, 1).write({"height": [0.25]})
    runs = trackway.open(models)

    for name, run, height in (("mine", "a", 0.5), ("steps", "b", 0.25)):
        told = runs.table(name).select("run", "height").collect()
        assert told.rows() == [(run, height)]


def test_checkpoints_tell_what_they_say_of_themselves(models: Path) -> None:
    run = make_run(models / "a")
    run.checkpoints.mkdir()
    (run.checkpoints / "checkpoint_20250101_120000.zip").write_bytes(b"PK, but no zip")

    (line,) = trackway.open(models)["a"].checkpoints.collect().to_dicts()

    assert line["checkpoint"] == "checkpoint_20250101_120000"
    assert line["size_bytes"] == 14
    assert "BadZipFile" in line["error"]


def test_a_missing_extra_says_how_to_install_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(models / "a")

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(extras.importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'trackway\[query\]'"):
        _ = trackway.open(models)["a"].steps


def test_a_run_that_is_not_there_is_said(models: Path) -> None:
    with pytest.raises(RunError, match="holds no runs"):
        _ = trackway.open(models).latest
