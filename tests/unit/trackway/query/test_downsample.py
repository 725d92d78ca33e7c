import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trackway.errors import QueryError
from trackway.query.downsample import Buckets, downsample, downsample_at


def slowly(values: np.ndarray, edges: list[int]) -> list[tuple]:
    """The same by definition, one bucket after another."""
    told = []
    for start, end in itertools.pairwise(edges):
        part = np.asarray(values[start:end], np.float64)
        finite = part[np.isfinite(part)]
        lowest = finite.min() if finite.size else np.nan
        highest = finite.max() if finite.size else np.nan
        told.append((lowest, highest, np.isnan(part).sum(), np.isinf(part).sum(), part.size))
    return told


def assert_told(made: Buckets, told: list[tuple]) -> None:
    found = zip(made.min, made.max, made.nan, made.inf, made.count, strict=True)
    np.testing.assert_array_equal(np.array(list(found)), np.array(told, np.float64))


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.integers(1, 400),
        elements=st.one_of(
            st.floats(-1e6, 1e6, width=32), st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38])
        ),
    ),
    st.integers(1, 50),
)
def test_every_bucket_is_what_its_definition_says(values: np.ndarray, buckets: int) -> None:
    made = downsample(values, buckets)

    assert len(made) == min(buckets, len(values))
    assert made.rows[0] == 0
    assert made.ends[-1] == len(values)
    assert_told(made, slowly(values, [*made.rows.tolist(), len(values)]))
    finite = values[np.isfinite(values)].astype(np.float64)
    np.testing.assert_allclose(
        made.sum.sum(), finite.sum(), rtol=0, atol=1e-5 * np.abs(finite).sum() + 1e-30
    )
    np.testing.assert_array_equal(made.first, values[made.rows])
    np.testing.assert_array_equal(made.last, values[made.ends - 1])


def test_one_row_of_ten_million_keeps_its_height_and_a_nan_is_seen() -> None:
    values = np.zeros(10_000_000, np.float32)
    values[1_234_567] = 1e9
    values[7_654_321] = np.nan
    values[7_654_322] = -np.inf

    made = downsample(values, 2000)

    assert made.max[1_234_567 // 5000] == 1e9
    assert np.count_nonzero(made.max) == 1
    assert made.nan.sum() == 1
    assert made.inf.sum() == 1
    assert made.nan[7_654_321 // 5000] == 1
    assert np.isfinite(made.min).all()


def test_a_bucket_is_over_all_environments_of_its_rows() -> None:
    values = np.arange(24, dtype=np.float64).reshape(6, 4)
    values[5, 3] = np.nan

    made = downsample(values, 3, first_row=100)

    np.testing.assert_array_equal(made.rows, [100, 102, 104])
    np.testing.assert_array_equal(made.ends, [102, 104, 106])
    np.testing.assert_array_equal(made.min, [0, 8, 16])
    np.testing.assert_array_equal(made.max, [7, 15, 22])
    np.testing.assert_array_equal(made.count, [8, 8, 8])
    np.testing.assert_array_equal(made.nan, [0, 0, 1])
    np.testing.assert_allclose(made.mean, [3.5, 11.5, 19.0])
    np.testing.assert_allclose(made.first, [1.5, 9.5, 17.5])


def test_buckets_between_edges_without_a_row_are_left_out() -> None:
    made = downsample_at(np.array([1.0, 2.0, 3.0]), [0, 0, 2, 2, 3, 9])

    np.testing.assert_array_equal(made.rows, [0, 2])
    np.testing.assert_array_equal(made.max, [2.0, 3.0])


def test_no_row_gives_no_bucket() -> None:
    assert len(downsample(np.empty(0), 100)) == 0
    assert len(downsample(np.empty((0, 4)), 100)) == 0


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "int64", "float16", "uint64"])
def test_numbers_of_every_kind_can_be_drawn(dtype: str) -> None:
    made = downsample(np.array([0, 1, 1, 0], dtype), 2)

    np.testing.assert_array_equal(made.max, [1, 1])
    np.testing.assert_array_equal(made.mean, [0.5, 0.5])


def test_a_column_of_one_environment_is_drawn_as_it_lies() -> None:
    values = np.arange(30, dtype=np.float32).reshape(10, 3)

    np.testing.assert_array_equal(downsample(values[:, 1], 2).max, [13, 28])


def test_asking_for_no_bucket_is_refused() -> None:
    with pytest.raises(QueryError, match="1 or more"):
        downsample(np.zeros(3), 0)
