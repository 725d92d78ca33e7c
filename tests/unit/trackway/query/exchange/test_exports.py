"""Every export is opened with its format's own reader."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.recorded import make_run, step_columns

from trackway.errors import MissingExtraError, QueryError
from trackway.query import extras
from trackway.query.exchange.export import FORMATS, export
from trackway.query.exchange.source import Options
from trackway.query.runs import open_run

Export = Callable[..., Path]
# Rows of the line: 200 of the first attempt, 200 of the second.
LINE = [*range(200), *range(200)]


def rewards(env: int) -> list[float]:
    return [float(step_columns(r, 4, i // 200)["reward"][env]) for i, r in enumerate(LINE)]


def test_csv_holds_every_table(exported: Export) -> None:
    folder = exported("csv", envs=[1, 3], fields=["reward", "qpos"])

    steps = pl.read_csv(folder / "steps.csv")
    assert steps.columns == [
        "attempt",
        "row",
        "env",
        "timestep",
        "reward",
        "qpos_0",
        "qpos_1",
        "qpos_2",
    ]
    assert steps.height == 2 * 400
    one = steps.filter(pl.col("env") == 1).sort("timestep")["reward"]
    np.testing.assert_allclose(one, rewards(1), rtol=1e-6)
    assert pl.read_csv(folder / "episodes.csv").height == 4 * 8
    assert (folder / "events.csv").exists()


def test_tensorboard_reads_every_scalar_at_its_timestep(exported: Export) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(exported("tensorboard")), size_guidance={"scalars": 0})
    accumulator.Reload()

    losses = accumulator.Scalars("train/loss")
    assert [event.step for event in losses] == [400, 800, 1200, 1600]
    np.testing.assert_allclose([event.value for event in losses][:2], [1 / 100, 1 / 200], rtol=1e-6)
    assert len(accumulator.Scalars("episode/return")) == 32
    assert len(accumulator.Scalars("system/cpu_percent")) == 4
    assert "event/begin" in accumulator.Tags()["tensors"]


def test_mcap_has_a_topic_for_each_robot_and_stream(exported: Export) -> None:
    from mcap.reader import make_reader

    path = exported("mcap", "run.mcap", envs=[0, 2], fields=["reward", "qpos", "foot_contact"])

    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        topics = {
            c.topic: summary.statistics.channel_message_counts[i]
            for i, c in summary.channels.items()
        }
        assert topics["/env0/steps"] == topics["/env2/steps"] == 400
        assert topics["/episodes"] == 32
        assert {"/updates", "/events", "/system"} <= topics.keys()
        told = [
            (message.log_time, json.loads(message.data))
            for _, _, message in reader.iter_messages(topics=["/env2/steps"])
        ]
        (schema,) = [s for s in summary.schemas.values() if s.name == "trackway.step"]
    assert schema.encoding == "jsonschema"
    assert json.loads(schema.data)["properties"]["qpos"]["type"] == "array"
    times = [time for time, _ in told]
    assert times == sorted(times)
    np.testing.assert_allclose([m["reward"] for _, m in told], rewards(2), rtol=1e-6)
    assert told[0][1]["foot_contact"] == step_columns(0, 4)["foot_contact"][2].tolist()
    assert [m["timestep"] for _, m in told] == [4 * (i + 1) for i in range(400)]


def test_minari_loads_the_episodes(exported: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    import minari

    folder = exported("minari", envs=None)

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder))
    dataset = minari.load_dataset("trackway/run-v0")
    episodes = list(dataset.iterate_episodes())
    assert len(episodes) == 32
    # The starts tell no state: the first step is given up for it.
    assert all(e.observations.shape == (50, 3) and e.actions.shape == (49, 2) for e in episodes)
    first = episodes[0]
    np.testing.assert_array_equal(
        first.observations, [step_columns(row, 4)["qpos"][0] for row in range(50)]
    )
    np.testing.assert_array_equal(first.actions[:, 0], np.arange(1, 50))
    assert (first.terminations[-1], first.truncations[-1]) == (True, False)
    assert first.terminations.sum() == 1


def test_lerobot_has_what_its_reader_asks_for(exported: Export) -> None:
    """Without LeRobot, which brings gigabytes: its files by the description of version 3.0."""
    import pyarrow.parquet as pq

    folder = exported("lerobot", envs=[0, 1])

    info = json.loads((folder / "meta/info.json").read_bytes())
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"]) == (
        "v3.0",
        16,
        16 * 49,
    )
    frames = pq.read_table(folder / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(frames.column_names) == set(info["features"])
    assert frames.num_rows == 16 * 49
    np.testing.assert_array_equal(frames["index"], np.arange(16 * 49))
    state = np.stack(frames["observation.state"].to_numpy())
    np.testing.assert_allclose(state[0], step_columns(0, 4)["qpos"][0], rtol=1e-6)
    episodes = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [e["dataset_from_index"] for e in episodes] == [49 * i for i in range(16)]
    assert sum(frames["next.done"].to_pylist()) == 16
    stats = json.loads((folder / "meta/stats.json").read_bytes())
    np.testing.assert_allclose(stats["observation.state"]["max"], state.max(axis=0), rtol=1e-6)
    np.testing.assert_allclose(stats["observation.state"]["mean"], state.mean(axis=0), rtol=1e-5)
    tasks = pq.read_table(folder / "meta/tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_lerobot_reads_it(exported: Export) -> None:
    reader = pytest.importorskip(
        "lerobot.datasets.lerobot_dataset", reason="LeRobot is not installed: pip install lerobot"
    )

    dataset = reader.LeRobotDataset("trackway/run", root=exported("lerobot", envs=[0, 1]))

    assert (dataset.num_episodes, dataset.num_frames) == (16, 16 * 49)
    np.testing.assert_allclose(dataset[5]["action"], [6.0, 6.0])


def test_rerun_reads_it(exported: Export) -> None:
    pytest.importorskip("rerun", reason="Rerun is not installed: pip install 'trackway[rerun]'")
    import subprocess
    import sys

    path = exported("rerun", "run.rrd", envs=[0], fields=["reward", "qpos"])

    verify = [sys.executable, "-m", "rerun", "rrd", "verify", str(path)]
    assert subprocess.run(verify, capture_output=True, timeout=60).returncode == 0
    shown = subprocess.run(
        [sys.executable, "-m", "rerun", "rrd", "print", "-v", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    for entity in ("/steps/env0/reward", "/steps/env0/qpos", "/train/loss", "/episode/return"):
        assert entity in shown


def test_wandb_reads_it(exported: Export) -> None:
    pytest.importorskip("wandb", reason="W&B is not installed: pip install 'trackway[wandb]'")
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = exported("wandb").glob("wandb/offline-run-*/run-*.wandb")

    told = []
    for data in leveldb_records(path.read_bytes()[7:]):
        record = Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = {
                (i.key or i.nested_key[0]): json.loads(i.value_json) for i in record.history.item
            }
            told.append(items)
    losses = [(row["timestep"], row["train/loss"]) for row in told if "train/loss" in row]
    assert [step for step, _ in losses] == [400, 800, 1200, 1600]
    assert losses[0][1] == pytest.approx(1 / 100)
    assert sum("episode/return" in row for row in told) == 32


def leveldb_records(data: bytes) -> list[bytes]:
    """Records of a log as LevelDB writes it: blocks of 32 KiB, headers of crc, length, kind."""
    made, pending, at = [], b"", 0
    while at + 7 <= len(data):
        left = 32768 - (at + 7) % 32768
        if left < 7:
            at += left
            continue
        length = int.from_bytes(data[at + 4 : at + 6], "little")
        kind, pending = data[at + 6], pending + data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:
            made.append(pending)
            pending = b""
    return made


def test_a_live_run_is_written_as_far_as_it_came(tmp_path: Path) -> None:
    from tests.support.recorded import record_attempt

    run = make_run(tmp_path / "live", status="running")
    recorder = record_attempt(run.path, 60, close=False)
    export(open_run(run.path), "csv", tmp_path / "out")

    assert pl.read_csv(tmp_path / "out" / "steps.csv").height == 60
    recorder.close()


def test_what_cannot_be_exported_is_said(recorded: Path, tmp_path: Path) -> None:
    run, bare = open_run(recorded), open_run(make_run(tmp_path / "bare").path)

    with pytest.raises(QueryError, match="there are: csv, tensorboard"):
        export(run, "excel", tmp_path / "x")
    with pytest.raises(QueryError, match="environments 0 to 3, not 9"):
        export(run, "csv", tmp_path / "x", Options(envs=[9]))
    with pytest.raises(QueryError, match="no field 'speed'; it has: reward"):
        export(run, "csv", tmp_path / "x", Options(fields=["speed"]))
    with pytest.raises(QueryError, match="recorded neither obs nor qpos"):
        export(bare, "minari", tmp_path / "x")
    taken = tmp_path / "taken.mcap"
    taken.write_bytes(b"mine")
    with pytest.raises(QueryError, match="exists: name another"):
        export(run, "mcap", taken)
    assert taken.read_bytes() == b"mine"


@pytest.mark.parametrize("kind", list(FORMATS))
def test_a_missing_extra_says_how_to_install_it(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    run = open_run(recorded)
    monkeypatch.setattr(extras.importlib, "import_module", _only_ours(missing))
    extra = {"csv": "query", "lerobot": "archive"}.get(kind, kind)

    with pytest.raises(MissingExtraError, match=rf"pip install 'trackway\[{extra}\]'"):
        export(run, kind, tmp_path / "x")


def _only_ours(missing: Callable[[str], None]) -> Callable[[str], object]:
    import importlib

    real = importlib.import_module
    return lambda name: real(name) if name.startswith("trackway.") else missing(name)
