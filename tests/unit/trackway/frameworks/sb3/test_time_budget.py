import pytest
from tests.support.clock import FakeClock

from trackway.frameworks.sb3.time_budget import TimeBudget


def started(after_s: float = 0.0) -> tuple[TimeBudget, FakeClock]:
    """A hundredth may be spent; so much time has passed."""
    clock = FakeClock()
    budget = TimeBudget(0.01, clock=clock)
    budget.start()
    clock.advance(after_s)
    return budget, clock


def test_the_share_grows_with_the_training():
    budget, clock = started()

    at_once = budget.allowance_s()
    clock.advance(1000)

    assert at_once == 0.0
    assert budget.allowance_s() == pytest.approx(10.0)


def test_what_is_spent_is_no_longer_allowed():
    budget, clock = started(after_s=50)
    with budget.spending():
        clock.advance(0.2)

    assert budget.spent_s == pytest.approx(0.2)
    assert budget.allowance_s() == pytest.approx(0.302)


def test_a_debt_is_paid_before_anything_is_allowed_again():
    budget, clock = started()
    with budget.spending():
        clock.advance(3.0)

    clock.advance(290)  # 2.93 s of its share: not enough yet
    before = budget.allowance_s()
    clock.advance(10)

    assert before < 0 < budget.allowance_s()


def test_time_spent_on_a_failure_counts():
    budget, clock = started(after_s=50)

    def fail() -> None:
        with budget.spending():
            clock.advance(0.4)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert budget.allowance_s() == pytest.approx(0.104)


def test_another_training_starts_with_nothing_spent():
    budget, clock = started()
    with budget.spending():
        clock.advance(0.4)

    budget.start()
    clock.advance(100)

    assert budget.allowance_s() == pytest.approx(1.0)


def test_a_credit_is_there_before_a_share_has_grown_and_is_no_addition_to_it():
    clock = FakeClock()
    budget = TimeBudget(0.01, credit_s=0.5, clock=clock)
    budget.start()

    at_once = budget.allowance_s()
    clock.advance(100)

    assert at_once == 0.5
    assert budget.allowance_s() == pytest.approx(1.0)
