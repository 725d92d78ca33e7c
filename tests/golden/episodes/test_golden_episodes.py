from pathlib import Path

import numpy as np
from tests.golden.episodes.write_v1 import BEGUN, ENDED, IDENTITY

from trackway.replay import kept
from trackway.replay.attempt import new_tables

GOLDEN = Path(__file__).with_name("v1.npz")


def test_an_index_of_episodes_of_version_1_opens() -> None:
    tables = new_tables()

    assert kept.load(GOLDEN, tables, IDENTITY)
    for table, rows in ((tables["episodes"], ENDED), (tables["starts"], BEGUN)):
        for name, values in zip(table.kinds, zip(*rows, strict=True), strict=True):
            np.testing.assert_array_equal(table[name], values)


def test_an_index_of_something_else_is_not_taken() -> None:
    tables = new_tables()

    assert not kept.load(GOLDEN, tables, IDENTITY | {"attempt": "002-000000"})
    assert len(tables["episodes"]) == 0
