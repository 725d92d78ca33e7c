import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from tests.support.sliding_ball import SlidingBall

from trackway.frameworks.sb3.evaluation import Evaluation
from trackway.frameworks.sb3.frozen_policy import FrozenPolicy


def cart_poles(num_envs: int, monitored: bool) -> DummyVecEnv:
    make = (
        (lambda: Monitor(gym.make("CartPole-v1")))
        if monitored
        else (lambda: gym.make("CartPole-v1"))
    )
    env = DummyVecEnv([make] * num_envs)
    env.seed(3)
    return env


def played(policy: FrozenPolicy, env, num_episodes: int, observe=lambda _: None) -> Evaluation:
    evaluation = Evaluation(policy, env, num_episodes, observe)
    while not evaluation.advance():
        pass
    return evaluation


@pytest.mark.parametrize("monitored", [True, False])
@pytest.mark.parametrize("num_envs", [1, 3])
def test_the_episodes_are_those_of_evaluate_policy(num_envs, monitored):
    model = PPO("MlpPolicy", "CartPole-v1", seed=6)

    theirs = evaluate_policy(
        model, cart_poles(num_envs, monitored), 4, return_episode_rewards=True, warn=False
    )
    ours = played(FrozenPolicy(model), cart_poles(num_envs, monitored), 4).episodes

    assert [episode.episode_return for episode in ours] == theirs[0]
    assert [episode.episode_length for episode in ours] == theirs[1]


def test_with_more_environments_than_episodes_each_plays_its_first_one():
    model = PPO("MlpPolicy", "CartPole-v1", seed=6)

    ours = played(FrozenPolicy(model), cart_poles(4, True), 2).episodes
    theirs = evaluate_policy(model, cart_poles(4, True), 4, return_episode_rewards=True)[0]

    assert [episode.episode_return for episode in ours] == theirs


def test_what_the_environment_tells_of_an_episode_is_kept():
    model = PPO("MlpPolicy", SlidingBall(), n_steps=32, batch_size=16)
    policy = FrozenPolicy(model)
    policy.predict = lambda obs, state, starts: (np.ones((1, 1)), state)

    (episode,) = played(policy, DummyVecEnv([SlidingBall]), 1).episodes

    assert episode.termination_reason == "far"
    assert episode.is_success is True
    assert episode.reward_components == {"speed": pytest.approx(episode.episode_return, rel=1e-5)}
    assert episode.stability == {"lean": 0.25}


def test_an_environment_that_tells_nothing_gives_what_gymnasium_promises():
    model = PPO("MlpPolicy", "CartPole-v1", seed=6)
    (episode,) = played(FrozenPolicy(model), cart_poles(1, False), 1).episodes

    assert (episode.is_success, episode.termination_reason) == (None, "terminated")
    assert (episode.reward_components, episode.stability) == ({}, {})


def test_returns_are_those_before_normalisation():
    env = VecNormalize(DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))]), norm_reward=True)
    model = PPO("MlpPolicy", env, seed=6)

    (episode,) = played(FrozenPolicy(model), env, 1).episodes

    assert episode.episode_return == episode.episode_length


def test_the_observer_sees_the_reset_and_every_step():
    seen: list[bool] = []
    model = PPO("MlpPolicy", "CartPole-v1", seed=6)

    (episode,) = played(FrozenPolicy(model), cart_poles(1, True), 1, seen.append).episodes

    assert seen == [False] * episode.episode_length + [True]
