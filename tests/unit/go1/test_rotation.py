from __future__ import annotations

import mujoco
import numpy as np

from go1.rotation import euler_from_quat


def test_angles_about_the_axes_are_roll_pitch_and_yaw():
    for axis in range(3):
        quat = np.zeros(4)
        mujoco.mju_axisAngle2Quat(quat, np.eye(3)[axis], 0.3)

        np.testing.assert_allclose(euler_from_quat(quat), 0.3 * np.eye(3)[axis], atol=1e-12)


def test_yaw_comes_first_then_pitch_then_roll():
    rng = np.random.default_rng(0)
    angles = rng.uniform(-1, 1, (20, 3)) * [3.1, 1.5, 3.1]
    quats = np.zeros((20, 4))
    for quat, (roll, pitch, yaw) in zip(quats, angles, strict=True):
        # MuJoCo's lower-case letters turn about the moving axes
        mujoco.mju_euler2Quat(quat, np.array([yaw, pitch, roll]), "zyx")

    np.testing.assert_allclose(euler_from_quat(quats), angles, atol=1e-9)


def test_a_pitch_beyond_the_vertical_stays_a_number():
    quat = np.array([1.0, 0.0, 1.0, 0.0]) * 0.75  # not normalised: 2(wy - zx) = 1.125

    assert euler_from_quat(quat)[1] == np.pi / 2
