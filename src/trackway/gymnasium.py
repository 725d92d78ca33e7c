"""For Gymnasium environments, in a plain loop or in the workers of a trainer."""

from trackway.frameworks.gymnasium.record_env import RecordEnv
from trackway.frameworks.gymnasium.record_vector_env import RecordVectorEnv

__all__ = ["RecordEnv", "RecordVectorEnv"]
