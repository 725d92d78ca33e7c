import logging

import gymnasium as gym
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.toy_robot import ToyRobot
from tests.support.trainings import ppo

from trackway.legacy.curriculum import CurriculumCallback


@pytest.mark.parametrize(("timestep", "value"), [(0, 0.4), (350, 0.2), (700, 0.0), (1000, 0.0)])
def test_randomisation_falls_linearly_to_nothing_at_70_percent(timestep, value):
    assert CurriculumCallback(1000, 0.4).value_at(timestep) == pytest.approx(value)


def test_the_robots_have_what_the_callback_says_at_every_step():
    venv = DummyVecEnv([lambda: Monitor(ToyRobot()) for _ in range(2)])
    seen = []

    class Probe(CurriculumCallback):
        def _on_step(self):
            super()._on_step()
            powers = [env.unwrapped.rand_power for env in venv.envs]
            seen.append((self.num_timesteps, powers[0], powers[1], self.rand_power))
            return True

    model = ppo(venv)
    model.learn(512, callback=Probe(512, 0.4))

    for timestep, first, second, said in seen:
        assert (
            first
            == second
            == said
            == pytest.approx(max(0.4 * (1 - timestep / (0.7 * 512)), 0), abs=0.4 / 1000)
        )
    assert seen[-1][1] == 0.0
    assert model.logger.name_to_value["curriculum/rand_power"] == 0.0


def test_a_resumed_training_goes_on_where_it_was():
    venv = DummyVecEnv([ToyRobot])
    model = ppo(venv)
    model.num_timesteps = 350
    curriculum = CurriculumCallback(1000, 0.4)
    model.learn(32, callback=curriculum, reset_num_timesteps=False)

    assert venv.envs[0].rand_power == pytest.approx(curriculum.value_at(382), abs=1e-3)


def test_an_environment_without_randomisation_is_told_of_once(caplog):
    venv = DummyVecEnv([lambda: gym.make("CartPole-v1")])
    with caplog.at_level(logging.WARNING):
        ppo(venv).learn(64, callback=CurriculumCallback(64, 0.4))

    assert caplog.text.count("no rand_power") == 1


def test_a_robot_that_keeps_another_value_is_found_out(caplog):
    class Stubborn(ToyRobot):
        def set_rand_power(self, value):
            self.rand_power = 0.9

    with caplog.at_level(logging.WARNING):
        ppo(DummyVecEnv([Stubborn])).learn(32, callback=CurriculumCallback(32, 0.4))

    assert caplog.text.count("the robots have") == 1
