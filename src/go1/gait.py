"""The clock a gait is asked to follow: when each foot should be up, and how high.

A phase-based gait reference as in Siekmann et al. 2021 (arXiv:2011.01387, periodic reward
composition) and Margolis & Agrawal 2022 (arXiv:2212.03238, "Walk These Ways").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TROT = np.array([0.0, 0.5, 0.5, 0.0])
"""Offset of each foot's phase (FR, FL, RR, RL): diagonal feet move together."""
ALTERNATING = np.array([0.0, 0.5])
"""Two feet, one after the other."""


def foot_phase(phase: Floats, offsets: Floats) -> Floats:
    """Phase of each foot in [0, 1), [N, feet], from the robots' [N]; below .5 it swings."""
    return (phase[:, None] + offsets) % 1.0


def target_height(phase: Floats, swing_height_m: float) -> Floats:
    """Height a foot's sole should have, [N, feet]: a smooth arc while it swings, else 0."""
    return swing_height_m * np.square(np.maximum(np.sin(2 * np.pi * phase), 0.0))
