"""For Gymnasium environments, in a plain loop or in the workers of a trainer."""

from trackway.frameworks.gymnasium.record_env import RecordEnv

__all__ = ["RecordEnv"]
