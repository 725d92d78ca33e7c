"""For Stable-Baselines3."""

from trackway.frameworks.sb3.checkpointer import Checkpointer
from trackway.frameworks.sb3.recorder_callback import RecorderCallback
from trackway.frameworks.sb3.saved_policy import load_policy

__all__ = ["Checkpointer", "RecorderCallback", "load_policy"]
