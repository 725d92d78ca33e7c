"""For Stable-Baselines3."""

from trackway.frameworks.sb3.checkpointer import Checkpointer
from trackway.frameworks.sb3.recorder_callback import RecorderCallback

__all__ = ["Checkpointer", "RecorderCallback"]
