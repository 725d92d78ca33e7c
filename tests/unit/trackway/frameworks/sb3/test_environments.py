import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from tests.support.toy_robot import ToyRobot

from go1.vec_env import Go1VecEnv
from trackway.frameworks.sb3.environments import Environments
from trackway.frameworks.sb3.learner import text_of


def dummy(wrap=Monitor):
    return DummyVecEnv([lambda: wrap(ToyRobot()) for _ in range(2)])


def test_randomisation_reaches_the_robot_through_wrappers():
    venv = VecNormalize(dummy())

    assert Environments(venv).set_rand_power(0.3)

    assert [env.unwrapped.rand_power for env in venv.venv.envs] == [0.3, 0.3]
    assert Environments(venv).rand_power().tolist() == [0.3, 0.3]


def test_randomisation_reaches_an_attribute_where_there_is_no_method():
    class Attribute(ToyRobot):
        set_rand_power = None

        def __getattribute__(self, name):
            if name == "set_rand_power":
                raise AttributeError(name)
            return super().__getattribute__(name)

    venv = DummyVecEnv([lambda: Monitor(Attribute())])

    assert Environments(venv).set_rand_power(0.3)
    assert vars(venv.envs[0].unwrapped)["rand_power"] == 0.3
    assert "rand_power" not in vars(venv.envs[0])


def test_randomisation_reaches_robots_in_other_processes():
    venv = SubprocVecEnv([ToyRobot, ToyRobot])
    try:
        assert Environments(venv).set_rand_power(0.3)
        assert venv.get_attr("rand_power") == [0.3, 0.3]
        assert Environments(venv).class_name() == "ToyRobot"
    finally:
        venv.close()


def test_randomisation_reaches_the_batch():
    venv = Go1VecEnv(2)

    assert Environments(venv).set_rand_power(0.3)
    assert Environments(venv).rand_power() == pytest.approx([0.3, 0.3])


def test_an_environment_without_it_says_so_and_is_not_given_one():
    venv = DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))])

    assert not Environments(venv).set_rand_power(0.3)
    assert Environments(venv).rand_power() is None
    assert not hasattr(venv.envs[0], "rand_power")


def test_what_is_not_there_is_not_asked_of_a_worker():
    venv = SubprocVecEnv([ToyRobot])
    try:
        envs = Environments(venv)

        assert envs.get("no_such_thing") is None
        assert envs.call("no_such_method") is None
        assert envs.get("dt") == [ToyRobot.dt]
    finally:
        venv.close()


def test_rewards_are_those_of_the_environment_not_of_the_normaliser():
    venv = VecNormalize(dummy())
    venv.reset()
    _, rewards, _, _ = venv.step(np.zeros((2, 2), np.float32))

    raw = Environments(venv).raw_rewards(rewards)

    assert raw == pytest.approx(venv.get_original_reward())
    assert raw != pytest.approx(rewards)


def test_the_class_is_that_of_the_environment_itself():
    assert Environments(dummy()).class_name() == "ToyRobot"


def test_a_space_that_is_written_down_is_not_changed_by_it():
    space = gym.spaces.Dict(box=gym.spaces.Box(-1, 1, (2,)))

    assert text_of(space) == "Dict('box': Box(-1.0, 1.0, (2,), float32))"
    assert space["box"].low_repr is None
