"""What the pages about one run ask."""

import zipfile

import pytest
from tests.support.dashboard import built_page, serving
from tests.support.recorded_run import NUM_ENVS, RecordedRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    run = RecordedRun(folder / "models" / "dip")
    run.train(300, reward=1.0)
    run.event("checkpoint", path="x.zip")
    run.train(300, reward=0.2)
    run.close()
    (folder / "models" / "dip" / "checkpoints").mkdir()
    with zipfile.ZipFile(folder / "models/dip/checkpoints/checkpoint_1.zip", "w") as archive:
        archive.writestr("data", "{}")
    (folder / "models/dip/checkpoints/checkpoint_2.zip").write_bytes(b"torn")
    for seed in (1, 2):
        other = RecordedRun(folder / "models" / f"seed{'_' * seed}", planned=20_000)
        other.train(200, reward=0.5 + seed / 10)
        other.close()
    return folder


@pytest.fixture(scope="module")
def site(folder):
    with serving(folder / "models", built_page(folder / "page")) as site:
        yield site


def test_reasons_are_told_by_environment_and_by_command(site):
    told = site.get("/api/runs/dip/reasons").json()

    assert sum(told["total"]) == 120
    assert [sum(map(sum, told["by_env"]))] == [120]
    assert len(told["by_env"]) == NUM_ENVS
    assert told["commands"] == ["forward"]
    assert sum(map(sum, told["by_command"][0])) == 120
    assert len(told["edges"][0]) == len(told["by_command"][0]) + 1


def test_reasons_of_a_stretch_are_those_of_the_stretch(site):
    told = site.get("/api/runs/dip/reasons?start=1200&end=2400").json()

    assert 55 <= sum(told["total"]) <= 61


def test_a_dip_is_explained_by_what_changed_in_it(site):
    told = site.get("/api/runs/dip/explain?start=1200&end=2400").json()
    changes = {change["key"]: change for change in told["changes"]}

    assert (told["episodes_before"], told["episodes_during"]) == (60, 60)
    assert changes["episodes:return"]["effect"] < -5
    progress = changes["episodes:reward_components.progress"]
    assert (progress["before"], progress["during"]) == (pytest.approx(120.0), pytest.approx(24.0))
    assert "updates:train/approx_kl" not in changes
    assert sum(reason["during"] for reason in told["reasons"]) == pytest.approx(1)
    assert [marker["kind"] for marker in told["markers"]] == ["checkpoint", "end"]


@pytest.mark.parametrize("query", ["", "start=5", "start=9&end=3", "start=nan&end=4"])
def test_an_explanation_needs_a_stretch(site, query):
    assert site.get(f"/api/runs/dip/explain?{query}").status == 400


def test_checkpoints_are_listed_with_what_is_wrong_with_them(site):
    rows = {row["name"]: row for row in site.get("/api/runs/dip/checkpoints").json()}

    assert rows["checkpoint_2.zip"]["verified"] is False
    assert rows["checkpoint_2.zip"]["error"]
    assert "--model_path" in rows["checkpoint_2.zip"]["resume"]
    assert "--run_name checkpoint_1-fork" in rows["checkpoint_1.zip"]["fork"]


def test_many_checkpoints_are_checked_some_at_each_look(site, folder):
    checkpoints = folder / "models" / "seed_" / "checkpoints"
    checkpoints.mkdir()
    for number in range(90):
        (checkpoints / f"checkpoint_{number}.zip").write_bytes(b"torn")

    def unchecked():
        rows = site.get("/api/runs/seed_/checkpoints").json()
        return sum(row["verified"] is None for row in rows)

    assert [unchecked(), unchecked(), unchecked()] == [50, 10, 0]


def test_health_counts_rows_and_checks_every_byte(site):
    streams = {}
    for _ in range(100):
        told = site.get("/api/runs/dip/health").json()
        streams = {stream["stream"]: stream for stream in told["streams"]}
        if not any(stream["checking"] for stream in streams.values()):
            break

    assert streams["steps"]["rows"] == 600
    assert streams["steps"]["verified"] is True
    assert all(stream["lost"] == 0 for stream in streams.values())
    assert told["size_bytes"] == sum(place["size_bytes"] for place in told["places"])
    assert told["verify"].endswith("dip")


def test_health_of_a_run_that_is_recorded_is_read_from_its_rings(folder, site):
    run = RecordedRun(folder / "models" / "running")
    run.train(60)
    try:
        told = site.get("/api/runs/running/health").json()
        row = site.get("/api/runs/running/overview").json()["row"]
    finally:
        run.close()

    steps = next(stream for stream in told["streams"] if stream["stream"] == "steps")
    assert steps["recording"] is True
    assert steps["rows"] == 60
    assert row["state"] == "running"
    assert row["timesteps"] == 240


def test_the_configuration_is_told_line_by_line(site):
    facts = {
        (fact["section"], fact["key"]): fact["value"]
        for fact in site.get("/api/runs/dip/facts").json()
    }

    assert facts["config", "ppo.learning_rate"] == "0.0003"
    assert facts["run", "command"] == "train.py"
    assert facts["run", "created_unix"][10] == "T"
    assert facts["run", "status"] == "finished"
    assert any(section.startswith("attempt 001") for section, _ in facts)


def test_seeds_are_one_group_and_settings_that_differ_are_told(site):
    told = site.get("/api/compare?runs=seed_,seed__,dip").json()
    returns = next(row for row in told["figures"] if row["name"] == "return")["values"]

    assert told["groups"] == [0, 0, 1]
    assert [row["key"] for row in told["differs"]] == ["ppo.seed", "total_timesteps"]
    assert told["same"] == 1
    assert returns[0]["low"] < returns[0]["mean"] < returns[0]["high"]
    assert returns[0]["high"] < returns[1]["low"]
    assert site.get("/api/compare?runs=dip,nope").status == 404


def test_a_collapse_is_an_alert_and_a_good_run_has_none(site, folder):
    good = RecordedRun(folder / "models" / "good")
    good.train(1200)
    good.close()
    bad = RecordedRun(folder / "models" / "collapsed")
    bad.train(800, reward=0.1)
    bad.train(600, reward=1.0)
    bad.train(600, reward=0.1, nan_at=1900)
    bad.event("not_finite", where="reward", env=1)
    bad.close()

    assert site.get("/api/runs/good/alerts").json() == []
    found = {alert["kind"]: alert for alert in site.get("/api/runs/collapsed/alerts").json()}
    assert set(found) == {"collapse", "not_finite"}
    assert 1400 * NUM_ENVS < found["collapse"]["timestep"] < 1700 * NUM_ENVS
    assert found["collapse"]["facts"]["best"] == pytest.approx(100, abs=2)
