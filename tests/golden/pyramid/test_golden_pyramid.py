from pathlib import Path

import numpy as np
from tests.golden.pyramid.write_v1 import IDENTITY, values

from trackway.query import pyramid_file

GOLDEN = Path(__file__).with_name("v1.npz")


def test_a_pyramid_of_version_1_opens() -> None:
    pyramid = pyramid_file.load(GOLDEN, IDENTITY)

    assert pyramid is not None
    assert pyramid.next_row == 1500
    made = pyramid.query(0, 1500, 2)
    np.testing.assert_array_equal(made.rows, [0, 768])
    finite = np.where(np.isfinite(values()), values(), np.nan)
    highest = np.stack([np.nanmax(finite[:768], axis=0), finite[768:].max(axis=0)], axis=1)
    np.testing.assert_array_equal(made.max, highest)
    np.testing.assert_array_equal(made.nan, [[1, 0], [0, 0]])
    np.testing.assert_array_equal(made.inf, [[0, 0], [1, 0]])


def test_a_pyramid_of_something_else_is_not_taken() -> None:
    assert pyramid_file.load(GOLDEN, IDENTITY | {"attempt": "002-000000"}) is None


def test_no_flipped_or_missing_byte_gives_another_pyramid(tmp_path: Path) -> None:
    data = GOLDEN.read_bytes()
    whole = pyramid_file.load(GOLDEN, IDENTITY)
    assert whole is not None
    expected = whole.base.between(0, 6)[1].parts()
    path = tmp_path / "damaged.npz"
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        if rng.random() < 0.5:
            broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
        else:
            del broken[rng.integers(len(broken)) :]
        path.write_bytes(broken)
        found = pyramid_file.load(path, IDENTITY)
        if found is not None:
            for one, other in zip(found.base.between(0, 6)[1].parts(), expected, strict=True):
                np.testing.assert_array_equal(one, other)
