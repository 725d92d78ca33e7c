from __future__ import annotations

import json

import mujoco
import numpy as np
import pytest
from tests.golden.go1 import regenerate

from go1.model import FLOOR, build_model, model_hash, render_model, sensor_slices
from go1.presets import CTRL_TYPES, PHYSICS, PRESETS
from go1.robot import JOINT_NAMES, JOINTS, LEG_NAMES

EVERY_MODEL = pytest.mark.parametrize(("physics", "ctrl_type"), PRESETS)


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(regenerate.MODELS.read_text())


@EVERY_MODEL
def test_every_field_that_moves_the_robot_is_as_it_was(golden, physics, ctrl_type):
    expected = golden[f"{physics}/{ctrl_type}"]
    actual = regenerate.describe(build_model(ctrl_type, physics))

    assert actual["mass"] == pytest.approx(12.743448)
    assert actual["options"] == expected["options"]
    assert list(actual["fields"]) == list(expected["fields"])
    for name, value in actual["fields"].items():
        np.testing.assert_allclose(
            value, expected["fields"][name], rtol=0, atol=1e-12, err_msg=name
        )


def test_the_upstream_preset_goes_where_it_always_went():
    expected = json.loads(regenerate.TRAJECTORY.read_text())

    np.testing.assert_allclose(regenerate.trajectory(), expected, rtol=0, atol=1e-9)


@EVERY_MODEL
def test_looks_change_no_motion(physics, ctrl_type):
    models = build_model(ctrl_type, physics), render_model(ctrl_type, physics)
    ends = []
    for model in models:
        data = mujoco.MjData(model)
        mujoco.mj_resetDataKeyframe(model, data, 0)
        data.ctrl[:] += 0.1
        mujoco.mj_step(model, data, nstep=200)
        ends.append(data.qpos.copy())

    assert models[1].ngeom > models[0].ngeom
    assert models[1].ncam == 2
    assert models[0].ncam == 0
    np.testing.assert_array_equal(ends[0], ends[1])


@pytest.mark.parametrize("ctrl_type", CTRL_TYPES)
def test_full_and_fast_differ_in_nothing_but_what_collides(ctrl_type):
    full, fast = (regenerate.describe(build_model(ctrl_type, p)) for p in ("full", "fast"))
    differing = {name for name, value in full["fields"].items() if value != fast["fields"][name]}

    assert full["options"] == fast["options"]
    assert differing == {"geom_conaffinity"}


def test_in_fast_only_the_feet_meet_the_floor():
    model = build_model("position", "fast")
    colliding = {model.geom(i).name for i in range(model.ngeom) if model.geom_conaffinity[i]}

    assert colliding == set(LEG_NAMES)


def test_in_full_a_fallen_robot_lies_on_its_trunk_and_in_fast_it_sinks():
    heights = {}
    for physics in ("full", "fast"):
        model = build_model("torque", physics)
        data = mujoco.MjData(model)
        data.qpos[2], data.qpos[3:7] = 0.3, (0, 1, 0, 0)  # on its back
        mujoco.mj_step(model, data, nstep=200)
        heights[physics] = data.qpos[2]

    assert heights["full"] > 0.03
    assert heights["fast"] < 0


def test_joints_and_legs_come_in_the_documented_order():
    model = build_model("position")

    assert [model.joint(i).name for i in range(1, model.njnt)] == list(JOINT_NAMES)
    assert JOINT_NAMES[:3] == ("FR_hip_joint", "FR_thigh_joint", "FR_calf_joint")
    assert [name[:2] for name in JOINT_NAMES[::3]] == ["FR", "FL", "RR", "RL"]
    assert model.actuator_trnid[:, 0].tolist() == list(range(1, 13))


def test_the_armature_is_the_rotor_seen_through_the_gear():
    model = build_model("torque", "full")

    expected = [0.000111842 * ratio**2 for ratio in (6, 6, 9)] * 4
    np.testing.assert_allclose(model.dof_armature[6:], expected)


def test_torque_control_reaches_the_motors_limits_at_one():
    model = build_model("torque", "full")
    data = mujoco.MjData(model)
    data.ctrl[:] = 5.0
    mujoco.mj_forward(model, data)

    np.testing.assert_allclose(data.qfrc_actuator[6:], [j.torque_limit for j in JOINTS] * 4)


def test_position_control_never_exceeds_the_motors_limits():
    model = build_model("position", "full")
    data = mujoco.MjData(model)
    data.ctrl[:] = 100.0
    mujoco.mj_forward(model, data)

    np.testing.assert_allclose(data.qfrc_actuator[6:], [j.torque_limit for j in JOINTS] * 4)


def test_sensors_agree_with_the_state():
    model = build_model("position", "full")
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    data.ctrl[:] += 0.2
    mujoco.mj_step(model, data, nstep=60)
    mujoco.mj_forward(model, data)
    values = {name: data.sensordata[where] for name, where in sensor_slices(model).items()}
    trunk = data.body("trunk").xmat.reshape(3, 3)

    np.testing.assert_allclose(values["gyro"], data.qvel[3:6], atol=1e-12)
    np.testing.assert_allclose(values["linear_velocity"], trunk.T @ data.qvel[:3], atol=1e-12)
    np.testing.assert_allclose(values["up"], trunk.T @ [0, 0, 1], atol=1e-12)
    for leg in LEG_NAMES:
        np.testing.assert_allclose(values[f"{leg}_position"], data.geom(leg).xpos, atol=1e-12)
    torques = [values[f"{name.removesuffix('_joint')}_torque"][0] for name in JOINT_NAMES]
    np.testing.assert_allclose(torques, data.qfrc_actuator[6:], atol=1e-12)


def test_contact_sensors_report_the_weight_on_each_foot():
    model = build_model("position", "full")
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_step(model, data, nstep=2000)
    where = sensor_slices(model)
    contacts = np.array([data.sensordata[where[f"{leg}_contact"]] for leg in LEG_NAMES])

    np.testing.assert_array_equal(contacts[:, 0], 1)
    assert (contacts[:, 3] > 10).all()
    assert contacts[:, 3].sum() == pytest.approx(model.body_mass.sum() * 9.81, rel=0.05)


def test_equal_models_have_equal_hashes_and_others_do_not():
    model, same, other = build_model("torque"), build_model("torque"), build_model("torque")
    other.body_mass[1] += 0.1

    assert model_hash(model) == model_hash(same) != model_hash(other)


@pytest.mark.parametrize(
    ("ctrl_type", "physics", "sentence"),
    [
        ("velocity", "full", "ctrl_type must be one of 'position', 'torque'; got 'velocity'"),
        ("torque", "slow", "physics must be one of 'upstream', 'full', 'fast'; got 'slow'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(ctrl_type, physics, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_model(ctrl_type, physics)


def test_every_preset_is_listed():
    assert set(PRESETS) == {(physics, ctrl) for physics in PHYSICS for ctrl in CTRL_TYPES}
    assert build_model("position").geom(FLOOR).type == mujoco.mjtGeom.mjGEOM_PLANE
