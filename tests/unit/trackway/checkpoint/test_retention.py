"""What stays of checkpoints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackway.checkpoint.retention import Kept, Policy, doomed


def ten(**given: object) -> list[Kept]:
    return [Kept(str(i), i, metric=float(i % 4)) for i in range(10)]


def stays(policy: Policy, checkpoints: list[Kept]) -> list[int]:
    gone = doomed(checkpoints, policy)
    return [c.number for c in checkpoints if c.name not in gone]


def test_without_a_policy_all_stay() -> None:
    assert stays(Policy(), ten()) == list(range(10))


def test_the_newest_and_every_third_stay() -> None:
    assert stays(Policy(keep_last=2, keep_every=3), ten()) == [0, 3, 6, 8, 9]


def test_the_best_stay_and_what_is_no_number_is_not_best() -> None:
    unknown = [Kept("nan", 10, float("nan")), Kept("none", 11)]

    assert stays(Policy(keep_last=1, keep_best=2), ten() + unknown) == [3, 7, 11]


def test_what_is_pinned_stays() -> None:
    assert stays(Policy(keep_last=1), [Kept("a", 0, pinned=True), *ten()[1:]]) == [0, 9]


def test_the_newest_of_each_earlier_call_of_learn_stays() -> None:
    calls = [Kept(str(i), i, learn=1 + i // 4) for i in range(10)]
    left_by_a_longer_program = [Kept(str(i), i, learn=7) for i in (20, 21)]

    assert stays(Policy(keep_last=1), calls) == [3, 7, 9]
    assert stays(Policy(keep_last=1), [*left_by_a_longer_program, *calls]) == [3, 7, 9]


def test_a_policy_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="newest"):
        Policy(keep_last=0)


def test_a_policy_of_which_half_would_do_nothing_is_refused() -> None:
    for half in ({"keep_every": 3}, {"keep_best": 1}):
        with pytest.raises(ValueError, match="need keep_last"):
            Policy(**half)


@given(
    numbers=st.sets(st.integers(0, 40), min_size=1),
    last=st.integers(1, 5),
    every=st.none() | st.integers(1, 7),
    best=st.integers(0, 3),
)
def test_the_newest_always_stays(
    numbers: set[int], last: int, every: int | None, best: int
) -> None:
    checkpoints = [Kept(str(n), n, metric=float(-n)) for n in sorted(numbers)]

    assert max(numbers) in stays(Policy(last, every, best), checkpoints)
