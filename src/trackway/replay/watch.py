"""An episode in MuJoCo's own viewer, where there is a screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.errors import RenderError

_PAUSE_S = 0.8


class Window(Protocol):
    """What is needed of MuJoCo's passive viewer."""

    def is_running(self) -> bool:
        """Whether nobody has closed it."""

    def sync(self) -> None:
        """Show the data as they are now."""


def check_screen(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> None:
    """Refuse to open a window where none can be seen.

    Raises:
        RenderError: There is no screen; the message says what would do.
    """
    if platform != "linux" or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return
    raise RenderError(
        "there is no screen here for MuJoCo's viewer: `trackway share` makes a page that plays in "
        "any browser, `trackway render` a video, `trackway serve` shows every episode"
    )


def watch(model: Any, qpos: np.ndarray, step_s: float, speed: float = 1.0) -> None:
    """Play states in a window, over and over, until it is closed.

    Raises:
        RenderError: There is no screen.
    """
    check_screen()
    import mujoco
    import mujoco.viewer

    data = mujoco.MjData(model)
    with mujoco.viewer.launch_passive(model, data) as window:
        loop(window, model, data, qpos, step_s / speed)


def loop(
    window: Window,
    model: Any,
    data: Any,
    qpos: np.ndarray,
    step_s: float,
    clock: Clock = SYSTEM_CLOCK,
) -> None:
    """Show one state after the other at its time, again from the start after a pause."""
    import mujoco

    while window.is_running():
        began_s = clock.monotonic_s()
        while window.is_running():
            passed_s = clock.monotonic_s() - began_s
            if passed_s > len(qpos) * step_s + _PAUSE_S:
                break
            data.qpos[:] = qpos[min(int(passed_s / step_s), len(qpos) - 1)]
            mujoco.mj_kinematics(model, data)
            mujoco.mj_camlight(model, data)
            window.sync()
            clock.sleep_s(min(step_s, 1 / 60))
