"""The public environment's formulas, written a second time from their description.

The numbers marked "agreed" were computed here and by the public code from the same seed and
actions: over 3,000 steps the observations were equal to the last bit, rewards to 3e-16.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from go1.config import Go1Config
from go1.upstream import COST_WEIGHTS, REWARD_WEIGHTS, UpstreamCore

COMMAND = np.array([0.5, 0.0, 0.0])
STANCE = np.array([0, 0.8, -1.5, 0, 0.8, -1.5, 0, 1.0, -1.5, 0, 1.0, -1.5])
ROBOT = np.zeros(1, np.intp)


def start(ctrl_type: str = "position", seed: int = 0, **settings) -> UpstreamCore:
    settings.setdefault("max_episode_time_sec", 15.0)
    core = UpstreamCore(Go1Config(ctrl_type=ctrl_type, physics="upstream", **settings))
    core.rng = np.random.default_rng(seed)
    core.restart(ROBOT)
    return core


def drive(core: UpstreamCore, steps: int) -> list[np.ndarray]:
    """Small moves about the stance; returns the actions, float32 as a policy gives them."""
    home = core.model.key_ctrl[0]
    actions = [
        (home + 0.05 * np.sin(0.4 * k + np.arange(12))).astype(np.float32) for k in range(steps)
    ]
    for action in actions:
        core.advance(action[None])
    return actions


# -- observation ------------------------------------------------------------------------------


def test_the_observation_is_forty_eight_numbers_in_the_public_order():
    core = start()
    drive(core, 5)
    qpos, qvel, obs = core.qpos[0], core.qvel[0], core.obs[0]

    assert obs.shape == (48,)
    np.testing.assert_array_equal(obs[0:3], 2 * qvel[:3])
    np.testing.assert_array_equal(obs[3:6], 0.25 * qvel[3:6])
    np.testing.assert_array_equal(obs[9:12], 2 * COMMAND)
    np.testing.assert_array_equal(obs[12:24], qpos[7:] - STANCE)
    np.testing.assert_array_equal(obs[24:36], 0.05 * qvel[6:])


def test_the_observation_carries_the_action_before_the_latest():
    core = start()
    *_, before, _latest = drive(core, 5)

    np.testing.assert_array_equal(core.obs[0, 36:], before)


@pytest.mark.parametrize("yaw", [0.3, -0.3])
def test_projected_gravity_is_minus_the_sign_of_yaw_times_the_unit_euler_angles(yaw):
    core = start()
    core.qpos[0, 3:7] = [math.cos(yaw / 2), 0, 0, math.sin(yaw / 2)]

    np.testing.assert_allclose(
        core.projected_gravity, [0, 0, -math.copysign(1, yaw) * np.sign(yaw)]
    )


def test_projected_gravity_points_along_the_euler_angles_whatever_gravity_does():
    core = start()
    roll, yaw = 0.2, -0.1
    half = np.array([roll, yaw]) / 2
    (cr, cy), (sr, sy) = np.cos(half), np.sin(half)
    core.qpos[0, 3:7] = [cr * cy, sr * cy, sr * sy, cr * sy]

    np.testing.assert_allclose(
        core.projected_gravity, np.array([roll, 0, yaw]) / math.hypot(roll, yaw), atol=1e-12
    )


def test_projected_gravity_is_zero_where_yaw_is_exactly_zero():
    core = start()
    core.qpos[0, 3:7] = [math.cos(0.1), math.sin(0.1), 0, 0]

    np.testing.assert_array_equal(core.projected_gravity, 0)


# -- reset ------------------------------------------------------------------------------------


def test_a_reset_is_the_keyframe_with_noise_on_all_of_qpos_and_no_velocity():
    core = start(seed=4)
    noise = np.random.default_rng(4).uniform(-0.1, 0.1, 19)

    np.testing.assert_array_equal(core.qpos[0], np.r_[0, 0, 0.35, 1, 0, 0, 0, STANCE] + noise)
    np.testing.assert_array_equal(core.qvel, 0)
    assert np.linalg.norm(core.qpos[0, 3:7]) != pytest.approx(1.0, abs=1e-3)


def test_the_first_observation_agrees_with_the_public_environment():
    core = start(seed=0)

    agreed = [-0.6077439172739612, -0.7525215185401494, -0.2536901558013795]
    np.testing.assert_allclose(core.obs[0, 6:9], agreed, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        core.obs[0, [12, 23]], [0.045899312196799685, -0.04005762189252304], rtol=0, atol=1e-15
    )


# -- reward -----------------------------------------------------------------------------------


def test_rewards_agree_with_the_public_environment():
    core = start(seed=0)
    drive(core, 20)

    assert core.episode_return[0] == pytest.approx(14.05728196829795, abs=1e-9)
    assert core.reward[0] == pytest.approx(1.4567686218504168, abs=1e-9)
    np.testing.assert_allclose(
        core.qpos[0, :3],
        [-0.014931583919107021, -0.03007311502944524, 0.28102784431128336],
        rtol=0,
        atol=1e-9,
    )


def test_every_term_is_the_formula_it_is_named_after():
    core = start(seed=1)
    *_, before, action = drive(core, 12)
    data, qpos, qvel = core.data, core.qpos[0], core.qvel[0]
    joints, euler = qpos[7:], core.projected_gravity
    low, high = core.model.actuator_ctrlrange.T
    middle, half = (low + high) / 2, 0.9 * (high - low) / 2
    rewards = dict(zip(REWARD_WEIGHTS, core.step_rewards[0], strict=True))
    costs = dict(zip(COST_WEIGHTS, core.step_costs[0], strict=True))

    error = np.sum((COMMAND[:2] - qvel[:2]) ** 2)
    assert rewards["linear_vel_tracking"] == pytest.approx(2 * math.exp(-error / 0.25))
    assert rewards["angular_vel_tracking"] == pytest.approx(math.exp(-(qvel[5] ** 2) / 0.25))
    expected = {
        "torque": 2e-4 * np.sum(data.qfrc_actuator[6:] ** 2),
        "action_rate": 0.01 * np.sum((action - before) ** 2),
        "vertical_vel": 2 * qvel[2] ** 2,
        "xy_angular_vel": 0.05 * np.sum(qvel[3:5] ** 2),
        "joint_limit": 10 * np.sum(np.maximum(np.abs(joints - middle) - half, 0)),
        "joint_acceleration": 2.5e-7 * np.sum(data.qacc[6:] ** 2),
        "orientation": np.sum(euler[:2] ** 2),
        "default_joint_position": 0.1 * np.sum((joints - STANCE) ** 2),
    }
    assert costs == {name: pytest.approx(value, rel=1e-6) for name, value in expected.items()}


def test_the_reward_is_never_negative_and_its_components_still_sum_to_it():
    core = start("torque", seed=2)  # joint angles lie far outside 90 % of the torque range
    drive(core, 3)
    rewards, costs = core.reward_sums(), core.cost_sums()

    assert core.reward[0] == 0
    assert costs["joint_limit"] > 36  # calves alone: 4 x (1.8 - 0.9) x 10
    assert sum(rewards.values()) - sum(costs.values()) == pytest.approx(core.episode_return[0])


def test_a_foot_that_lands_earns_its_air_time_beyond_a_second():
    core = start(seed=0)
    airtime = list(REWARD_WEIGHTS).index("feet_airtime")
    in_air, earned = np.zeros(4), []
    before = np.zeros(4, bool)
    for _ in range(30):
        core.advance(STANCE[None])
        force = [
            np.linalg.norm(core.data.body(f"{leg}_calf").cfrc_ext)
            for leg in ("FR", "FL", "RR", "RL")
        ]
        contact = np.array(force) > 1
        touching = contact | before
        landing = touching & (in_air > 0)
        in_air += 0.02
        earned.append((core.step_rewards[0, airtime], np.sum((in_air - 1) * landing)))
        in_air[touching] = 0
        before = contact
    got, expected = zip(*earned, strict=True)

    assert min(expected) < 0  # the robot drops from above the floor: feet land early
    np.testing.assert_allclose(got, expected, atol=1e-12)


# -- end of an episode ------------------------------------------------------------------------


def test_an_episode_is_truncated_after_seven_hundred_and_fifty_steps():
    core = start(seed=0)
    steps = 0
    while not len(core.finished):
        core.advance(STANCE[None])
        steps += 1

    assert (steps, core.termination_reason()) == (750, "time_limit")
    assert core.truncated[0]
    assert not core.terminated[0]
    assert core.succeeded(ROBOT)[0]


@pytest.mark.parametrize(
    ("index", "value", "reason"),
    [
        (2, 0.2199, "fell"),
        (2, 0.6501, "jumped"),
        (4, 0.1746, "tilted"),
        (4, -0.1746, "tilted"),
        (5, 0.1746, "tilted"),
        (0, math.nan, "diverged"),
    ],
)
def test_outside_its_healthy_ranges_a_robot_is_terminated(index, value, reason):
    core = start()
    core.qpos[0] = [0, 0, 0.3, 1, 0, 0, 0, *STANCE]
    healthy = bool(core.is_healthy[0])
    core.qpos[0, index] = value
    core.terminated[:] = ~core.is_healthy

    assert healthy
    assert core.termination_reason() == reason


def test_the_healthy_limit_is_ten_degrees_of_the_quaternions_entries():
    core = start()
    core.qpos[0] = [0, 0, 0.3, 1, 0.1745, -0.1745, 0, *STANCE]

    assert core.is_healthy[0]


def test_finished_episodes_and_successes_are_counted():
    core = start(max_episode_time_sec=0.04)
    drive(core, 2)
    core.restart_finished()
    core.qpos[0, 2] = 3.0
    core.advance(STANCE[None])
    core.restart_finished()

    assert (core.episode_count[0], core.success_count[0]) == (2, 1)


# -- spaces and settings ----------------------------------------------------------------------


def test_position_actions_are_joint_targets_within_the_joints_ranges():
    space = start().interface.action_space

    np.testing.assert_allclose(space.low, [-0.863, -0.686, -2.818] * 4, rtol=1e-6)
    np.testing.assert_allclose(space.high, [0.863, 4.501, -0.888] * 4, rtol=1e-6)
    assert space.dtype == np.float32


def test_torque_actions_are_fractions_of_the_public_gears():
    core = start("torque")
    core.advance(np.ones((1, 12), np.float32))

    np.testing.assert_allclose(core.data.qfrc_actuator[6:], [23, 23, 35] * 4)


def test_without_randomisation_the_public_seeds_hold_over_many_resets():
    core, plain = start(seed=7), np.random.default_rng(7)
    for _ in range(3):
        noise = plain.uniform(-0.1, 0.1, 19)
        plain.standard_normal(12)

        np.testing.assert_array_equal(core.qpos[0, 7:], STANCE + noise[7:])
        core.restart(ROBOT)


def test_rand_power_changes_friction_and_mass_and_zero_brings_them_back():
    core = start()
    nominal = core.model.geom("FR").friction[0], core.model.body("trunk").mass[0]
    core.set_rand_power(1.0)
    core.restart(ROBOT)
    changed = core.model.geom("FR").friction[0], core.model.body("trunk").mass[0]
    core.set_rand_power(0.0)
    core.restart(ROBOT)
    restored = core.model.geom("FR").friction[0], core.model.body("trunk").mass[0]

    assert changed[0] != nominal[0]
    assert changed[1] != nominal[1]
    assert restored == pytest.approx(nominal)


def test_there_is_no_biped_in_the_public_environment():
    with pytest.raises(ValueError, match="biped needs physics 'full' or 'fast'"):
        start(biped=True)
