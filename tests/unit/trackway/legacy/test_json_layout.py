import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.clock import FakeClock
from tests.support.derived_columns import DERIVATION
from tests.support.trainings import strict_loads

from trackway.clock import file_stamp
from trackway.legacy.json_layout import JsonLayout
from trackway.recorder.inbox import Done, UnwritableError
from trackway.storage.packs import packs, read_files

NOW_S = 1_735_700_000.0
STAMP = file_stamp(NOW_S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "realtime_data"


@pytest.fixture
def layout(folder: Path) -> JsonLayout:
    return opened(folder)


def opened(
    folder: Path, comprehensive: bool = False, derivation: Any = None, keep: int | None = None
) -> JsonLayout:
    layout = JsonLayout(FakeClock(NOW_S))
    recording = {
        "folder": str(folder),
        "zip_folder": str(folder.parent / "checkpoints"),
        "started_unix_s": NOW_S - 60,
        "comprehensive": comprehensive,
        "compatibility": {},
        "keep_files": keep,
    }
    totals = {"timestep": 0, "episodes": 0, "successes": None}
    opening = {
        "kind": "open",
        "recording": recording,
        "environment": {"dt": 0.02},
        "derivation": derivation,
        "totals": totals,
    }
    layout.handle(0, opening, {})
    return layout


def save(timestep: int, **parts) -> dict:
    return {"kind": "save", "unix_s": NOW_S, "metrics": {"timestep": timestep}, **parts}


def snapshot(timestep: int, num_envs: int = 1) -> dict:
    return {
        "timestep": timestep,
        "common": {"timestamp": NOW_S + timestep},
        "counts": [0] * num_envs,
        "successes": [0] * num_envs,
        "nested": None,
    }


def episode(number: int) -> dict:
    return {"kind": "episodes", "records": [{"record": "episode", "number": number}]}


COMMIT = {"kind": "commit", "unix_s": NOW_S}


def written(layout: JsonLayout, seq: int, message: dict, columns: dict | None = None) -> Done:
    """Handle a message, and the commit after it."""
    layout.handle(seq, message, columns or {})
    return layout.handle(-seq, COMMIT, {})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("**/*") if path.is_file())


def test_files_of_one_second_have_names_of_their_own(layout, folder):
    for timestep in range(3):
        written(layout, timestep + 1, save(timestep))

    assert names(folder) == [
        f"learning_metrics_{STAMP}.json",
        f"learning_metrics_{STAMP}_2.json",
        f"learning_metrics_{STAMP}_3.json",
    ]


def test_a_message_that_comes_again_writes_nothing_again(layout, folder):
    first = written(layout, 1, save(1))
    again = written(opened(folder), 1, save(1))

    assert first.files == again.files
    assert len(names(folder)) == 1


def test_a_file_of_somebody_else_is_never_overwritten(layout, folder):
    other = folder / "learning_metrics" / f"learning_metrics_{STAMP}.json"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")

    written(layout, 1, save(1))

    assert other.read_bytes() == b"mine"
    assert names(folder) == [other.name, f"learning_metrics_{STAMP}_2.json"]


def test_records_wait_for_a_commit_and_are_safe_only_then(layout, folder):
    held = layout.handle(1, episode(1), {})
    layout.handle(2, episode(2), {})
    layout.handle(3, save(1000), {})
    layout.handle(4, save(1100), {})

    assert held.seqs == []
    assert names(folder) == []

    done = layout.handle(-1, COMMIT, {})

    assert done.seqs == [1, 2, 3, 4, -1]
    [episodes] = (folder / "episodes").iterdir()
    assert [record["number"] for record in strict_loads(episodes.read_bytes())] == [1, 2]
    [metrics] = (folder / "learning_metrics").iterdir()
    assert [record["timestep"] for record in strict_loads(metrics.read_bytes())] == [1000, 1100]


def test_records_that_no_commit_came_for_are_written_at_the_end(layout, folder):
    layout.handle(1, episode(1), {})
    layout.finish()

    assert len(list((folder / "episodes").iterdir())) == 1


def test_a_killed_training_is_summed_up_with_what_is_on_disk(folder):
    layout = opened(folder, comprehensive=True)
    totals = {"timestep": 500, "episodes": 4, "successes": 1}
    written(layout, 1, save(500, totals=totals))

    layout.finish()

    [summary] = folder.glob("training_summary_*.json")
    found = strict_loads(summary.read_bytes())
    assert (found["status"], found["training_completed"]) == ("killed", False)
    assert (found["final_timestep"], found["final_success_rate"]) == (500, 0.25)
    assert found["data_files"] == {"learning_metrics": 1}
    assert len(list(folder.glob("comprehensive_summary_*.json"))) == 1


def test_a_training_that_said_its_own_summary_gets_no_second_one(layout, folder):
    message = {
        "kind": "summaries",
        "prefix": "training_summary",
        "unix_s": NOW_S,
        "record": {"a": 1},
    }
    layout.handle(1, message, {})
    layout.finish()

    assert names(folder) == [f"training_summary_{STAMP}.json"]


def test_a_write_that_failed_half_way_is_completed_without_a_second_copy(layout, folder):
    layout.handle(1, episode(1), {})
    blocked = folder / "learning_metrics"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where a folder has to be")
    layout.handle(2, save(1000), {})
    with pytest.raises(OSError, match="learning_metrics"):
        layout.handle(-1, COMMIT, {})
    blocked.unlink()

    done = layout.handle(-1, COMMIT, {})

    assert done.seqs == [1, 2, -1]
    assert names(folder) == [f"episodes_{STAMP}.json", f"learning_metrics_{STAMP}.json"]


def test_a_snapshot_lays_nested_details_over_columns_and_keeps_one_count(layout, folder):
    snapshot = {
        "timestep": 8,
        "common": {"timestamp": NOW_S},
        "counts": [5],
        "successes": None,
        "nested": [
            {"robot_state": {"position": {"x": float("nan")}}, "episode_info": {"episode_count": 1}}
        ],
    }
    columns = {
        "robot_state.position.y": np.array([2.0]),
        "episode_info.current_step": np.array([3]),
    }

    written(layout, 1, save(8, snapshot=snapshot), columns)

    [path] = (folder / "episodes").iterdir()
    [record] = strict_loads(path.read_bytes())
    assert record["detailed_info"] == {
        "robot_state": {"position": {"x": None, "y": 2.0, "nonfinite": ["x"]}},
        "episode_info": {"current_step": 3, "episode_count": 5},
    }


def test_nan_in_a_column_is_null_and_named(layout, folder):
    written(layout, 1, save(1, snapshot=snapshot(1)), {"reward_info.x": np.array([np.inf])})

    [path] = (folder / "episodes").iterdir()
    [record] = strict_loads(path.read_bytes())
    assert record["detailed_info"]["reward_info"] == {"x": None, "nonfinite": ["x"]}


def test_saves_that_share_a_file_keep_their_records_apart_and_in_order(layout, folder):
    layout.handle(1, save(1, snapshot=snapshot(1, 2)), {"a.x": np.array([0.5, 1.5])})
    layout.handle(2, episode(7), {})
    layout.handle(3, save(2, snapshot=snapshot(2, 2)), {"a.x": np.array([2.5, np.nan])})
    layout.handle(4, save(3, snapshot=snapshot(3)), {"b.y": ["z"]})
    layout.handle(-1, COMMIT, {})

    [path] = (folder / "episodes").iterdir()
    records = strict_loads(path.read_bytes())
    details = [record.get("detailed_info", record.get("number")) for record in records]
    for detail in details[:2] + details[3:]:
        detail.pop("episode_info")
    assert details == [
        {"a": {"x": 0.5}},
        {"a": {"x": 1.5}},
        7,
        {"a": {"x": 2.5}},
        {"a": {"x": None, "nonfinite": ["x"]}},
        {"b": {"y": "z"}},
    ]
    assert [(r["timestep"], r["env_id"]) for r in records if "env_id" in r] == [
        *((1, 0), (1, 1), (2, 0), (2, 1), (3, 0))
    ]


def test_what_an_environment_left_to_be_derived_is_derived_in_the_writer(folder):
    layout = opened(folder, derivation=DERIVATION)
    for timestep in (1, 2):
        columns = {"x": np.array([1.0, 2.0]) * timestep}
        layout.handle(timestep, save(timestep, snapshot=snapshot(timestep, 2)), columns)
    layout.handle(-1, COMMIT, {})

    [path] = (folder / "episodes").iterdir()
    details = [record["detailed_info"] for record in strict_loads(path.read_bytes())]
    assert [detail["a"] for detail in details] == [
        {"twice": 2.5, "when": NOW_S + 1},
        {"twice": 4.5, "when": NOW_S + 1},
        {"twice": 4.5, "when": NOW_S + 2},
        {"twice": 8.5, "when": NOW_S + 2},
    ]
    assert [detail["b"] for detail in details] == [{"c": [1, 2]}] * 4


def test_what_cannot_be_derived_is_rejected_and_the_next_records_are_written(folder):
    layout = opened(folder, derivation=DERIVATION)
    layout.handle(1, save(1, snapshot=snapshot(1)), {"no x": np.zeros(1)})
    with pytest.raises(UnwritableError, match="'x'") as caught:
        layout.handle(-1, COMMIT, {})
    done = written(layout, 2, save(2, snapshot=snapshot(2)), {"x": np.zeros(1)})

    assert caught.value.seqs == [1, -1]
    assert done.seqs == [2, -2]
    assert len(list((folder / "episodes").iterdir())) == 1


def test_a_column_with_too_few_rows_is_refused_at_once(layout):
    with pytest.raises(ValueError, match=r"'a\.x' has 1 rows for 2 environments"):
        layout.handle(1, save(1, snapshot=snapshot(1, 2)), {"a.x": np.zeros(1)})


def test_the_writer_does_without_torch_and_simulator():
    program = (
        "import sys, trackway.legacy.json_layout, go1.detail_columns;"
        "heavy = 'torch', 'stable_baselines3', 'gymnasium', 'mujoco';"
        "sys.exit(any(m in sys.modules for m in heavy))"
    )

    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_older_files_are_packed_while_a_training_writes_and_the_newest_stay(folder):
    layout, metrics, number = opened(folder, keep=5), folder / "learning_metrics", 0
    while not packs(metrics):
        number += 1
        assert number < 3000, "nobody packs"
        layout.handle(2 * number, save(number), {})
        layout.handle(2 * number + 1, {"kind": "commit", "unix_s": NOW_S + number}, {})
        if number > 10:
            time.sleep(0.02)
    while layout.packing.busy:
        time.sleep(0.02)  # it is removing what it packed

    names = sorted(name for name, _ in read_files(metrics))
    assert len(names) == number
    assert {path.name for path in metrics.glob("*.json")} >= set(names[-5:])
    records = [record for _, data in read_files(metrics) for record in strict_loads(data)]
    assert [record["timestep"] for record in records] == list(range(1, number + 1))
