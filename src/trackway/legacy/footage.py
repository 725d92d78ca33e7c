"""What a camera would need of an episode: states where they can be drawn later, else frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from trackway.errors import RenderError
from trackway.probes.mujoco import motion_source
from trackway.replay.job import RenderJob
from trackway.replay.render import FrameFile, render_video

# Frames are drawn in the trainer, so they are few: 25 in a simulated second at most.
_MOST_FRAMES_PER_S = 25.0


class Footage:
    """Follows environment 0 through its next episodes, within a number of simulated seconds.

    Attributes:
        error: Why there is nothing to see, in one sentence; None as long as there is.
    """

    def __init__(self, env: VecEnv, num_episodes: int, longest_s: float) -> None:
        self._env = env
        self._motion = motion_source(env)
        self._states: list[np.ndarray] = []
        self._frames: FrameFile | None = None
        self._episodes_left = num_episodes
        self._observed = 0
        self.error: str | None = None
        self._step_s = self._motion.step_s if self._motion is not None else _frame_step_s(env)
        # With frames, every so many steps one of them.
        self._stride = max(1, round(1 / (_MOST_FRAMES_PER_S * self._step_s)))
        self._steps_left = round(longest_s / self._step_s)
        if self._motion is None and env.render_mode != "rgb_array":
            self.error = (
                "it is no MuJoCo simulation in this process and has no render_mode='rgb_array'"
            )

    def observe(self, episode_ended: bool) -> None:
        """Take in the current state; call after the reset and after each step."""
        self._episodes_left -= episode_ended
        if self._episodes_left <= 0 or self._steps_left <= 0 or self.error is not None:
            return
        self._steps_left -= 1
        if self._motion is not None:
            self._states.append(self._motion.qpos())
        elif self._observed % self._stride == 0:
            self._take_frame()
        self._observed += 1

    def draw(self, path: Path, caption: str) -> RenderJob:
        """Make the video in a child process.

        Raises:
            RenderError: There is nothing to draw, or no process for it.
        """
        if self.error is not None:
            raise RenderError(f"{path} is not drawn: {self.error}")
        if self._motion is None:
            if self._frames is None:
                raise RenderError(f"{path} is not drawn: there are no frames")
            frames, self._frames = self._frames, None
            return frames.encode(path, step_s=self._step_s * self._stride)
        states = np.array(self._states)
        model = self._motion.render_model()
        return render_video(model, states, path, step_s=self._step_s, captions=[caption])

    def discard(self) -> None:
        """Drop what was taken."""
        if self._frames is not None:
            self._frames.discard()
            self._frames = None

    def _take_frame(self) -> None:
        try:
            picture: Any = self._env.env_method("render", indices=[0])[0]
            if not isinstance(picture, np.ndarray):
                self.error = f"render() gave {type(picture).__name__}, not a picture"
                return
            self._frames = self._frames or FrameFile()
            if not self._frames.append(picture):
                self._steps_left = 0  # no room for more: a shorter video
        except Exception as error:  # noqa: BLE001  drawing is somebody else's code
            self.error = f"no frame could be kept ({error})"


def _frame_step_s(env: VecEnv) -> float:
    """Simulated time of a step, from what the environment says of its frames."""
    if env.has_attr("metadata"):
        metadata = env.get_attr("metadata", indices=[0])[0] or {}
        return 1.0 / float(metadata.get("render_fps", 30))
    return 1.0 / 30.0
