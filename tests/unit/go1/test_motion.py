import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from go1.model import build_model, sensor_slices
from go1.motion import Motion
from go1.robot import FOOT_RADIUS


@pytest.fixture
def tumbled():
    """Three robots in random attitudes and motion, read by Motion, and MuJoCo's own sensors."""
    rng = np.random.default_rng(0)
    model = build_model("position", "full")
    batch = Batch(model, 3, 1)
    motion = Motion(batch, dt=0.02)
    quat = rng.normal(size=(3, 4))
    batch.bind("qpos")[:, 2] = 0.3
    batch.bind("qpos")[:, 3:7] = quat / np.linalg.norm(quat, axis=1, keepdims=True)
    batch.bind("qvel")[:] = rng.normal(size=(3, 18))
    batch.forward()
    motion.restart(np.arange(3))
    where, data = sensor_slices(model), batch.bind("sensordata")
    return motion, {name: data[:, part] for name, part in where.items()}, batch


def test_velocity_and_up_are_what_sensors_on_the_trunk_measure(tumbled):
    motion, sensors, _ = tumbled

    np.testing.assert_allclose(motion.velocity, sensors["linear_velocity"], atol=1e-12)
    np.testing.assert_allclose(motion.gyro, sensors["gyro"], atol=1e-12)
    np.testing.assert_allclose(motion.up, sensors["up"], atol=1e-12)


def test_feet_are_where_their_sensors_are(tumbled):
    motion, sensors, _ = tumbled

    np.testing.assert_array_equal(motion.foot_position[:, 1], sensors["FL_position"])
    np.testing.assert_allclose(motion.foot_height[:, 2], sensors["RR_position"][:, 2] - FOOT_RADIUS)


def test_a_robot_that_stands_is_carried_by_its_feet(tumbled):
    _, _, batch = tumbled
    model: mujoco.MjModel = batch.model
    motion = Motion(batch, dt=0.005)
    batch.reset(keyframe=0)
    motion.restart(np.arange(3))
    for _ in range(300):
        batch.step()
        motion.update()

    weight = model.body_mass.sum() * 9.81
    assert motion.foot_force.sum(axis=1) == pytest.approx([weight] * 3, rel=0.02)
    assert motion.foot_contact.all()
    assert not motion.feet_air_time.any()
    np.testing.assert_allclose(motion.foot_velocity, 0, atol=1e-2)


def test_air_time_grows_while_a_foot_is_up(tumbled):
    _, _, batch = tumbled
    motion = Motion(batch, dt=0.005)
    batch.reset(keyframe=0)
    batch.bind("qpos")[:, 2] = 1.0
    motion.restart(np.arange(3))
    for _ in range(4):
        batch.step()
        motion.update()

    np.testing.assert_allclose(motion.feet_air_time, 0.02)
