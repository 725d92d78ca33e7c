"""What a page gets of an episode: small, within the stated bounds, and something in every case."""

import gzip
import shutil

import numpy as np
import pytest
from tests.support.go1_runs import short_go1_run

from trackway.errors import SceneError, StreamError
from trackway.replay.container import unpack
from trackway.replay.episodes import EpisodeIndex
from trackway.replay.model import RecordedModel
from trackway.replay.quantised import decode
from trackway.replay.trajectory import load
from trackway.replay.web_episode import (
    ANGLE_STEP_RAD,
    LENGTH_STEP_M,
    MAGIC,
    QUATERNION_STEP,
    models_of,
    web_columns,
    web_episode,
)
from trackway.replay.web_scene import web_scene
from trackway.storage.places import scenes_folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return short_go1_run(tmp_path_factory.mktemp("run"))


def _open(run, number=5):
    index = EpisodeIndex(run)
    trajectory = load(index.attempts[0], index[number])
    return trajectory, models_of(trajectory, lambda d: RecordedModel(scenes_folder(run), d))


def _channels(packed):
    header, data = unpack(packed, MAGIC, 1)
    found = {}
    for channel in header["channels"]:
        size = channel["planes"] * channel["count"] * int(np.prod(channel["shape"]))
        found[channel["name"]] = decode(channel, data[channel["at"] : channel["at"] + size])
    return header.get("facts"), found


def test_motion_is_within_the_stated_bounds(run):
    trajectory, models = _open(run)
    facts, channels = _channels(web_episode(trajectory, models))
    error = np.abs(channels["qpos"] - trajectory.qpos).max(axis=0)

    assert (error[:3] <= LENGTH_STEP_M / 2).all()
    assert (error[3:7] <= QUATERNION_STEP / 2).all()
    assert (error[7:] <= ANGLE_STEP_RAD / 2).all()
    assert channels["frame"].tolist() == trajectory.frames.tolist()
    np.testing.assert_array_equal(channels["foot_contact"], trajectory.columns["foot_contact"])
    assert facts["step_s"] == pytest.approx(0.02)
    assert [foot["name"] for foot in facts["feet"]] == ["FR", "FL", "RR", "RL"]
    assert {limit["name"] for limit in facts["limits"]} == {"height", "upright"}
    assert facts["scene"] == trajectory.scene["render"]


def test_randomised_physics_is_told_in_words_and_where_it_shapes_the_robot(run):
    trajectory, models = _open(run)
    facts, _ = _channels(web_episode(trajectory, models))
    by_field = {(o["field"], o["of"]): o for o in facts["overrides"] if not o["part"]}
    mass = by_field["body_mass", "trunk"]

    assert mass["scene"] == pytest.approx(5.204)
    assert 4.2 < mass["value"] < 6.3
    assert {of for field, of in by_field if field == "geom_friction"} == {"FR", "FL", "RR", "RL"}
    trunk = models.drawn.names("body").index("trunk")
    assert facts["shape"] == {"body_mass": [[trunk, 0, mass["value"]]]}


def test_columns_come_on_demand_and_unknown_ones_are_refused(run):
    trajectory, _ = _open(run)
    _, channels = _channels(web_columns(trajectory, ["torque", "qvel"]))

    spread = np.ptp(trajectory.columns["torque"], axis=0)
    assert (np.abs(channels["torque"] - trajectory.columns["torque"]).max(0) <= spread / 1000).all()
    with pytest.raises(StreamError, match="no column 'shoes'"):
        web_columns(trajectory, ["shoes"])


def test_a_missing_model_is_said_and_the_columns_remain(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(scenes_folder(tmp_path / "run"))
    trajectory, models = _open(tmp_path / "run")
    facts, channels = _channels(web_episode(trajectory, models))

    assert facts["scene"] is None
    assert "is not in" in facts["problem"]
    assert "qpos" not in channels
    assert len(channels["reward"]) == len(trajectory)


def test_a_damaged_model_is_said(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    for path in scenes_folder(tmp_path / "run").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:1000])
    _, models = _open(tmp_path / "run")

    assert models.drawn is None
    assert "cannot be read" in models.problem


@pytest.mark.parametrize("digest", ["../../etc/passwd", "", "abc"])
def test_only_a_digest_names_a_model(tmp_path, digest):
    with pytest.raises(SceneError, match="names no model"):
        RecordedModel(tmp_path, digest)


def test_the_go1_is_less_than_200_kb(run):
    _, models = _open(run)

    assert len(gzip.compress(web_scene(models.drawn, models.physics))) < 200_000
