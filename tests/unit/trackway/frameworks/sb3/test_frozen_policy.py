import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from tests.support.sliding_ball import SlidingBall

from trackway.frameworks.sb3.frozen_policy import FrozenPolicy

OFF_POLICY = {"buffer_size": 500, "learning_starts": 20}
MODELS = {
    "PPO": lambda: PPO("MlpPolicy", SlidingBall(), n_steps=32, batch_size=16),
    "PPO with gSDE": lambda: PPO(
        "MlpPolicy", SlidingBall(), n_steps=32, batch_size=16, use_sde=True
    ),
    "PPO, own net": lambda: PPO(
        "MlpPolicy",
        SlidingBall(),
        n_steps=32,
        batch_size=16,
        policy_kwargs={"net_arch": [8], "activation_fn": torch.nn.ELU, "log_std_init": -0.5},
    ),
    "A2C": lambda: A2C("MlpPolicy", SlidingBall()),
    "SAC": lambda: SAC("MlpPolicy", SlidingBall(), **OFF_POLICY),
    "TD3": lambda: TD3("MlpPolicy", SlidingBall(), **OFF_POLICY),
    "DDPG": lambda: DDPG("MlpPolicy", SlidingBall(), **OFF_POLICY),
    "DQN": lambda: DQN("MlpPolicy", gym.make("CartPole-v1"), **OFF_POLICY),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_copy_acts_as_the_model_did_while_the_model_learns_on(kind):
    model = MODELS[kind]()
    model.learn(40)  # in the middle of training, when deepcopy would refuse
    obs = np.stack([model.observation_space.sample() for _ in range(20)])
    starts = np.zeros(20, dtype=bool)

    frozen = FrozenPolicy(model)
    then = model.predict(obs, deterministic=True)[0]
    at_once = frozen.predict(obs, None, starts)[0]
    for parameter in model.policy.parameters():
        parameter.data += 0.3
    later = frozen.predict(obs, None, starts)[0]
    frozen.freeze()
    after = frozen.predict(obs, None, starts)[0]

    assert np.array_equal(at_once, then)
    assert np.array_equal(later, then)
    assert np.array_equal(after, model.predict(obs, deterministic=True)[0])
