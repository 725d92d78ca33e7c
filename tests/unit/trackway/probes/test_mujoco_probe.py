import gymnasium as gym
import mujoco
import numpy as np
from tests.support.sliding_ball import SlidingBall

from trackway.probes.mujoco_probe import MujocoProbe
from trackway.probes.probe import empty_row
from trackway.probes.scene import model_bytes, save_scene

TABLE = """
<mujoco>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 .1"/>
    <body pos="0 0 .1"><freejoint name="root"/><geom name="box" type="box" size=".1 .1 .1" mass="2"/></body>
    <body pos="1 0 3"><freejoint/><geom name="high" type="sphere" size=".1"/></body>
  </worldbody>
  <sensor><framepos name="where" objtype="geom" objname="box"/></sensor>
</mujoco>"""


class Table:
    def __init__(self):
        self.model = mujoco.MjModel.from_xml_string(TABLE)
        self.data = mujoco.MjData(self.model)


def test_every_array_is_what_mujoco_has():
    env = gym.make("Ant-v5")
    env.reset(seed=0)
    env.step(np.full(8, 0.5, np.float32))
    probe = MujocoProbe(env)
    row = empty_row(probe.schema, 1)
    probe.read(row)
    data = env.unwrapped.data

    for name in ("qpos", "qvel", "ctrl", "actuator_force", "time"):
        np.testing.assert_array_equal(row[name][0], getattr(data, name))
    assert {field.name for field in probe.schema} >= {"qpos", "qvel", "contact_force"}


def test_a_resting_box_presses_with_its_weight_and_what_flies_with_nothing():
    env = Table()
    for _ in range(500):
        mujoco.mj_step(env.model, env.data)
        if env.data.time > 0.5:
            break
    probe = MujocoProbe(env)
    row = empty_row(probe.schema, 1)
    probe.read(row)
    fields = {field.name: field for field in probe.schema}

    assert fields["contact_force"].description.endswith("box, high")
    np.testing.assert_allclose(row["contact_force"][0], [2 * 9.81, 0.0], rtol=1e-3)
    assert "where [3]" in fields["sensordata"].description
    assert fields["qpos"].unit == "m, rad"


def test_contacts_of_chosen_geoms_only():
    env = Table()
    mujoco.mj_forward(env.model, env.data)
    probe = MujocoProbe(env, geoms=["floor"])

    assert [f.shape for f in probe.schema if f.name == "contact_force"] == [(1,)]


def test_a_start_tells_where_the_model_differs_from_its_scene():
    env = SlidingBall()
    env.reset()
    probe = MujocoProbe(env)
    assert probe.start()["overrides"] == {}

    env.model.body_mass[1] = 7.25
    env.model.opt.gravity[2] = -3.0

    assert probe.start()["overrides"] == {
        "body_mass": {"index": [1], "value": [7.25]},
        "opt.gravity": {"index": [2], "value": [-3.0]},
    }
    assert probe.start()["qpos"] == env.data.qpos.tolist()


def test_a_scene_is_kept_once_and_opens_again(tmp_path):
    model = SlidingBall().model
    digest = save_scene(tmp_path / "scenes", model)
    kept = tmp_path / "scenes" / f"{digest}.npz"
    before = kept.stat().st_mtime_ns

    assert save_scene(tmp_path / "scenes", SlidingBall().model) == digest
    assert kept.stat().st_mtime_ns == before
    with np.load(kept, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["geom_size"], model.geom_size)
        assert arrays["opt.timestep"] == model.opt.timestep
        assert b"ball" in arrays["names"].tobytes().split(b"\0")
    again = mujoco.MjModel.from_binary_path(str(kept.with_suffix(".mjb")))
    assert model_bytes(again) == model_bytes(model)
