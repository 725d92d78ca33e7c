"""Writes the files of this folder anew: only for a new version, never to make a test pass.

PYTHONPATH=src:. python tests/golden/replay/regenerate.py
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from trackway.probes.scene import save_scene
from trackway.replay import web_episode
from trackway.replay.container import Packer
from trackway.replay.model import RecordedModel
from trackway.replay.quantised import Channel, decode, encode
from trackway.replay.web_scene import web_scene

HERE = Path(__file__).parent


def menagerie() -> mujoco.MjModel:
    """Every kind of joint and shape in one model."""
    return mujoco.MjModel.from_xml_path(str(HERE / "menagerie.xml"))


def scene(model: mujoco.MjModel) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return web_scene(RecordedModel(Path(folder), save_scene(Path(folder), model)))


def poses(model: mujoco.MjModel) -> list[dict[str, Any]]:
    """What `mj_kinematics` makes of random positions, quaternions not normalised."""
    rng, data, found = np.random.default_rng(7), mujoco.MjData(model), []
    for i in range(12):
        data.qpos[:] = model.qpos0 if i == 0 else rng.uniform(-2, 2, model.nq)
        if i:
            data.mocap_pos[:] = rng.uniform(-2, 2, (model.nmocap, 3))
            data.mocap_quat[:] = rng.uniform(-1, 1, (model.nmocap, 4))
        told = {
            name: np.ravel(getattr(data, name)).tolist()
            for name in ("qpos", "mocap_pos", "mocap_quat")
        }
        mujoco.mj_kinematics(model, data)
        names = ("xpos", "xquat", "geom_xpos", "geom_xmat")
        found.append(told | {name: np.ravel(getattr(data, name)).tolist() for name in names})
    return found


def channels() -> list[Channel]:
    """Columns with everything that a column may have: jumps, gaps, flags, one value, none."""
    t = np.arange(40)
    wave = np.stack([np.sin(t / 7), 100 * np.cos(t / 5), t * 1000.0], axis=1)
    holes = wave[:, 0].copy()
    holes[:2], holes[9], holes[30:] = np.nan, np.inf, -np.inf
    return [
        Channel("wave", wave, np.array([1e-3, 0.25, 3.0]), {"unit": "m", "lead": 1}),
        Channel("holes", holes, np.array([0.01]), {}),
        Channel("flags", np.stack([t % 3 == 0, t > 20], axis=1), np.ones(2), {}),
        Channel("one", np.array([-12345.0]), np.array([0.5]), {}),
        Channel("none", np.empty((0, 2)), np.ones(2), {}),
    ]


def episode() -> tuple[bytes, dict[str, Any]]:
    """A file of channels, and what they hold when decoded."""
    packer, told, decoded = Packer(), [], {}
    for channel in channels():
        header, data = encode(channel)
        told.append(header | {"at": packer.add(data)})
        values = decode(header, data)
        decoded[channel.name] = [None if v != v else v for v in values.ravel().tolist()]
    facts = {"key": "001-golden:0:0", "step_s": 0.02}
    packed = packer.pack(web_episode.MAGIC, web_episode.VERSION, {"facts": facts, "channels": told})
    return packed, decoded


if __name__ == "__main__":
    packed, decoded = episode()
    (HERE / "v1.twsc").write_bytes(scene(menagerie()))
    (HERE / "v1.twep").write_bytes(packed)
    (HERE / "v1.twep.json").write_text(json.dumps(decoded) + "\n")
    (HERE / "kinematics.json").write_text(json.dumps(poses(menagerie())) + "\n")
