import math

import mujoco
import pytest

from trackway.probes.mujoco_state import euler, robot_state

FLYING = """<mujoco><worldbody><body pos="0 0 1"><freejoint/><geom size=".1" mass="1"/>
<body><joint name="knee" axis="0 1 0"/><geom size=".1" mass="1" pos=".3 0 0"/></body>
</body></worldbody></mujoco>"""
FIXED = """<mujoco><worldbody><body><joint axis="0 1 0"/><geom size=".1" mass="1" pos=".3 0 0"/>
</body></worldbody></mujoco>"""


def test_a_robot_with_a_free_joint_is_somewhere():
    model = mujoco.MjModel.from_xml_string(FLYING)
    data = mujoco.MjData(model)
    data.qpos[:] = [3, 4, 0.5, math.cos(0.2), 0, 0, math.sin(0.2), 0.7]
    data.qvel[:] = [1, 2, 3, 4, 5, 6, 7]
    mujoco.mj_forward(model, data)

    state = robot_state(model, data)

    assert state["position"] == {"x": 3.0, "y": 4.0, "z": 0.5, "distance_from_origin": 5.0}
    assert state["orientation"]["euler"] == pytest.approx([0, 0, 0.4])
    assert state["velocity"] == {"linear": [1, 2, 3], "angular": [4, 5, 6], "joint": [7]}
    assert (state["joint_positions"], len(state["joint_accelerations"])) == ([0.7], 1)


def test_a_robot_without_one_has_joints_only():
    model = mujoco.MjModel.from_xml_string(FIXED)

    state = robot_state(model, mujoco.MjData(model))

    assert "position" not in state
    assert state["joint_positions"] == [0.0]


def test_euler_angles_of_an_unnormalised_quaternion():
    assert euler([2 * math.cos(0.3), 2 * math.sin(0.3), 0, 0]) == pytest.approx([0.6, 0, 0])
