import numpy as np
import pytest

from go1 import gait, rewards
from go1.biped import BIPED
from go1.task import TERMS, WeightedTerms
from go1.walking import WALKING

AHEAD = np.array([[1.0, 0.0, 0.0]])


def _velocity(*xyz):
    return np.array([xyz], float)


def test_progress_pays_for_speed_along_the_command_and_no_more_than_asked():
    def paid(*xyz):
        return rewards.progress(_velocity(*xyz), AHEAD)[0]

    assert paid(0.3, 5, 0) == pytest.approx(0.3)
    assert paid(-0.3, 0, 0) == pytest.approx(-0.3)
    assert paid(0.9, 0, 0) == paid(3, 0, 0) < 1


def test_progress_without_a_command_pays_nothing():
    assert rewards.progress(_velocity(1, 1, 0), np.zeros((1, 3))) == pytest.approx(0)


def test_tracking_is_best_at_the_command_and_falls_on_both_sides():
    speeds = np.array([[0.5, 0, 0], [0.9, 0, 0], [1, 0, 9], [1.1, 0, 0], [1, 0.5, 0]], float)
    values = rewards.velocity_tracking(speeds, np.repeat(AHEAD, 5, 0), sigma=0.2)

    assert values.argmax() == 2
    assert values[2] == 1
    assert values[1] == pytest.approx(values[3])
    assert values[0] == pytest.approx(values[4])


def test_the_gait_is_followed_by_feet_that_lift_in_swing_and_rest_in_stance():
    phase = gait.foot_phase(np.array([0.25]), gait.TROT)
    target, swings = gait.target_height(phase, 0.06), phase < 0.5
    still = np.zeros((1, 4, 2))
    sliding = np.full((1, 4, 2), 1.0)

    assert target[0] == pytest.approx([0.06, 0, 0, 0.06])
    assert rewards.gait(target, target, still, swings)[0] == pytest.approx(1)
    assert rewards.gait(0 * target, target, still, swings)[0] < 0.6
    assert rewards.gait(target, target, sliding, swings)[0] == pytest.approx(0.5, abs=0.01)


def test_diagonal_feet_trot_together_and_hind_feet_of_a_biped_take_turns():
    trot = gait.foot_phase(np.linspace(0, 1, 9), gait.TROT)
    walk = gait.foot_phase(np.linspace(0, 1, 9), gait.ALTERNATING)

    np.testing.assert_allclose(trot[:, 0], trot[:, 3])
    np.testing.assert_allclose((trot[:, 0] + 0.5) % 1, trot[:, 1])
    assert ((walk[:, 0] < 0.5) != (walk[:, 1] < 0.5)).all()


@pytest.mark.parametrize(
    ("term", "none", "some"),
    [
        (rewards.orientation, [[0, 0, 1]], [[0.1, 0.2, 0.9]]),
        (rewards.vertical_velocity, [[1, 1, 0]], [[0, 0, -0.5]]),
        (rewards.roll_pitch_rate, [[0, 0, 3]], [[1, 0, 0]]),
        (rewards.torque, [[0] * 12], [[1] * 12]),
        (rewards.front_contact, [[False, False]], [[True, False]]),
    ],
)
def test_costs_are_nothing_at_rest_and_positive_otherwise(term, none, some):
    assert term(np.array(none))[0] == 0
    assert term(np.array(some))[0] > 0


def test_joint_limits_cost_the_angle_beyond_them():
    lower, upper = np.array([-1.0, -1.0]), np.array([1.0, 1.0])

    cost = rewards.joint_limits(np.array([[0.9, -0.9], [1.2, -1.1]]), lower, upper)

    assert cost == pytest.approx([0, 0.3])


@pytest.mark.parametrize("task", [WALKING, BIPED])
@pytest.mark.parametrize("ctrl_type", ["position", "torque"])
def test_every_weight_of_a_task_has_its_term(task, ctrl_type):
    assert {*task.rewards[ctrl_type], *task.costs[ctrl_type]} <= TERMS.keys()


def test_weights_can_be_changed_by_name_and_a_wrong_name_lists_the_known_ones():
    terms = WeightedTerms(WALKING, "position", {"gait": 4.0, "torque": 0.0})
    plain = WeightedTerms(WALKING, "position", {})

    assert terms.reward_weights["gait"] / plain.reward_weights["gait"] == pytest.approx(
        4.0 / WALKING.rewards["position"]["gait"]
    )
    assert terms.cost_weights["torque"] == 0
    with pytest.raises(ValueError, match=r"'gate' is no reward of this task; known: .*gait"):
        WeightedTerms(WALKING, "position", {"gate": 1.0})
