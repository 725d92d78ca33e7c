from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackway.query import level, pyramid_file
from trackway.query.aside import Aside
from trackway.query.downsample import PARTS, Buckets, downsample_at
from trackway.query.pyramid import BASE_ROWS, Pyramid


def walk(rows: int, series: int, seed: int = 0) -> np.ndarray:
    """Numbers with spikes, NaN and infinities among them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, series)).astype(np.float32)
    values[rng.random((rows, series)) < 0.001] = np.nan
    values[rng.random((rows, series)) < 0.001] = np.inf
    values[rng.random((rows, series)) < 0.001] = 1e6
    return values


def assert_equal(one: Buckets, other: Buckets) -> None:
    for name in ("rows", "ends", *PARTS):
        tolerance = 1e-5 if name == "sum" else 0.0
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=tolerance, atol=tolerance, err_msg=name
        )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """So that a few thousand rows are more than what is held."""
    monkeypatch.setattr(level, "_BLOCK_BYTES", 0)
    monkeypatch.setattr(level, "_LEAST_BLOCK", 2 * level.FACTOR)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 60_000),
    st.integers(0, 60_000),
    st.integers(1, 60_000),
    st.integers(1, 300),
    st.booleans(),
)
def test_a_stretch_is_what_its_rows_hold(
    small_blocks: None, rows: int, first: int, length: int, wanted: int, laid_aside: bool
) -> None:
    values = walk(rows, 1)
    pyramid = Pyramid(1, aside=Aside() if laid_aside else None)
    for begin in range(0, rows, 5000):
        pyramid.append(values[begin : begin + 5000])

    made = pyramid.query(first, first + length, wanted, series=0)

    assert len(made) <= wanted
    edges = [*made.rows.tolist(), *made.ends.tolist()[-1:]]
    np.testing.assert_array_equal(made.ends[:-1], made.rows[1:])
    assert_equal(made, downsample_at(values[:, 0], edges))
    if first < rows:
        width = max(length / wanted, BASE_ROWS)
        assert made.rows[0] <= max(first + width / 2, 0)
        assert made.ends[-1] >= min(first + length, rows)


def test_rows_in_any_portions_make_the_same_pyramid() -> None:
    values = walk(30_000, 3)
    whole, bit_by_bit = Pyramid(3), Pyramid(3)
    whole.append(values)
    rng, row = np.random.default_rng(1), 0
    while row < len(values):
        count = int(rng.integers(1, 700))
        bit_by_bit.append(values[row : row + count])
        row += count

    for buckets in (1, 7, 100, 1000):
        assert_equal(whole.query(0, 30_000, buckets), bit_by_bit.query(0, 30_000, buckets))
        assert_equal(whole.query(9_000, 21_000, buckets), bit_by_bit.query(9_000, 21_000, buckets))


def test_one_row_of_millions_keeps_its_height() -> None:
    values = np.zeros(3_000_000, np.float32)
    values[1_000_001], values[2_000_002] = 9.0, np.nan
    pyramid = Pyramid(1)
    pyramid.append(values)

    made = pyramid.query(0, len(values), 100, series=0)

    assert np.count_nonzero(made.max) == 1
    spike = int(np.flatnonzero(made.max)[0])
    assert made.rows[spike] <= 1_000_001 < made.ends[spike]
    assert made.nan.sum() == 1
    assert made.count.sum() == len(values)


def test_rows_that_are_missing_make_no_bucket() -> None:
    pyramid = Pyramid(1)
    pyramid.append(np.ones(1000))
    pyramid.append(np.full(1000, 2.0), np.arange(100_000, 101_000))

    made = pyramid.query(0, 101_000, 100, series=0)

    assert made.count.sum() == 2000
    assert made.min[-1] == 2.0
    assert len(made) < 6


def test_all_series_can_be_seen_as_one() -> None:
    values = walk(10_000, 5)
    pyramid = Pyramid(5)
    pyramid.append(values)

    made = pyramid.query(0, 10_000, 10).over_series()

    finite = np.where(np.isfinite(values), values, np.nan)
    np.testing.assert_array_equal(np.fmax.reduce(made.max), np.nanmax(finite))
    assert made.nan.sum() == np.isnan(values).sum()
    assert made.count.sum() == values.size


def test_an_empty_pyramid_answers() -> None:
    assert len(Pyramid(2).query(0, 100, 10, series=1)) == 0
    assert len(Pyramid(2).query(0, 100, 10).over_series()) == 0


def test_what_is_held_does_not_grow_with_the_rows(small_blocks: None) -> None:
    whole, pyramid, values, held = Pyramid(3), Pyramid(3, aside=Aside()), walk(10_000, 3), []
    for number in range(400):
        values[number] = 2e6 + number
        whole.append(values)
        pyramid.append(values)
        held.append(pyramid.nbytes)

    assert max(held) < 24_000 < whole.nbytes / 50
    assert_equal(pyramid.query(0, 4_000_000, 400), whole.query(0, 4_000_000, 400))


def test_a_long_pyramid_is_kept_as_a_short_one_is(small_blocks: None, tmp_path: Path) -> None:
    pyramid, values = Pyramid(2, aside=Aside()), walk(100_000, 2)
    pyramid.append(values)
    assert pyramid_file.save(tmp_path / "kept", pyramid, {"of": "this"})

    for aside in (None, Aside()):
        again = pyramid_file.load(tmp_path / "kept", {"of": "this"}, aside)
        assert again is not None
        assert_equal(again.query(0, 100_000, 70), pyramid.query(0, 100_000, 70))


def test_where_the_disk_refuses_everything_is_held(
    small_blocks: None, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKWAY_CACHE", "/proc/nowhere")
    values = walk(60_000, 1)
    whole, pyramid = Pyramid(1), Pyramid(1, aside=Aside())
    whole.append(values)
    pyramid.append(values[:30_000])
    refused = pyramid.nbytes
    monkeypatch.setenv("TRACKWAY_CACHE", str(cache))
    pyramid.append(values[30_000:])

    assert refused > 30_000 / BASE_ROWS * 24
    assert pyramid.base.size > 5 * len(pyramid.base._index)
    assert_equal(pyramid.query(0, 60_000, 50, 0), whole.query(0, 60_000, 50, 0))
