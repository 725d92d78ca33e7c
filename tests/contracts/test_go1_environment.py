"""What Go1MujocoEnv promises to gymnasium, to Stable-Baselines3 and to a recorder, in every physics."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv

from go1.env import Go1MujocoEnv

KINDS = {
    "torque": {},
    "position": {"ctrl_type": "position"},
    "fast": {"ctrl_type": "position", "physics": "fast"},
    "biped": {"ctrl_type": "position", "biped": True},
    "upstream-position": {"ctrl_type": "position", "physics": "upstream"},
    "upstream-torque": {"physics": "upstream"},
    "randomised": {"ctrl_type": "position", "rand_power": 0.8, "action_noise": 0.05},
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request) -> dict:
    return request.param


def play(env: gymnasium.Env, seed: int, steps: int = 40) -> list:
    """Everything that an episode's player can see, resets included."""
    obs, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    seen = [obs]
    for _ in range(steps):
        action = (0.3 * env.action_space.sample()).astype(np.float32)
        obs, reward, terminated, truncated, _ = env.step(action)
        seen += [obs, reward, terminated, truncated]
        if terminated or truncated:
            seen.append(env.reset()[0])
    return seen


def equal(a: list, b: list) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# Action spaces are in rad or as the public environment has them, observations there unbounded.
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized.*:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Box observation space m.*imum value:UserWarning")
@pytest.mark.filterwarnings("ignore:.*not having a spec.*:UserWarning")
def test_both_checkers_pass(kind):
    gymnasium_check_env(Go1MujocoEnv(**kind))
    sb3_check_env(Go1MujocoEnv(**kind))


def test_the_same_seed_gives_the_same_bits_and_another_does_not(kind):
    first = play(Go1MujocoEnv(**kind), seed=3)

    assert equal(first, play(Go1MujocoEnv(**kind), seed=3))
    assert not equal(first, play(Go1MujocoEnv(**kind), seed=4))


def test_a_seed_makes_a_used_environment_like_a_new_one(kind):
    used = Go1MujocoEnv(**kind)
    play(used, seed=5, steps=7)

    assert equal(play(used, seed=3), play(Go1MujocoEnv(**kind), seed=3))


def test_an_episodes_last_info_holds_its_record(kind):
    env = Go1MujocoEnv(**kind, max_episode_time_sec=0.1)
    env.reset(seed=0)
    total, infos, done = 0.0, [], False
    home = env.model.key_ctrl[0] if env.physics == "upstream" else np.zeros(12)
    while not done:
        _, reward, terminated, truncated, info = env.step(home)
        total += reward
        infos.append(info)
        done = terminated or truncated
    final = infos[-1]

    assert (final["termination_reason"] == "time_limit") == truncated
    assert isinstance(final["termination_reason"], str)
    assert isinstance(final["is_success"], bool)
    components = sum(final["reward_components"].values()) - sum(final["cost_components"].values())
    assert components == pytest.approx(total)
    assert final["detailed_info"]["reward_info"]["current_episode_length"] == len(infos)
    assert final["detailed_info"]["robot_state"]["position"]["x"] == final["x_position"]
    for name in ("reward_components", "cost_components"):
        assert final[name].keys() == infos[0][name].keys()
    for info in infos[:-1]:
        assert not {"detailed_info", "termination_reason", "is_success"} & info.keys()


def test_the_components_of_each_step_sum_to_its_reward(kind):
    env = Go1MujocoEnv(**kind)
    env.reset(seed=1)
    for _ in range(3):
        _, reward, *_, info = env.step(0.1 * env.action_space.sample())
        if "termination_reason" in info:
            break
        components = sum(info["reward_components"].values()) - sum(info["cost_components"].values())

        assert components == pytest.approx(reward)


def test_records_are_reachable_through_wrappers_and_vec_envs(kind):
    envs = DummyVecEnv([lambda: Monitor(Go1MujocoEnv(**kind))])
    envs.reset()
    (detail,) = envs.env_method("get_detailed_episode_info")
    (summary,) = envs.env_method("get_environment_summary")
    (metrics,) = envs.env_method("get_performance_metrics")

    assert detail["env_config"]["ctrl_type"] == summary["ctrl_type"]
    assert metrics.keys() == detail["performance_metrics"].keys()
    assert summary["environment_class"] == "Go1MujocoEnv"
    envs.close()


def test_rand_power_set_from_outside_reaches_the_robot_and_is_read_back_from_it(kind):
    envs = DummyVecEnv([lambda: Monitor(Go1MujocoEnv(**kind))])
    envs.reset()
    envs.env_method("set_rand_power", 0.35)
    (detail,) = envs.env_method("get_detailed_episode_info")

    assert envs.get_attr("rand_power") == [0.35]
    assert envs.envs[0].unwrapped.core.rand_power.tolist() == [0.35]
    assert detail["env_config"]["rand_power"] == 0.35
    envs.close()
