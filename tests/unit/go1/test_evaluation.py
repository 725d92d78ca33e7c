import numpy as np
import pytest

from go1.config import Go1Config
from go1.evaluation import _foot_lift, _rms_error, evaluate

STANDING = Go1Config(rand_power=1.0, action_noise=0.3)


def _stand(obs):
    return np.zeros((len(obs), 12))


def _collapse(obs):
    return np.tile([0.0, 3.0, -3.0], (len(obs), 4))


def test_a_robot_that_stands_walks_at_no_speed_and_never_falls():
    (row,) = evaluate(_stand, STANDING, [0.5], num_robots=3, seconds=3.0).rows

    assert row.command == (0.5, 0.0, 0.0)
    assert row.mean_speed == pytest.approx(0, abs=0.02)
    assert row.rms_error == pytest.approx(0.5, abs=0.02)
    assert row.falls == 0
    assert row.gait_frequency_hz == 0
    assert row.foot_lift < 0.01
    assert row.success_rate == 0
    assert row.mean_upright_s == pytest.approx(3.0)
    assert row.qpos.shape == (150, 19)
    assert np.isfinite(row.qpos).all()


def test_the_same_seed_gives_the_same_numbers_and_training_noise_is_off():
    tables = [evaluate(_stand, STANDING, [0.5], 2, 2.5, seed=4) for _ in range(2)]

    assert str(tables[0]) == str(tables[1])
    np.testing.assert_array_equal(tables[0].rows[0].qpos, tables[1].rows[0].qpos)


def test_robots_that_fall_are_counted_and_shown_up_to_their_fall():
    (row,) = evaluate(_collapse, Go1Config(), [0.5], num_robots=3, seconds=3.0).rows

    assert row.falls == 3
    assert 0 < len(row.qpos) < 100
    assert np.isnan(row.mean_speed)
    assert row.mean_upright_s < 2


def test_sway_within_a_gait_cycle_is_no_error_but_surging_between_cycles_is():
    time = np.arange(400) * 0.02
    cycle = 25

    def error(speed):
        velocity = np.stack([speed, 0 * speed], axis=1)[:, None, :]
        return _rms_error(velocity, (1.0, 0.0, 0.0), cycle)

    assert error(1 + 0.3 * np.sin(2 * np.pi * time / 0.5)) == pytest.approx(0, abs=1e-9)
    assert error(1 + 0.3 * np.sin(2 * np.pi * time / 8)) == pytest.approx(0.21, abs=0.01)
    assert error(0 * time + 0.9) == pytest.approx(0.1)


def test_foot_lift_is_the_mean_of_each_cycles_highest_point():
    height = np.zeros((50, 1, 4))
    height[10, 0], height[40, 0] = 0.06, 0.04

    assert _foot_lift(height, 25) == pytest.approx(0.05)


def test_an_evaluation_too_short_to_measure_is_refused():
    with pytest.raises(ValueError, match="seconds must exceed the start-up of 2 s; got 1"):
        evaluate(_stand, Go1Config(), [0.5], 1, 1.0)
