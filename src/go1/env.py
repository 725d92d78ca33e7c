"""One Go1 as a gymnasium environment: the batched core with N = 1, or the public environment."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
from numpy.typing import NDArray

from go1.checks import check_choice
from go1.config import Go1Config
from go1.core import Go1Core
from go1.detail import detailed_info_columns, environment_summary, interface_of
from go1.probe import Go1Probe
from go1.robot import NUM_JOINTS
from go1.upstream import MAX_EPISODE_TIME_SEC, UpstreamCore
from trackway.clock import SYSTEM_CLOCK, Clock
from trackway.format.columns import nest

_THE_ROBOT = np.zeros(1, np.intp)


class Go1MujocoEnv(gym.Env[NDArray[Any], NDArray[Any]]):
    """A Unitree Go1 that is asked to walk.

    On every step, info has `reward_components` and `cost_components` of this step (weighted, costs
    as what was subtracted). When an episode ends they are sums over the episode instead, and beside
    them stand `is_success`, `termination_reason` and `detailed_info`, the state before any reset.

    Attributes:
        ctrl_type: "torque" or "position".
        physics: "full" (default), "fast", or "upstream" for parity with the public environment.
        model: The physics' MjModel.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012  # as gymnasium has it

    def __init__(
        self,
        ctrl_type: str = "torque",
        biped: bool = False,
        rand_power: float = 0.0,
        action_noise: float = 0.0,
        *,
        render_mode: str | None = None,
        width: int = 640,
        height: int = 480,
        camera: str = "beside",
        clock: Clock = SYSTEM_CLOCK,
        **kwargs: Any,
    ) -> None:
        """Make the robot; `reset` puts it on its feet.

        Args:
            ctrl_type: What actions are, see `go1.config.Go1Config`.
            biped: Walk on the hind legs.
            rand_power: 0 to 1, how much friction, mass, start and pushes vary.
            action_noise: Standard deviation of what is added to every action.
            render_mode: None or "rgb_array".
            width: Of rendered images.
            height: Of rendered images.
            camera: "beside" or "tracking"; both follow the robot.
            clock: Stamps records.
            **kwargs: Any further field of `Go1Config`: physics, frame_skip, max_episode_time_sec …

        Raises:
            ValueError: An argument is unknown or makes no sense; one sentence says which.
        """
        check_choice("render_mode", render_mode, (None, "rgb_array"))
        check_choice("camera", camera, ("beside", "tracking"))
        if kwargs.get("physics") == "upstream":
            kwargs.setdefault("max_episode_time_sec", MAX_EPISODE_TIME_SEC)
        self.config = config = Go1Config.from_table(
            {
                "ctrl_type": ctrl_type,
                "biped": biped,
                "rand_power": rand_power,
                "action_noise": action_noise,
                **kwargs,
            }
        )
        self.core = UpstreamCore(config) if config.physics == "upstream" else Go1Core(1, config)
        interface = interface_of(self.core)
        self.observation_space = interface.observation_space
        self.action_space = interface.action_space
        self.metadata = {**type(self).metadata, "render_fps": round(1 / self.core.dt)}
        self.render_mode = render_mode
        self.ctrl_type = config.ctrl_type
        self.biped = config.biped
        self.physics = config.physics
        self.dt = self.core.dt
        self.frame_skip = self.core.frame_skip
        self.max_episode_time_sec = config.max_episode_time_sec
        self.model: mujoco.MjModel = self.core.model
        self._image_size = height, width
        self._camera = camera
        self._clock = clock
        self._data: mujoco.MjData | None = None
        self._data_is_current = False
        self._renderer: mujoco.Renderer | None = None
        self._on_stage: mujoco.MjData | None = None
        self._started = False

    @classmethod
    def from_config(cls, config: Go1Config, **kwargs: Any) -> Go1MujocoEnv:
        """The robot that a configuration describes; keyword arguments as in the constructor."""
        settings = {field.name: getattr(config, field.name) for field in fields(config)}
        return cls(**settings, **kwargs)

    # -- gymnasium --------------------------------------------------------------------------

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Begin an episode. With a seed, everything random from here on is determined."""
        super().reset(seed=seed, options=options)
        core = self.core
        core.rng = self.np_random
        if len(core.finished):
            core.restart_finished()
        else:
            core.restart(_THE_ROBOT)
        self._started = True
        self._data_is_current = False
        return core.obs[0].copy(), self._position()

    def step(self, action: NDArray[Any]) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Apply one action, [12], for `dt` seconds.

        Raises:
            ValueError: The action does not have twelve numbers.
        """
        if not self._started:
            raise gym.error.ResetNeeded("Call reset() before the first step().")
        action = np.asarray(action)
        if action.shape != (NUM_JOINTS,):
            raise ValueError(f"an action is {NUM_JOINTS} numbers; got the shape {action.shape}")
        core = self.core
        core.advance(action[None])
        self._data_is_current = False
        return (
            core.obs[0].copy(),
            float(core.reward[0]),
            bool(core.terminated[0]),
            bool(core.truncated[0]),
            self._final_info() if len(core.finished) else self._info(),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """The robot as its camera sees it, [height, width, 3]; None without a render mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None or self._on_stage is None:
            stage = self.render_model()
            self._on_stage = mujoco.MjData(stage)
            self._renderer = mujoco.Renderer(stage, *self._image_size)
        self._on_stage.qpos[:] = self.core.qpos[0]
        mujoco.mj_forward(self._renderer.model, self._on_stage)
        self._renderer.update_scene(self._on_stage, self._camera)
        image: NDArray[np.uint8] = self._renderer.render()
        return image

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # -- records ----------------------------------------------------------------------------

    def get_detailed_episode_info(self) -> dict[str, Any]:
        """Everything about the robot as it is now, nested; see `go1.detail`."""
        return nest(detailed_info_columns(self.core, clock=self._clock), 0)

    def get_environment_summary(self) -> dict[str, Any]:
        """Settings, spaces and the model: what does not change from step to step."""
        return environment_summary(self.core, clock=self._clock)

    def get_performance_metrics(self) -> dict[str, Any]:
        """Progress, latest terms of the reward, stability."""
        metrics: dict[str, Any] = self.get_detailed_episode_info()["performance_metrics"]
        return metrics

    def recorder_probe(self) -> Go1Probe:
        """What a recorder reads the robot with."""
        return Go1Probe(self.core)

    # -- settings that may change while it runs ---------------------------------------------

    @property
    def rand_power(self) -> float:
        """How much randomisation applies to the robot, 0 to 1."""
        return float(self.core.rand_power[0])

    @rand_power.setter
    def rand_power(self, value: float) -> None:
        self.set_rand_power(value)

    def set_rand_power(self, value: float) -> None:
        """Set it; pushes follow at once, friction, mass and start with the next episode."""
        self.core.set_rand_power(value)

    @property
    def action_noise(self) -> float:
        """Standard deviation of what is added to every action."""
        return float(self.core.action_noise[0])

    # -- MuJoCo -----------------------------------------------------------------------------

    @property
    def data(self) -> mujoco.MjData:
        """The simulation's MjData; of a batched robot a copy, with derived fields computed.

        Writing to the copy moves nothing. The object stays the same, its content follows.
        """
        if isinstance(self.core, UpstreamCore):
            return self.core.data
        if self._data is None:
            self._data = mujoco.MjData(self.model)
        if not self._data_is_current:
            self._data.qpos[:] = self.core.qpos[0]
            self._data.qvel[:] = self.core.qvel[0]
            self._data.ctrl[:] = self.core.ctrl[0]
            self._data.time = self.core.time.item()
            mujoco.mj_forward(self.model, self._data)
            self._data_is_current = True
        return self._data

    def render_model(self) -> mujoco.MjModel:
        """The same robot with shapes to look at; its qpos is this one's."""
        return self.core.render_model()

    # -- infos ------------------------------------------------------------------------------

    def _position(self) -> dict[str, Any]:
        x, y = self.core.qpos[0, :2].tolist()
        return {"x_position": x, "y_position": y, "distance_from_origin": float(np.hypot(x, y))}

    def _info(self) -> dict[str, Any]:
        core, terms = self.core, self.core.terms
        gained, paid = core.step_rewards[0].tolist(), core.step_costs[0].tolist()
        return {
            **self._position(),
            **(core.public_info() if isinstance(core, UpstreamCore) else {}),
            "reward_components": dict(zip(terms.reward_weights, gained, strict=True)),
            "cost_components": dict(zip(terms.cost_weights, paid, strict=True)),
        }

    def _final_info(self) -> dict[str, Any]:
        core = self.core
        return {
            **self._info(),
            "reward_components": core.reward_sums(0),
            "cost_components": core.cost_sums(0),
            "is_success": bool(core.succeeded(_THE_ROBOT)[0]),
            "termination_reason": core.termination_reason(0),
            "detailed_info": self.get_detailed_episode_info(),
        }
