import os
from pathlib import Path

import numpy as np
import orjson
import pytest
from tests.support.clock import FakeClock
from tests.support.recorded import BEGUN_UNIX_S, ROW_S, make_run, record_attempt

from trackway.clock import SYSTEM_CLOCK
from trackway.errors import RunError
from trackway.query import facts as facts_module
from trackway.query.catalog import Catalog
from trackway.query.facts import Look, RunFacts
from trackway.recorder.recorder import Recorder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that a catalog looks into from now on."""
    names: list[str] = []

    def look(self: Look) -> RunFacts:
        facts = real(self)
        names.append(facts.name)
        return facts

    real = Look.facts
    monkeypatch.setattr(Look, "facts", look)
    return names


def test_a_run_is_told_by_its_manifest_and_its_records(models: Path) -> None:
    run = make_run(models / "a", seed=7, environment="Ball-v0")
    record_attempt(run.path, 600)
    (run.checkpoints).mkdir()
    (run.checkpoints / "checkpoint_20250101_120000.zip").touch()
    run.notes.write_bytes(orjson.dumps({"tags": ["good", "한글"], "note": "the first"}))

    (facts,) = Catalog(models).runs

    assert (facts.name, facts.status, facts.algorithm, facts.seed) == ("a", "finished", "PPO", 7)
    assert (facts.num_envs, facts.timesteps, facts.planned_timesteps) == (4, 2400, 4000)
    assert (facts.episodes, facts.updates, facts.attempts, facts.checkpoints) == (48, 6, 1, 1)
    assert facts.success_rate == 0.5
    assert facts.length_mean == 50
    assert facts.return_mean is not None
    assert facts.duration_s == pytest.approx(600 * ROW_S)
    assert facts.created_unix == BEGUN_UNIX_S
    assert len(facts.sparkline) == 40
    assert np.mean(facts.sparkline[-5:]) > np.mean(facts.sparkline[:5])
    assert facts.tags == ["good", "한글"]
    assert facts.config["train"]["seed"] == 7


def test_only_what_changed_is_looked_into_again(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        make_run(models / name)
    Catalog(models)
    names = looked_into(monkeypatch)

    catalog = Catalog(models)
    assert names == []
    make_run(models / "b", status="failed")
    make_run(models / "d")
    assert catalog.refresh()
    assert sorted(names) == ["b", "d"]
    assert [run.status for run in catalog.runs] == ["finished", "failed", "finished", "finished"]
    assert not catalog.refresh()
    (models / "c" / "run.json").unlink()
    assert catalog.refresh()
    assert [run.name for run in Catalog(models).runs] == ["a", "b", "d"]


def test_a_catalog_that_is_deleted_or_damaged_is_made_again(models: Path, cache: Path) -> None:
    record_attempt(make_run(models / "a").path, 120)
    told = Catalog(models).runs
    kept = next(path for path in cache.rglob("*") if path.is_file())

    assert Catalog(models).runs == told
    for damage in (b"", b"[]", b"{", kept.read_bytes()[:-40], b'{"format": "trackway-catalog"}'):
        kept.write_bytes(damage)
        assert Catalog(models).runs == told
    kept.unlink()
    assert Catalog(models).runs == told


def test_a_damaged_run_is_named_and_the_others_are_listed(models: Path) -> None:
    make_run(models / "good")
    for name, content in {
        "broken": b'{"format": "trackway-run", "ver',
        "odd": b'{"format": "trackway-run", "version": 1, "config": [1], "git": 3, "created_unix": "x"}',
        "later": b'{"format": "trackway-run", "version": 99}',
        "empty": b"",
    }.items():
        (models / name).mkdir()
        (models / name / "run.json").write_bytes(content)

    by_name = {run.name: run for run in Catalog(models).runs}

    assert by_name["good"].status == "finished"
    assert [by_name[n].status for n in ("broken", "odd", "later", "empty")] == ["damaged"] * 4
    assert "later Trackway" in (by_name["later"].error or "")
    assert "run.json" in (by_name["broken"].error or "")


def test_what_was_done_again_counts_once(models: Path) -> None:
    run = make_run(models / "a")
    record_attempt(run.path, 300)
    record_attempt(run.path, 200, begin=800)

    (facts,) = Catalog(models).runs

    assert (facts.attempts, facts.timesteps) == (2, 1600)
    assert (facts.episodes, facts.updates) == (32, 4)


def test_a_damaged_segment_costs_what_it_held_and_no_more(models: Path) -> None:
    run = make_run(models / "a")
    record_attempt(run.path, 300)
    record_attempt(make_run(models / "b").path, 100)
    for name in ("episodes", "events"):
        segment = next(run.path.rglob(f"{name}/*.seg"))
        segment.write_bytes(os.urandom(segment.stat().st_size))

    damaged, whole = Catalog(models).runs

    assert damaged.status == "finished"
    assert damaged.updates == 3
    assert whole.episodes == 8


def test_a_run_without_a_manifest_is_one_by_its_streams(models: Path) -> None:
    record_attempt(models / "bare", 100)

    (facts,) = Catalog(models).runs

    assert (facts.status, facts.algorithm, facts.timesteps) == ("finished", "PPO", 400)


def test_a_loop_of_ones_own_has_finished_when_it_records_no_longer(models: Path) -> None:
    with Recorder(models / "own") as recorder:
        recorder.records("events").append({"event": "phase", "name": "second"})
        assert Catalog(models).runs[0].status == "running"

    assert Catalog(models).runs[0].status == "finished"


def test_a_run_that_records_is_running_and_one_that_is_silent_has_stalled(models: Path) -> None:
    recorder = record_attempt(models / "live", 60, close=False)
    catalog = Catalog(models)
    assert catalog.runs[0].status == "running"
    assert catalog.runs[0].timesteps == 200

    later = FakeClock(SYSTEM_CLOCK.unix_s() + facts_module.STALLED_S + 60)
    assert Catalog(models, clock=later).runs[0].status == "stalled"
    recorder.records("episodes").append({"row": 70, "timestep": 280, "unix_s": 0.0, "return": 1.0})
    recorder.sync()
    assert catalog.refresh()
    assert catalog.runs[0].timesteps == 280
    recorder.close()
    catalog.refresh()
    assert catalog.runs[0].status == "crashed"


def test_a_run_whose_process_is_gone_has_crashed(models: Path) -> None:
    run = make_run(models / "gone", status="running")
    manifest = orjson.loads(run.manifest.read_bytes())
    manifest["process"]["started_unix"] -= 1000
    run.manifest.write_bytes(orjson.dumps(manifest))

    assert Catalog(models).runs[0].status == "crashed"


def test_a_name_finds_one_run(models: Path) -> None:
    for name in ("2025-01-01_walk", "2025-01-02_walk", "2025-01-03_trot"):
        make_run(models / name)
    catalog = Catalog(models)

    assert catalog.run("latest").name == catalog.run("trot").name == "2025-01-03_trot"
    assert catalog.run("2025-01-01").name == "2025-01-01_walk"
    with pytest.raises(RunError, match="could mean 2 runs"):
        catalog.run("walk")
    with pytest.raises(RunError, match=r"is called '\.\./secret'"):
        catalog.run("../secret")


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a folder"):
        Catalog(tmp_path / "nothing")
