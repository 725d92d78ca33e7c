"""The batched robots, Stable-Baselines3's PPO and the settings, together: does it learn?"""

from pathlib import Path

import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from go1.training.environments import training_envs
from go1.training.learner import make_learner
from go1.training.settings import resolve

CONFIGS = Path(__file__).parents[2] / "configs"


class RewardPerStep(BaseCallback):
    """Mean reward of all robots, per vector step."""

    def __init__(self):
        super().__init__()
        self.values = []

    def _on_step(self):
        self.values.append(self.locals["rewards"].mean())
        return True


@pytest.mark.slow
@pytest.mark.parametrize("config", ["walk", "torque"])
def test_a_short_training_earns_more_with_every_action(config):
    settings = resolve({"num_parallel_envs": 64, "n_steps": 48}, CONFIGS / f"{config}.toml")
    learner = make_learner(settings, training_envs(settings), None)
    earned = RewardPerStep()
    learner.learn(16 * 48 * 64, callback=earned)

    first, last = np.mean(earned.values[:48]), np.mean(earned.values[-96:])
    assert last > first + 0.005


def test_a_biped_trains_and_tells_whether_its_front_feet_stayed_up():
    settings = resolve({"num_parallel_envs": 16, "n_steps": 60}, CONFIGS / "biped.toml")
    learner = make_learner(settings, training_envs(settings), None)
    learner.learn(16 * 60)

    # from a standing start nobody has yet learned to last for ten seconds
    assert len(learner.ep_info_buffer) > 5
    assert not any(learner.ep_success_buffer)


def test_a_trained_policy_is_saved_and_loaded_by_sb3_alone(tmp_path):
    settings = resolve({"num_parallel_envs": 4, "n_steps": 16}, CONFIGS / "walk.toml")
    envs = training_envs(settings)
    learner = make_learner(settings, envs, None)
    learner.learn(64)
    learner.save(tmp_path / "model")
    obs = envs.reset()
    loaded = PPO.load(tmp_path / "model", device="cpu")

    np.testing.assert_array_equal(
        loaded.predict(obs, deterministic=True)[0], learner.predict(obs, deterministic=True)[0]
    )


def test_the_same_seed_learns_the_same_weights():
    def weights():
        settings = resolve({"num_parallel_envs": 8, "n_steps": 16}, CONFIGS / "walk.toml")
        learner = make_learner(settings, training_envs(settings), None)
        learner.learn(256)
        return learner.policy.state_dict()

    one, two = weights(), weights()

    assert all(one[name].equal(two[name]) for name in one)
