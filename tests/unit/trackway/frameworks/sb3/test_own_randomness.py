import random

import numpy as np
import pytest
import torch

from trackway.frameworks.sb3.own_randomness import OwnRandomness


def draws() -> list[float]:
    return [random.random(), float(np.random.random()), float(torch.rand(()))]  # noqa: NPY002


def seed_all() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)


def test_outside_the_same_numbers_are_drawn_as_without_it():
    seed_all()
    plain = draws() + draws()
    own = OwnRandomness(seed=1)

    seed_all()
    first = draws()
    with own.installed():
        draws()
    second = draws()

    assert first + second == plain


def test_inside_a_stream_of_its_own_goes_on_from_time_to_time():
    own, whole = OwnRandomness(seed=1), OwnRandomness(seed=1)
    with whole.installed():
        expected = draws() + draws()

    seed_all()
    with own.installed():
        first = draws()
    draws()
    with own.installed():
        second = draws()

    assert first + second == expected


def test_a_failure_inside_gives_training_its_numbers_back():
    seed_all()
    plain = draws()
    own = OwnRandomness(seed=1)

    seed_all()

    def fail() -> None:
        with own.installed():
            draws()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert draws() == plain
