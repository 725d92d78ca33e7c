"""The batched Go1 as Stable-Baselines3 sees it: one VecEnv, no processes, no Python per robot.

An object is made for a robot only when its episode ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from go1.config import Go1Config
from go1.core import Go1Core
from go1.detail import detailed_info_columns, environment_summary, raw_detail
from go1.probe import Go1Probe
from go1.robot import NUM_JOINTS
from go1.spaces import batched_interface
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.columns import Columns, RawColumns, nest

Indices = None | int | Iterable[int]

_ROBOT_METHODS = frozenset(
    {"set_rand_power", "render_model", "get_environment_summary"}
    | {"get_detailed_episode_info", "get_performance_metrics"}
)


class Go1VecEnv(VecEnv):
    """`num_envs` robots; finished ones start again within `step`, as in every VecEnv.

    At an episode's end its info holds `episode` (r, l, t), `terminal_observation`,
    `TimeLimit.truncated`, `is_success`, `termination_reason`, `reward_components`,
    `cost_components` and `detailed_info`, all from before the new start. The other infos are empty.

    Attributes:
        before_restart: Called in every step, when all robots have moved and none has started again:
            the only moment at which a recorder sees what finished episodes ended with.
    """

    def __init__(
        self,
        num_envs: int,
        config: Go1Config | None = None,
        seed: int | None = None,
        *,
        num_threads: int | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.core = Go1Core(num_envs, config, num_threads=num_threads)
        interface = batched_interface(self.core.config)
        self.render_mode = None
        self.before_restart: Callable[[], None] | None = None
        super().__init__(
            num_envs,
            interface.observation_space,
            interface.action_space,
        )
        self._seed = seed
        self._clock = clock
        self._started_s = clock.monotonic_s()
        self._actions: NDArray[np.floating] = np.zeros((num_envs, NUM_JOINTS))
        self._no_infos: list[dict[str, Any]] = [{} for _ in range(num_envs)]

    # -- stepping ---------------------------------------------------------------------------

    def reset(self) -> NDArray[np.float32]:
        """Start every robot afresh; a seed given to the constructor or `seed()` counts once."""
        obs = self.core.reset(self._seed)
        self._seed = None
        self._started_s = self._clock.monotonic_s()
        return obs

    def step_async(self, actions: NDArray[np.floating]) -> None:
        self._actions = actions

    def step_wait(
        self,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        core = self.core
        core.advance(self._actions)
        if self.before_restart is not None:
            self.before_restart()
        infos = self._no_infos
        dones = core.terminated | core.truncated
        if len(core.finished):
            infos = self._no_infos.copy()
            for robot, info in zip(core.finished, self._final_infos(), strict=True):
                infos[robot] = info
            core.restart_finished()
        return core.obs, core.reward.astype(np.float32), dones, infos

    def _final_infos(self) -> list[dict[str, Any]]:
        core, ids = self.core, self.core.finished
        elapsed_s = round(self._clock.monotonic_s() - self._started_s, 6)
        details = detailed_info_columns(core, ids)
        success = core.succeeded(ids)
        return [
            {
                "episode": {
                    "r": float(core.episode_return[robot]),
                    "l": int(core.episode_length[robot]),
                    "t": elapsed_s,
                },
                "terminal_observation": core.obs[robot].copy(),
                "TimeLimit.truncated": bool(core.truncated[robot]),
                "is_success": bool(success[row]),
                "termination_reason": core.termination_reason(robot),
                "reward_components": core.reward_sums(robot),
                "cost_components": core.cost_sums(robot),
                "detailed_info": nest(details, row),
            }
            for row, robot in enumerate(ids)
        ]

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Determine everything random from the next reset on; one generator serves all robots."""
        self._seed = seed
        return [seed] * self.num_envs

    def close(self) -> None:
        """Nothing is held that the garbage collector would not free."""

    # -- its state --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what happens next; see `trackway.checkpoint.stateful`."""
        return {
            "core": self.core.state_dict(),
            "seed": self._seed,
            "elapsed_s": self._clock.monotonic_s() - self._started_s,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the state of a VecEnv of equal settings, bit for bit.

        Raises:
            ValueError: It had another number of robots.
        """
        self.core.load_state_dict(state["core"])
        self._seed = state["seed"]
        self._started_s = self._clock.monotonic_s() - state["elapsed_s"]

    # -- what recorders and curricula reach -------------------------------------------------

    @property
    def config(self) -> Go1Config:
        return self.core.config

    @property
    def model(self) -> mujoco.MjModel:
        return self.core.model

    @property
    def qpos(self) -> NDArray[np.float64]:
        """Of all robots, [num_envs, 19], live."""
        return self.core.qpos

    def render_model(self) -> mujoco.MjModel:
        """The same robot with shapes to look at."""
        return self.core.render_model()

    def detailed_info_columns(self) -> Columns:
        """Detail of all robots at once, copies, keys as dotted paths."""
        return detailed_info_columns(self.core)

    def raw_detail(self) -> RawColumns:
        """What `detailed_info_columns` is computed from, not copied yet."""
        return raw_detail(self.core)

    def recorder_probe(self) -> Go1Probe:
        """What a recorder reads all robots with, from `before_restart`."""
        return Go1Probe(self.core)

    # -- the robots as if they were separate environments -------------------------------------

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """The attribute of each robot: a row of the core's array of that name, or a shared value.

        A method as well: whoever asks first whether there is one is told so.
        """
        ids = self._get_indices(indices)
        if attr_name in _ROBOT_METHODS:
            return [partial(self._call_one, attr_name, i) for i in ids]
        if attr_name in ("rand_power", "action_noise"):
            return [float(getattr(self.core, attr_name)[i]) for i in ids]
        if attr_name == "qpos":
            return [self.core.qpos[i].copy() for i in ids]
        for holder in (self, self.core, self.core.config):
            if hasattr(holder, attr_name):
                return [getattr(holder, attr_name) for _ in ids]
        raise AttributeError(f"a robot of Go1VecEnv has no attribute {attr_name!r}")

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        ids = np.array(list(self._get_indices(indices)), np.intp)
        if attr_name == "rand_power":
            self.core.set_rand_power(value, ids)
        elif attr_name == "action_noise":
            self.core.action_noise[ids] = value
        elif attr_name == "render_mode":
            self.render_mode = value
        else:
            raise AttributeError(
                f"{attr_name!r} of a robot cannot be set; rand_power and action_noise can"
            )

    def env_method(
        self, method_name: str, *method_args: Any, indices: Indices = None, **method_kwargs: Any
    ) -> list[Any]:
        ids = np.array(list(self._get_indices(indices)), np.intp)
        if method_name == "set_rand_power":
            (value,) = [*method_args, *method_kwargs.values()]
            self.core.set_rand_power(value, ids)
            return [None] * len(ids)
        if method_name == "get_environment_summary":
            return [environment_summary(self.core)] * len(ids)
        if method_name in ("get_detailed_episode_info", "get_performance_metrics"):
            columns = detailed_info_columns(self.core, ids)
            rows = [nest(columns, row) for row in range(len(ids))]
            if method_name == "get_detailed_episode_info":
                return rows
            return [row["performance_metrics"] for row in rows]
        if method_name == "render_model":
            return [self.render_model() for _ in ids]
        raise AttributeError(f"a robot of Go1VecEnv has no method {method_name!r}")

    def _call_one(self, method_name: str, robot: int, *args: Any, **kwargs: Any) -> Any:
        return self.env_method(method_name, *args, indices=robot, **kwargs)[0]

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """Whether returns and lengths are in the infos, as after Monitor: yes; anything else: no."""
        from stable_baselines3.common.monitor import Monitor

        answer = issubclass(wrapper_class, Monitor)
        return [answer for _ in self._get_indices(indices)]
