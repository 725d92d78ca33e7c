"""What the server answers about episodes."""

import gzip

import pytest
from tests.support.dashboard import built_page, serving
from tests.support.go1_runs import short_go1_run

from trackway import read_records
from trackway.replay.container import unpack


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    run = short_go1_run(folder / "models" / "walk", checkpoint_every=256)
    page = built_page(folder / "page")
    with serving(folder / "models", page, drive="go1.driving:drive") as site:
        site.run = run
        site.records = read_records(run, "episodes")
        yield site


BELOW = "/api/runs/walk/episodes"


def test_episodes_are_listed_by_window_reason_and_order(site):
    everything = site.get(BELOW).json()
    fell = site.get(f"{BELOW}?reason=fell&order=worst&limit=3").json()
    late = site.get(f"{BELOW}?from=400&order=oldest").json()

    assert everything["total"] == len(site.records) == sum(everything["reasons"].values())
    assert [e["number"] for e in everything["episodes"]] == list(range(len(site.records)))[::-1]
    returns = sorted(r["return"] for r in site.records if r["termination_reason"] == "fell")
    assert [e["return"] for e in fell["episodes"]] == returns[:3]
    assert fell["total"] == len(returns)
    assert min(e["timestep"] for e in late["episodes"]) > 400


def test_episodes_are_listed_by_environment_and_by_what_was_asked(site):
    starts = read_records(site.run, "starts")
    asked = {(s["env"], s["episode"]): s["start"]["command"][0] for s in starts}
    middle = sorted(asked.values())[len(asked) // 2]
    of_env = [n for n, r in enumerate(site.records) if r["env"] == 2]
    slow = [n for n, r in enumerate(site.records) if asked[r["env"], r["episode"]] < middle]

    assert _numbers(site, "env=2") == of_env
    assert _numbers(site, f"command=0:..{middle}") == slow
    assert len(_numbers(site, f"command=0:{middle}..")) == len(site.records) - len(slow)
    assert _numbers(site, f"env=2&command=0:..{middle}") == sorted({*of_env} & {*slow})
    assert sum(site.get(f"{BELOW}?env=2&reason=fell").json()["reasons"].values()) == len(of_env)
    clips, _ = unpack(site.get(f"{BELOW}/clips?env=2&limit=3&order=oldest").body, b"TWEP", 1)
    assert [clip["number"] for clip in clips["clips"]] == of_env[:3]


@pytest.mark.parametrize("wrong", ["env=x", "command=0", "command=7:1..2", "command=0:1..e"])
def test_what_cannot_be_meant_is_refused(site, wrong):
    assert site.get(f"{BELOW}?{wrong}").status == 400


def _numbers(site, query):
    listed = site.get(f"{BELOW}?limit=500&order=oldest&{query}").json()["episodes"]
    return [episode["number"] for episode in listed]


def test_an_episode_is_played_with_its_scene_and_columns(site):
    key = site.get(BELOW).json()["episodes"][0]["key"]
    reply = site.get(f"{BELOW}/{key}/replay", accept_encoding="gzip")
    header, _ = unpack(gzip.decompress(reply.body), b"TWEP", 1)
    facts = header["facts"]
    scene = site.get(f"/api/runs/walk/scenes/{facts['scene']}?physics={facts['physics']}")
    columns, _ = unpack(site.get(f"{BELOW}/{key}/columns?names=torque").body, b"TWEP", 1)

    assert reply.headers["content-encoding"] == "gzip"
    assert facts["key"] == key
    assert "immutable" in scene.headers["cache-control"]
    assert unpack(scene.body, b"TWSC", 1)[0]["nq"] == 19
    assert [c["name"] for c in columns["channels"]] == ["torque"]


def test_extremes_evolution_and_clips(site):
    extremes = site.get(f"{BELOW}/extremes?from=0&to=400").json()
    evolution = site.get(f"{BELOW}/evolution").json()
    clips, _ = unpack(site.get(f"{BELOW}/clips?reason=fell&limit=5&steps=10").body, b"TWEP", 1)

    assert extremes["worst"]["return"] <= extremes["median"]["return"] <= extremes["best"]["return"]
    assert len(evolution) == 5
    assert len(clips["clips"]) == 5
    assert {clip["reason"] for clip in clips["clips"]} == {"fell"}
    assert all(channel["count"] <= 10 for channel in clips["channels"])
    assert [c["name"] for c in clips["channels"]] == [c["key"] for c in clips["clips"]]


def test_policies_are_those_of_the_models_of_the_run(site, tmp_path):
    told = site.get("/api/runs/walk/policies").json()
    with serving(site.run.parent, built_page(tmp_path / "page")) as careful:
        refused = careful.get(f"{BELOW}/0/what-if?policy={told['policies'][0]['name']}")
        allowed = careful.get("/api/runs/walk/policies").json()["allowed"]

    assert told["allowed"]
    assert [p["name"] for p in told["policies"]] == sorted(
        (path.name for path in (site.run / "checkpoints").glob("*.zip")), reverse=True
    )
    assert told["policies"][-1]["timestep"] == 256
    assert not allowed
    assert refused.status == 400
    assert "--drive" in refused.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        (f"{BELOW}/0/what-if?policy=..%2Fcheckpoints%2Fx.zip", 400, "no checkpoint"),
        (f"{BELOW}/99999/replay", 422, "there is no episode 99999"),
        (f"{BELOW}/..%2F..%2Fetc/replay", 404, ""),
        (f"{BELOW}/0/columns?names=shoes", 422, "no column 'shoes'"),
        (f"{BELOW}?limit=9999999", 400, "limit"),
        ("/api/runs/nobody/episodes", 404, "there is no run"),
        (f"/api/runs/walk/scenes/{'0' * 64}", 422, "motion cannot be shown"),
        ("/api/runs/walk/scenes/passwd", 422, "names no model"),
    ],
)
def test_what_is_not_there_is_said(site, path, status, says):
    reply = site.get(path)

    assert reply.status == status
    assert says in reply.body.decode()
    if "there is no episode" in says:
        assert reply.json()["code"] == "unknown"
