"""What was recorded comes back within half a step, whatever it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trackway.errors import FormatError
from trackway.replay.quantised import Channel, decode, encode, resolution


def _through(values, step):
    header, data = encode(Channel("x", values, step, {}))
    return header, decode(header, data)


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(0, 40), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6),
    ),
    st.floats(1e-4, 10.0),
)
def test_every_finite_value_comes_back_within_half_a_step(values, step):
    header, back = _through(values, np.full(values.shape[1], step))
    bound = np.broadcast_to(header["step"], values.shape[1]) / 2

    assert back.shape == values.shape
    assert (np.abs(back - values) <= bound * (1 + 1e-9) + 1e-9).all()


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 30), st.integers(1, 3)),
        elements=st.floats(-100, 100) | st.just(np.nan) | st.just(np.inf),
    )
)
def test_what_is_not_finite_is_lost_and_nothing_else(values):
    _, back = _through(values, np.full(values.shape[1], 0.01))

    np.testing.assert_array_equal(np.isnan(back), ~np.isfinite(values))
    kept = np.isfinite(values)
    assert (np.abs(back[kept] - values[kept]) <= 0.005 + 1e-9).all()


def test_whole_numbers_and_flags_come_back_as_they_are():
    flags = np.random.default_rng(0).random((50, 4)) > 0.5
    _, back = _through(flags, resolution(flags))

    np.testing.assert_array_equal(back, flags)


def test_a_range_that_is_too_wide_for_its_step_gets_a_wider_step_and_says_so():
    values = np.array([[0.0], [1e12], [-1e12]])
    header, back = _through(values, np.array([1e-6]))

    assert header["step"] > 1e-6
    assert np.abs(back - values).max() <= header["step"] / 2


def test_constant_columns_are_as_exact_as_others():
    values = np.full((20, 2), 3.14159)
    _, back = _through(values, resolution(values))

    assert np.abs(back - values).max() < 3.14159 / 1023


def test_ten_smooth_seconds_are_a_fraction_of_what_they_were():
    import gzip

    t = np.arange(500)[:, None] * 0.02
    values = np.sin(2 * np.pi * t * np.linspace(1, 3, 19))
    _, data = encode(Channel("qpos", values, np.full(19, 1e-3), {}))

    assert len(gzip.compress(data)) < values.astype(np.float32).nbytes / 3


def test_bytes_that_do_not_fit_their_header_are_refused():
    header, data = encode(Channel("x", np.zeros((3, 2)), np.ones(2), {}))

    with pytest.raises(FormatError, match="'x' does not have the size"):
        decode(header, data[:-1])
