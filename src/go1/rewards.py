"""Terms of the reward, for all robots at once: [N, …] in, [N] out, weights not applied.

Terms that reward lie in [0, 1] or scale with speed; terms that cost are at least 0 and are
subtracted. The family comes from legged_gym (Rudin et al. 2022, arXiv:2109.11978) and is also found
in MuJoCo Playground (Zakka et al. 2025, arXiv:2502.08844), mjlab and rsl_rl.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PROGRESS_CAP = 0.8


def sum_squares(x: Floats) -> Floats:
    """[N, k] → [N]."""
    squares: Floats = np.einsum("nk,nk->n", x, x)
    return squares


def progress(velocity: Floats, command: Floats) -> Floats:
    """Speed along the commanded direction, up to most of the commanded speed, m/s.

    A linear term has a slope where the exponential one is still flat: the robot moves earlier. It
    ends short of the command because a trunk surges within each step, and a term that pays for the
    slow half of the surge but not for the fast one would push the mean beyond the command. Compare
    the capped velocity term of Cheng et al. 2023 (arXiv:2309.14341, Extreme Parkour).
    """
    speed = np.sqrt(sum_squares(command[:, :2]))
    along = np.einsum("nk,nk->n", velocity[:, :2], command[:, :2]) / np.maximum(speed, 1e-6)
    return np.asarray(np.clip(along, -speed, _PROGRESS_CAP * speed))


def velocity_tracking(velocity: Floats, command: Floats, sigma: float) -> Floats:
    """exp(-|v - v*|² / sigma): legged_gym `tracking_lin_vel`."""
    return np.exp(sum_squares(velocity[:, :2] - command[:, :2]) / -sigma)


def yaw_tracking(yaw_rate: Floats, command: Floats, sigma: float) -> Floats:
    """exp(-(w - w*)² / sigma): legged_gym `tracking_ang_vel`."""
    return np.exp(np.square(yaw_rate - command[:, 2]) / -sigma)


def gait(height: Floats, target: Floats, speed: Floats, swings: Bools) -> Floats:
    """How well feet follow the gait's clock, 0 to 1.

    A swinging foot is as high as it should be, a standing one is on the floor and does not slide;
    [N, feet] each, `speed` [N, feet, 2].

    Swing as MuJoCo Playground's `feet_phase`, stance as the foot speed term of Siekmann et al.
    2021 (arXiv:2011.01387).
    """
    slide = np.where(swings, 0.0, np.einsum("nfk,nfk->nf", speed, speed))
    follows = np.exp(np.square(height - target) / -(0.03**2) - slide / 0.3**2)
    return np.asarray(follows.mean(axis=1))


def pose(joints: Floats, stance: Floats, stiffness: Floats) -> Floats:
    """exp(-Σ stiffness (q - stance)²): MuJoCo Playground `pose`."""
    return np.asarray(np.exp(-(np.square(joints - stance) @ stiffness)))


def orientation(up: Floats) -> Floats:
    """Squared sine of the tilt: legged_gym `orientation` (projected gravity's x and y)."""
    return sum_squares(up[:, :2])


def vertical_velocity(velocity: Floats) -> Floats:
    """v_z²: legged_gym `lin_vel_z`."""
    return np.square(velocity[:, 2])


def roll_pitch_rate(gyro: Floats) -> Floats:
    """w_x² + w_y²: legged_gym `ang_vel_xy`."""
    return sum_squares(gyro[:, :2])


def torque(torques: Floats) -> Floats:
    """Σ τ²: legged_gym `torques`."""
    return sum_squares(torques)


def action_rate(action: Floats, last_action: Floats) -> Floats:
    """Σ (a - a_before)²: legged_gym `action_rate`."""
    return sum_squares(action - last_action)


def joint_limits(joints: Floats, lower: Floats, upper: Floats) -> Floats:
    """Radians beyond the soft limits, summed: legged_gym `dof_pos_limits`."""
    beyond = np.maximum(lower - joints, 0.0) + np.maximum(joints - upper, 0.0)
    return np.asarray(beyond.sum(axis=1))


def upright(up: Floats) -> Floats:
    """How far the body points up, 0 to 1: MuJoCo Playground's handstand `orientation`."""
    return np.square(0.5 + 0.5 * up[:, 2])


def front_contact(contact: Bools) -> Floats:
    """Front feet on the floor: legged_gym `collision`, for feet that should hang free."""
    return np.asarray(contact.sum(axis=1, dtype=np.float64))
