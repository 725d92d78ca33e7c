import pytest
from tests.support.clock import FakeClock

from trackway.frameworks.sb3.time_budget import TimeBudget


def started(share: float = 0.01, credit_s: float = 0.5) -> tuple[TimeBudget, FakeClock]:
    clock = FakeClock()
    budget = TimeBudget(share, credit_s, clock)
    budget.start()
    return budget, clock


def test_the_credit_is_there_before_any_share_has_grown():
    budget, _ = started()

    assert budget.allowance_s() == pytest.approx(0.5)


def test_the_share_grows_with_the_training_and_replaces_the_credit():
    budget, clock = started()

    clock.advance(49)
    early = budget.allowance_s()
    clock.advance(951)

    assert early == pytest.approx(0.5)
    assert budget.allowance_s() == pytest.approx(10.0)


def test_what_is_spent_is_no_longer_allowed():
    budget, clock = started()
    with budget.spending():
        clock.advance(0.2)

    assert budget.spent_s == pytest.approx(0.2)
    assert budget.allowance_s() == pytest.approx(0.3)


def test_a_debt_is_paid_before_anything_is_allowed_again():
    budget, clock = started()
    with budget.spending():
        clock.advance(3.0)

    clock.advance(290)
    before = budget.allowance_s()
    clock.advance(10)

    assert before < 0 < budget.allowance_s()


def test_time_spent_on_a_failure_counts():
    budget, clock = started()

    def fail() -> None:
        with budget.spending():
            clock.advance(0.4)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert budget.allowance_s() == pytest.approx(0.1)


def test_another_training_starts_with_nothing_spent():
    budget, clock = started()
    with budget.spending():
        clock.advance(0.4)

    budget.start()

    assert budget.allowance_s() == pytest.approx(0.5)
