import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from tests.support.sliding_ball import SlidingBall

from trackway.frameworks.sb3.side_environment import (
    copy_rand_power,
    side_environment,
    sync_normalization,
)


def model_on(env) -> PPO:
    return PPO("MlpPolicy", env, n_steps=32, batch_size=16)


def test_a_single_environment_becomes_a_vector_of_one():
    env = SlidingBall()

    side = side_environment(env, model_on(SlidingBall()))

    assert side.num_envs == 1
    assert side.envs[0] is env


def test_an_environment_of_a_normalised_training_shows_what_the_policy_learned_on():
    training = VecNormalize(DummyVecEnv([SlidingBall]), clip_obs=3.0)
    model = model_on(training)
    model.learn(64)

    side = side_environment(SlidingBall(), model)
    sync_normalization(side, model)
    training.obs_rms.mean += 100.0
    np.random.seed(0)  # noqa: NPY002
    side.reset()

    assert np.array_equal(side.normalize_obs(np.ones(2)), side.normalize_obs(np.ones(2)))
    assert side.obs_rms.mean == pytest.approx(training.obs_rms.mean - 100.0)
    assert (side.training, side.norm_reward, side.clip_obs) == (False, False, 3.0)
    seen = side.obs_rms.count
    side.step(np.ones((1, 1)))
    assert side.obs_rms.count == seen


@pytest.mark.parametrize("which", ["wrapped", "bare"])
def test_the_training_environment_itself_is_refused(which):
    env = SlidingBall()
    vec_env = DummyVecEnv([lambda: env])

    with pytest.raises(ValueError, match="training environment itself; make a second one"):
        side_environment(env if which == "bare" else vec_env, model_on(vec_env))


def test_an_environment_of_other_shape_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"observation_space is Box.*, the training's is Box"):
        side_environment(gym.make("CartPole-v1"), model_on(SlidingBall()))


def test_the_difficulty_of_the_training_is_carried_over():
    training = DummyVecEnv([SlidingBall] * 2)
    training.env_method("set_rand_power", 0.5, indices=[0])
    model = model_on(training)
    side = side_environment(SlidingBall(), model)

    assert copy_rand_power(side, model) == pytest.approx(0.25)
    assert side.get_attr("rand_power") == [pytest.approx(0.25)]


def test_environments_without_a_difficulty_are_left_alone():
    model = model_on(gym.make("CartPole-v1"))
    side = side_environment(gym.make("CartPole-v1"), model)

    assert copy_rand_power(side, model) is None
