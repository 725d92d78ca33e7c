import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.sliding_ball import SlidingBall
from tests.support.videos import decode

from trackway.errors import RenderError
from trackway.legacy.footage import Footage


class Picturesque(gym.Env):
    """Has no simulation to read, only pictures: 50 a second, each brighter than the last."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012
    observation_space = gym.spaces.Box(-1, 1, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self._steps = 0

    def reset(self, *, seed=None, options=None):
        self._steps = 0
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        self._steps += 1
        return np.zeros(1, dtype=np.float32), 0.0, self._steps >= 20, False, {}

    def render(self):
        return np.full((32, 48, 3), 10 * self._steps, dtype=np.uint8)


def follow(env: DummyVecEnv, footage: Footage, num_steps: int) -> None:
    env.reset()
    footage.observe(False)
    for _ in range(num_steps):
        action = np.array([env.action_space.sample() * 0 + 1])
        footage.observe(bool(env.step(action)[2][0]))


def test_of_a_simulation_only_states_are_kept_up_to_the_episodes_end():
    env = DummyVecEnv([SlidingBall])
    footage = Footage(env, num_episodes=1, longest_s=60)

    follow(env, footage, 100)

    states = np.array(footage._states)
    assert len(states) < 40
    assert np.all(np.diff(states[:, 0]) > 0)


def test_a_recording_is_no_longer_than_asked_for():
    env = DummyVecEnv([SlidingBall])
    footage = Footage(env, num_episodes=100, longest_s=1.0)

    follow(env, footage, 100)

    assert len(footage._states) == 20  # of 0.05 s each


@pytest.mark.slow
def test_where_there_are_only_pictures_half_of_them_are_kept_and_time_is_not_stretched(tmp_path):
    env = DummyVecEnv([Picturesque])
    footage = Footage(env, num_episodes=1, longest_s=60)

    follow(env, footage, 30)
    job = footage.draw(tmp_path / "a.mp4", "")

    assert job.wait(90)
    pictures, instants = decode(tmp_path / "a.mp4")
    assert instants == pytest.approx(np.arange(10) * 0.04)
    assert pictures.mean(axis=(1, 2, 3)) == pytest.approx(np.arange(10) * 20, abs=6)


def test_an_environment_with_nothing_to_see_says_what_it_lacks(tmp_path):
    footage = Footage(DummyVecEnv([lambda: Picturesque(None)]), 1, 60)
    footage.observe(False)

    with pytest.raises(RenderError, match=r"no MuJoCo simulation .* no render_mode='rgb_array'"):
        footage.draw(tmp_path / "a.mp4", "")


def test_an_environment_that_fails_to_draw_costs_the_video_only(tmp_path):
    class Blind(Picturesque):
        def render(self):
            raise RuntimeError("the lens cap is on")

    env = DummyVecEnv([Blind])
    footage = Footage(env, 1, 60)
    follow(env, footage, 3)

    with pytest.raises(RenderError, match="the lens cap is on"):
        footage.draw(tmp_path / "a.mp4", "")
