"""Ask every environment behind a VecEnv, whatever it is wrapped in and whichever process it is in."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecEnvWrapper, VecNormalize


class Environments:
    """The environments of a VecEnv, addressed at their innermost layer.

    Attributes:
        inner: The VecEnv below all wrappers.
        normalizer: The VecNormalize among the wrappers, if there is one.
    """

    def __init__(self, venv: VecEnv) -> None:
        self.venv = venv
        self.inner: VecEnv = venv.unwrapped
        self.num_envs: int = venv.num_envs
        self.normalizer = _find_normalizer(venv)
        self._has: dict[str, bool] = {}

    @property
    def local(self) -> list[gymnasium.Env[Any, Any]] | None:
        """The unwrapped environments where they live in this process one by one, else None."""
        envs = getattr(self.inner, "envs", None)
        if not isinstance(envs, list) or not all(isinstance(env, gymnasium.Env) for env in envs):
            return None
        return [env.unwrapped for env in envs]

    def has(self, name: str) -> bool:
        """Whether every environment has that attribute or method, in itself or in a wrapper.

        Asked first, always: an AttributeError in a SubprocVecEnv ends its worker and the training.
        """
        if name not in self._has:
            try:
                self._has[name] = bool(self.inner.has_attr(name))
            except Exception:  # noqa: BLE001 - a foreign VecEnv may answer in any way: then it has not
                self._has[name] = False
        return self._has[name]

    def get(self, name: str) -> list[Any] | None:
        """The attribute of each environment, or None where it does not exist."""
        return list(self.inner.get_attr(name)) if self.has(name) else None

    def call(self, name: str, *arguments: Any, only: int | None = None) -> list[Any] | None:
        """What the method returns for each environment (or one), or None where it does not exist."""
        if not self.has(name):
            return None
        indices = None if only is None else [only]
        return list(self.inner.env_method(name, *arguments, indices=indices))

    def rand_power(self) -> npt.NDArray[np.float64] | None:
        """The randomisation of each robot, read from the robot itself; None where it has none."""
        if self.local is not None:
            values = [getattr(env, "rand_power", None) for env in self.local]
        else:
            values = self.get("rand_power") or [None]
        if any(value is None for value in values):
            return None
        return np.array(values, dtype=np.float64)

    def set_rand_power(self, value: float) -> bool:
        """Set the randomisation in the robots themselves; False where there is nothing to set."""
        if self.call("set_rand_power", value) is not None:
            return True
        if self.local is not None:
            # VecEnv.set_attr would set it on the outermost wrapper, where no robot looks.
            robots = [env for env in self.local if hasattr(env, "rand_power")]
            for robot in robots:
                robot.rand_power = value
            return bool(robots)
        return self.has("rand_power") and bool(self.call("set_wrapper_attr", "rand_power", value))

    def raw_rewards(self, rewards: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The rewards of the last step as the environments gave them."""
        normalizer = self.normalizer
        return rewards if normalizer is None else normalizer.get_original_reward()

    def class_name(self) -> str | None:
        """The class of the environment itself, below its wrappers."""
        if self.local is not None:
            return type(self.local[0]).__name__
        if not isinstance(self.inner, SubprocVecEnv):
            return type(self.inner).__name__
        # Gymnasium writes wrappers as <Outer<Inner<CartPoleEnv<CartPole-v1>>>>.
        text = str((self.call("__str__", only=0) or [""])[0])
        found = re.search(r"<([^<>]+?)(?: instance|<[^<> ]*>)>*$", text)
        return found.group(1) if found else None


def _find_normalizer(venv: VecEnv) -> VecNormalize | None:
    while isinstance(venv, VecEnvWrapper):
        if isinstance(venv, VecNormalize):
            return venv
        venv = venv.venv
    return None
