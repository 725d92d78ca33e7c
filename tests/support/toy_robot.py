"""A robot with the methods that a recorded environment has, and physics for a fingertip."""

from typing import Any

import gymnasium as gym
import numpy as np


class ToyRobot(gym.Env):
    """A point that drifts; an episode has ten steps and succeeds where it began to the right."""

    dt = 0.1
    frame_skip = 2
    max_steps = 10

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-10, 10, (2,), np.float32)
        self.action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.rand_power = 0.0
        self.episodes = 0

    def set_rand_power(self, value: float) -> None:
        self.rand_power = value

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        self.position = self.np_random.uniform(-1, 1, 2)
        self.begun_right = bool(self.position[0] > 0)
        self.steps = 0
        return self.position.astype(np.float32), {}

    def step(self, action):
        self.position = np.clip(self.position + self.dt * np.asarray(action), -5, 5)
        self.steps += 1
        ended = self.steps == self.max_steps
        info: dict[str, Any] = {}
        if ended:
            self.episodes += 1
            info = {
                "is_success": np.bool_(self.begun_right),
                "termination_reason": "time_limit",
                "reward_components": {"living": np.float64(self.max_steps)},
                "cost_components": {"moving": 0.5},
                "detailed_info": self.get_detailed_episode_info(),
            }
        return self.position.astype(np.float32), 1.0, False, ended, info

    def get_detailed_episode_info(self) -> dict[str, Any]:
        x, y = self.position
        return {
            "episode_info": {"current_step": self.steps, "success_count": 0},
            "robot_state": {"position": {"x": x, "y": np.float32(y), "z": 0.0}},
            "env_config": {"rand_power": self.rand_power, "ctrl_type": "position"},
            "contact_info": {"feet_contact_forces": (0.0, np.float64(1.0))},
            "stability_metrics": {"is_healthy": np.bool_(True)},
            "performance_metrics": self.get_performance_metrics(),
        }

    def get_environment_summary(self) -> dict[str, Any]:
        return {
            "environment_class": "ToyRobot",
            "ctrl_type": "position",
            "frame_skip": self.frame_skip,
        }

    def get_performance_metrics(self) -> dict[str, Any]:
        return {"episode_progress": self.steps / self.max_steps, "stability_score": 1.0}
