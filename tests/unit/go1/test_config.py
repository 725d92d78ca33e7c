import dataclasses

import pytest

from go1.config import Go1Config


def test_defaults_act_at_50_hz_in_every_physics():
    for physics in ("upstream", "full", "fast"):
        assert Go1Config(physics=physics).dt == pytest.approx(0.02)

    assert Go1Config(frame_skip=2).dt == pytest.approx(0.01)
    assert Go1Config(max_episode_time_sec=3.0).max_steps == 150


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"ctrl_type": "speed"}, r"ctrl_type must be one of 'position', 'torque'; got 'speed'"),
        ({"physics": "slow"}, r"physics must be one of .*; got 'slow'"),
        ({"frame_skip": 0}, "frame_skip must be a whole number of at least 1; got 0"),
        ({"frame_skip": 2.5}, "frame_skip must be a whole number of at least 1; got 2.5"),
        ({"rand_power": 1.5}, "rand_power must be a number from 0 to 1; got 1.5"),
        ({"rand_power": float("nan")}, "rand_power must be a number from 0 to 1; got nan"),
        ({"action_noise": -0.1}, "action_noise must be a number of at least 0; got -0.1"),
        ({"action_scale": 0}, "action_scale must be a number above 0; got 0"),
        ({"max_episode_time_sec": 0}, "max_episode_time_sec must be a number above 0; got 0"),
        ({"max_episode_time_sec": 0.001}, "max_episode_time_sec must be at least one step"),
        ({"command_forward": (1, 0)}, "command_forward must be two numbers, the lower one first"),
        ({"command_yaw": 1.0}, "command_yaw must be two numbers, the lower one first; got 1.0"),
        ({"friction_range": (0, 1)}, "friction_range must be a number above 0; got 0"),
        ({"mass_offset_kg": 9}, "mass_offset_kg must stay below the trunk's mass"),
        ({"reward_weights": {"gait": "big"}}, "reward_weights.gait must be a finite number"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_in_one_sentence(setting, message):
    with pytest.raises(ValueError, match=message):
        Go1Config(**setting)


def test_a_table_of_a_file_gives_the_same_as_the_constructor():
    table = {"command_forward": [0.0, 1.0], "rand_power": 0.5, "reward_weights": {"gait": 2.0}}

    assert Go1Config.from_table(table) == Go1Config(
        command_forward=(0.0, 1.0), rand_power=0.5, reward_weights={"gait": 2.0}
    )


def test_two_legs_are_asked_for_less_speed_than_four_unless_told_otherwise():
    assert Go1Config().command_forward == (0.3, 1.2)
    assert Go1Config(biped=True).command_forward == (0.0, 0.3)
    assert Go1Config(biped=True, command_forward=(0.5, 0.5)).command_forward == (0.5, 0.5)


def test_a_misspelt_key_of_a_table_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match=r"'rand_pwer' is no setting.* did you mean 'rand_power'"):
        Go1Config.from_table({"rand_pwer": 1})


def test_a_configuration_cannot_be_changed_behind_the_robots_backs():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Go1Config().rand_power = 1.0
