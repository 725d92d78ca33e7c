"""What the policy sees: 50 numbers per robot, in fixed scales, from the state as it is now.

     0:3   velocity, task frame, times 1 (m/s)
     3:6   angular velocity, task frame, times .25
     6:9   world up in the task frame (projected gravity's negative)
     9:21  joint angles relative to the stance
    21:33  joint velocities times .05
    33:45  last action
    45:48  command: ahead, sideways, turning, times 2
    48:50  sine and cosine of the gait's clock

Fixed scales instead of a running normaliser: a policy is whole without statistics beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 50
LIMIT = 100.0
OBS_SCALE = {
    "linear_velocity": 1.0,
    "angular_velocity": 0.25,
    "joint_position": 1.0,
    "joint_velocity": 0.05,
    "command": 2.0,
}


def observe(
    out: NDArray[np.float32],
    *,
    velocity: NDArray[np.float64],
    gyro: NDArray[np.float64],
    up: NDArray[np.float64],
    joint_offset: NDArray[np.float64],
    joint_velocity: NDArray[np.float64],
    action: NDArray[np.float64],
    command: NDArray[np.float64],
    phase: NDArray[np.float64],
) -> None:
    """Write the observation of some robots into `out`, [n, 50], clipped to ±100."""
    out[:, 0:3] = velocity
    np.multiply(gyro, OBS_SCALE["angular_velocity"], out=out[:, 3:6], casting="same_kind")
    out[:, 6:9] = up
    out[:, 9:21] = joint_offset
    np.multiply(joint_velocity, OBS_SCALE["joint_velocity"], out=out[:, 21:33], casting="same_kind")
    out[:, 33:45] = action
    np.multiply(command, OBS_SCALE["command"], out=out[:, 45:48], casting="same_kind")
    turn = 2 * np.pi * phase
    np.sin(turn, out=out[:, 48], casting="same_kind")
    np.cos(turn, out=out[:, 49], casting="same_kind")
    np.clip(out, -LIMIT, LIMIT, out=out)


def space_bounds() -> dict[str, Any]:
    """Arguments of the gymnasium Box that holds observations."""
    return {"low": -LIMIT, "high": LIMIT, "shape": (SIZE,), "dtype": np.float32}
