import struct

import numpy as np
import orjson
import pytest
from tests.support.dashboard import built_page, serving
from tests.support.recorded_run import NUM_ENVS, RecordedRun


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    run = RecordedRun(folder / "models" / "a")
    run.train(600, nan_at=321)
    run.close()
    with serving(folder / "models", built_page(folder / "page")) as site:
        yield site


def read_frame(body):
    (size,) = struct.unpack_from("<I", body)
    head, offset = orjson.loads(body[4 : 4 + size]), 4 + size
    curves, places = {}, []
    for told in head["curves"]:
        parts = ([] if "same" in told else ["x"]) + (
            ["mean"] if told.get("line") else ["lo", "hi", "mean"]
        )
        arrays = {}
        for part in parts if told["n"] else []:
            arrays[part] = np.frombuffer(body, "<f4", told["n"], offset)
            offset += 4 * told["n"]
        if "same" in told:
            arrays["x"] = places[told["same"]]
        places.append(arrays.get("x"))
        curves[told["key"]] = told | arrays
    assert offset == len(body)
    return head["at"], curves


def test_a_curve_keeps_its_extremes_and_says_where_a_value_is_not_finite(site):
    reply = site.get("/api/runs/a/curves?keys=steps:reward&n=60")
    at, curves = read_frame(reply.body)
    curve = curves["steps:reward"]

    assert at.split(".")[0] == "600"
    assert curve["n"] == 60
    assert (curve["lo"] <= curve["mean"]).all()
    assert (curve["mean"] <= curve["hi"]).all()
    assert curve["lo"][0] < curve["hi"][0]
    assert curve["from"] + curve["x"][-1] == 600 * NUM_ENVS
    assert curve["bad"] == [32]


def test_curves_of_one_stream_share_their_places(site):
    keys = "episodes:return,episodes:length,updates:train/approx_kl"
    _, curves = read_frame(site.get(f"/api/runs/a/curves?keys={keys}&n=40").body)

    assert "same" not in curves["episodes:return"]
    assert curves["episodes:length"]["same"] == 0
    assert curves["updates:train/approx_kl"]["line"] is True
    assert curves["updates:train/approx_kl"]["n"] == 12


def test_a_thousand_extremes_are_at_most_8_kilobytes(site):
    body = site.get("/api/runs/a/curves?keys=steps:reward&n=500").body
    _, curves = read_frame(body)

    assert curves["steps:reward"]["n"] == 500
    assert len(body) <= 8192 + 200


def test_what_a_run_has_not_is_told_beside_what_it_has(site):
    _, curves = read_frame(site.get("/api/runs/a/curves?keys=steps:nope,nope:x,steps:reward").body)

    assert [curves[key]["n"] > 0 for key in ("steps:nope", "nope:x", "steps:reward")] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("x", ["timestep", "time", "update", "episode", "row"])
def test_every_axis_rises(site, x):
    _, curves = read_frame(
        site.get(f"/api/runs/a/curves?keys=steps:reward,episodes:return&x={x}").body
    )

    for curve in curves.values():
        assert (np.diff(curve["x"]) >= 0).all()
        assert curve["x"][-1] > 0


@pytest.mark.parametrize(
    "query",
    [
        "x=nope",
        "n=0",
        "n=1e9",
        "n=x",
        "keys=steps:reward,episodes:return,episodes:length&n=4,4",
        "start=a",
        "keys=" + ",".join(f"steps:{i}" for i in range(65)),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(site, query):
    reply = site.get(f"/api/runs/a/curves?{query}")

    assert reply.status == 400
    assert reply.json()["error"]


@pytest.mark.parametrize("name", ["..", "a/..", "%2e%2e", "nope", "A", "latest", "%00"])
def test_a_run_is_looked_up_and_never_joined_to_a_path(site, name):
    assert site.get(f"/api/runs/{name}/overview").status == 404


def test_the_overview_tells_what_can_be_drawn(site):
    told = site.get("/api/runs/a/overview").json()
    fields = {f"{field['stream']}:{field['name']}": field for field in told["fields"]}

    assert fields["steps:torque"]["numbers"] == 3
    assert "episodes:reward_components.progress" in fields
    assert "updates:train/approx_kl" in fields
    assert told["reasons"] == ["fell", "time_limit"]
    assert [marker["kind"] for marker in told["markers"]] == ["begin", "end"]
    assert told["markers"][1]["at"]["update"] == 12
    assert (told["num_envs"], told["episodes"]) == (NUM_ENVS, 120)


def test_shares_count_every_episode_once(site):
    told = site.get("/api/runs/a/shares?n=10").json()

    assert sum(map(sum, told["reasons"].values())) == 120
    assert len(told["x"]) == 10


def test_the_strip_keeps_an_environment_as_it_was_until_it_starts_again(site):
    body = site.get("/api/runs/a/strip?n=20").body
    (size,) = struct.unpack_from("<I", body)
    head = orjson.loads(body[4 : 4 + size])
    pixels = np.frombuffer(body, np.uint8, offset=4 + size).reshape(head["envs"], head["n"])

    assert head["envs"] == NUM_ENVS
    assert (np.diff(pixels[0].astype(int)) <= 0).all()
    assert pixels.max() > 240
