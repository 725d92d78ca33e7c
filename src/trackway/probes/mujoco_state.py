"""The state of a robot in any MuJoCo simulation, as far as its model says what is what."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_FREE = 0  # mjtJoint.mjJNT_FREE


def robot_state(model: Any, data: Any) -> dict[str, Any]:
    """Where the robot is, as the `robot_state` of a record; SI, radians, quaternions (w, x, y, z).

    With a free joint it is the body that carries it: velocities linear in the world, angular in
    the body. Without one there is no such body, and only the joints are described.
    """
    qpos, qvel, qacc = data.qpos, data.qvel, data.qacc
    free = np.flatnonzero(model.jnt_type == _FREE)
    if len(free) == 0:
        return {
            "velocity": {"joint": qvel.tolist()},
            "joint_positions": qpos.tolist(),
            "joint_velocities": qvel.tolist(),
            "joint_accelerations": qacc.tolist(),
        }
    q, v = int(model.jnt_qposadr[free[0]]), int(model.jnt_dofadr[free[0]])
    x, y, z = (float(value) for value in qpos[q : q + 3])
    quaternion = [float(value) for value in qpos[q + 3 : q + 7]]
    joints_q, joints_v = np.delete(qpos, np.s_[q : q + 7]), np.delete(qvel, np.s_[v : v + 6])
    return {
        "position": {"x": x, "y": y, "z": z, "distance_from_origin": math.hypot(x, y)},
        "orientation": {"quaternion": quaternion, "euler": euler(quaternion)},
        "velocity": {
            "linear": qvel[v : v + 3].tolist(),
            "angular": qvel[v + 3 : v + 6].tolist(),
            "joint": joints_v.tolist(),
        },
        "joint_positions": joints_q.tolist(),
        "joint_velocities": joints_v.tolist(),
        "joint_accelerations": np.delete(qacc, np.s_[v : v + 6]).tolist(),
    }


def euler(quaternion: list[float]) -> list[float]:
    """Roll, pitch and yaw of a quaternion (w, x, y, z), which need not be normalised."""
    norm = math.sqrt(sum(part * part for part in quaternion)) or 1.0
    w, x, y, z = (part / norm for part in quaternion)
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return [roll, pitch, yaw]
