"""The user's module name: `from go1_mujoco_env import Go1MujocoEnv`."""

from go1.env import Go1MujocoEnv

__all__ = ["Go1MujocoEnv"]
