from __future__ import annotations

import go1_mujoco_env
import gymnasium
import mujoco
import numpy as np
import pytest

from go1.config import Go1Config
from go1.env import Go1MujocoEnv


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"ctrl_type": "velocity"}, "ctrl_type must be one of 'position', 'torque'"),
        ({"physics": "slow"}, "physics must be one of 'upstream', 'full', 'fast'"),
        ({"render_mode": "human"}, "render_mode must be one of None, 'rgb_array'; got 'human'"),
        ({"camera": "above"}, "camera must be one of 'beside', 'tracking'"),
        ({"rand_power": 1.5}, "rand_power must be a number from 0 to 1; got 1.5"),
        ({"action_noise": -1}, "action_noise must be a number of at least 0; got -1"),
        ({"frame_skip": 0}, "frame_skip must be a whole number"),
        ({"max_episode_time_sec": 0}, "max_episode_time_sec must be a number above 0; got 0"),
        ({"rand_pover": 0.1}, "'rand_pover' is no setting of the environment; did you mean"),
        ({"physics": "upstream", "biped": True}, "biped needs physics 'full' or 'fast'"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence) as refused:
        Go1MujocoEnv(**arguments)

    assert "\n" not in str(refused.value)


def test_a_step_before_the_first_reset_says_what_to_do():
    env = Go1MujocoEnv()

    with pytest.raises(gymnasium.error.ResetNeeded, match=r"Call reset\(\)"):
        env.step(np.zeros(12))


def test_an_action_of_the_wrong_size_says_so():
    env = Go1MujocoEnv()
    env.reset()

    with pytest.raises(ValueError, match=r"an action is 12 numbers; got the shape \(11,\)"):
        env.step(np.zeros(11))


def test_the_positional_arguments_are_those_of_the_specification():
    env = Go1MujocoEnv("position", True, 0.25, 0.125)

    assert (env.ctrl_type, env.biped, env.rand_power, env.action_noise) == (
        "position",
        True,
        0.25,
        0.125,
    )
    assert Go1MujocoEnv().ctrl_type == "torque"


def test_the_users_module_name_gives_the_same_class():
    assert go1_mujoco_env.Go1MujocoEnv is Go1MujocoEnv


def test_an_environment_can_be_made_from_a_configuration():
    config = Go1Config(ctrl_type="position", physics="fast", frame_skip=2, rand_power=0.5)
    env = Go1MujocoEnv.from_config(config)

    assert env.config == config
    assert env.dt == pytest.approx(0.01)
    assert env.metadata["render_fps"] == 100


def test_the_view_of_one_moves_as_the_batch_does():
    env = Go1MujocoEnv("position")
    env.reset(seed=2)
    core = env.core
    before = core.qpos.copy()
    obs, reward, *_ = env.step(np.full(12, 0.1))

    np.testing.assert_array_equal(obs, core.obs[0])
    assert reward == core.reward[0]
    assert not np.array_equal(core.qpos, before)


def test_an_observation_does_not_change_with_the_next_step():
    for physics in ("full", "upstream"):
        env = Go1MujocoEnv("position", physics=physics)
        first, _ = env.reset(seed=0)
        kept = first.copy()
        env.step(np.zeros(12))

        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("physics", ["full", "upstream"])
def test_the_data_follow_the_robot(physics):
    env = Go1MujocoEnv("position", physics=physics)
    env.reset(seed=0)
    data = env.data
    for _ in range(3):
        env.step(env.model.key_ctrl[0])

        assert env.data is data
        np.testing.assert_array_equal(data.qpos, env.core.qpos[0])
        np.testing.assert_array_equal(data.qvel, env.core.qvel[0])
    assert data.time == pytest.approx(3 * env.dt)
    assert isinstance(env.model, mujoco.MjModel)


def test_derived_data_are_those_of_the_state():
    env = Go1MujocoEnv("position")
    env.reset(seed=0)
    env.step(np.zeros(12))

    np.testing.assert_allclose(env.data.body("trunk").xpos, env.core.qpos[0, :3])


def test_episodes_and_successes_are_counted_across_resets():
    env = Go1MujocoEnv("position", physics="upstream", max_episode_time_sec=0.04)
    for seed in (0, None, 7):
        env.reset(seed=seed)
        for _ in range(2):
            env.step(env.model.key_ctrl[0])
    env.reset()
    episode = env.get_detailed_episode_info()["episode_info"]

    assert (episode["episode_count"], episode["success_count"]) == (3, 3)
    assert episode["success_rate"] == 1.0


@pytest.mark.parametrize("physics", ["full", "upstream"])
def test_a_reset_in_mid_episode_counts_nothing(physics):
    env = Go1MujocoEnv("position", physics=physics)
    env.reset(seed=0)
    env.step(env.model.key_ctrl[0])
    env.reset()
    record = env.get_detailed_episode_info()

    assert record["episode_info"]["episode_count"] == 0
    assert record["episode_info"]["current_step"] == 0
    assert record["reward_info"]["current_episode_reward"] == 0


def test_an_upstream_episode_lasts_fifteen_seconds_by_default():
    env = Go1MujocoEnv("position", physics="upstream")

    assert env.get_environment_summary()["max_steps"] == 750
    assert Go1MujocoEnv("position").get_environment_summary()["max_steps"] == 500


def test_rand_power_is_an_attribute_that_acts():
    env = Go1MujocoEnv("position")
    env.rand_power = 0.5

    assert env.core.rand_power[0] == 0.5
    with pytest.raises(ValueError, match="rand_power must be a number from 0 to 1"):
        env.rand_power = 2


def test_upstream_infos_have_the_public_keys():
    env = Go1MujocoEnv("position", physics="upstream")
    _, first = env.reset(seed=0)
    *_, info = env.step(env.model.key_ctrl[0])

    assert first.keys() == {"x_position", "y_position", "distance_from_origin"}
    assert info.keys() >= first.keys() | {
        "linear_vel_tracking_reward",
        "reward_ctrl",
        "reward_survive",
    }
    assert info["reward_ctrl"] == -info["cost_components"]["torque"]


def test_without_a_render_mode_nothing_is_drawn():
    env = Go1MujocoEnv()
    env.reset()

    assert env.render() is None


@pytest.mark.parametrize("physics", ["full", "upstream"])
def test_a_frame_shows_the_robot_where_it_is(physics):
    env = Go1MujocoEnv("position", physics=physics, render_mode="rgb_array", width=160, height=120)
    env.reset(seed=0)
    first = env.render()
    env.core.qpos[0, 7:] += 0.3
    second = env.render()
    env.close()

    assert first.shape == (120, 160, 3)
    assert first.dtype == np.uint8
    assert np.ptp(first.astype(int)) > 100
    assert not np.array_equal(first, second)
