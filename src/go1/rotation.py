"""Rotations as records and the public environment write them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def euler_from_quat(quat: Floats) -> Floats:
    """Roll, pitch and yaw in rad, [..., 3], of quaternions (w, x, y, z), [..., 4].

    Yaw is applied first, about the vertical, then pitch, then roll. Quaternions are taken as they
    are, not normalised first: after a noisy reset the public environment's are not.
    """
    w, x, y, z = (quat[..., i] for i in range(4))
    roll = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2 * (w * y - z * x), -1, 1))
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return np.stack([roll, pitch, yaw], axis=-1)
