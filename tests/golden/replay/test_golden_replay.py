"""Scenes and episodes that pages were given once open for ever, in Python as in TypeScript."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.golden.replay import regenerate

from trackway.errors import FormatError
from trackway.replay import web_episode, web_scene
from trackway.replay.container import unpack
from trackway.replay.quantised import decode

HERE = Path(__file__).parent


def test_the_kinematics_that_pages_are_held_to_are_mujocos_own():
    poses = regenerate.poses(regenerate.menagerie())
    golden = json.loads((HERE / "kinematics.json").read_text())

    for pose, expected in zip(poses, golden, strict=True):
        for name, values in expected.items():
            np.testing.assert_allclose(pose[name], values, rtol=0, atol=1e-12)


def test_the_menagerie_has_every_joint_and_every_shape():
    model = regenerate.menagerie()

    assert set(model.jnt_type.tolist()) == {0, 1, 2, 3}
    assert set(model.geom_type.tolist()) == {0, 1, 2, 3, 4, 5, 6, 7}
    assert model.nmocap == 1


def test_an_old_episode_is_decoded_as_it_always_was():
    header, data = unpack((HERE / "v1.twep").read_bytes(), web_episode.MAGIC, 1)
    expected = json.loads((HERE / "v1.twep.json").read_text())

    for channel in header["channels"]:
        size = channel["planes"] * channel["count"] * int(np.prod(channel["shape"]))
        values = decode(channel, data[channel["at"] : channel["at"] + size]).ravel()
        wanted = [np.nan if v is None else v for v in expected[channel["name"]]]
        np.testing.assert_array_equal(values, wanted)


def test_an_old_scene_opens():
    header, data = unpack((HERE / "v1.twsc").read_bytes(), web_scene.MAGIC, 1)

    assert [body["name"] for body in header["bodies"]][:4] == [
        "world",
        "target",
        "trunk",
        "shoulder",
    ]
    (mesh,) = header["meshes"].values()
    points = mesh["points"]
    raw = np.frombuffer(data, points["dtype"], int(np.prod(points["shape"])), points["at"])
    assert raw.reshape(points["shape"]).max() == 65535


def test_what_is_written_today_says_the_same_of_the_same_model():
    written, _ = unpack(regenerate.scene(regenerate.menagerie()), web_scene.MAGIC, 1)
    golden, _ = unpack((HERE / "v1.twsc").read_bytes(), web_scene.MAGIC, 1)

    for kind in ("bodies", "joints", "geoms", "actuators", "materials", "hfields", "sky", "nq"):
        assert written[kind] == golden[kind]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PNG.............", "does not begin with TWSC"),
        (b"TWSC\x63\x00\x00\x00\x00\x00\x00\x00", "of version 99"),
        (b"TWSC\x01\x00\x00\x00\xff\x00\x00\x00", "cut short"),
    ],
)
def test_what_cannot_be_read_is_refused(data, says):
    with pytest.raises(FormatError, match=says):
        unpack(data, web_scene.MAGIC, 1)
