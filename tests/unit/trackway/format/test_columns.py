from __future__ import annotations

import json

import numpy as np
import pytest

from trackway.format.columns import nest


def test_dots_become_nested_dictionaries_of_one_row():
    columns = {
        "robot_state.position.x": np.array([0.1, 0.2]),
        "robot_state.position.y": np.array([1.0, 2.0]),
        "robot_state.velocity.linear": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        "timestamp": np.array([7.0, 8.0]),
    }

    assert nest(columns, 1) == {
        "robot_state": {"position": {"x": 0.2, "y": 2.0}, "velocity": {"linear": [4.0, 5.0, 6.0]}},
        "timestamp": 8.0,
    }


def test_a_record_holds_plain_values_that_json_writes():
    columns = {
        "a.flag": np.array([True]),
        "a.count": np.array([3]),
        "a.name": ["torque"],
        "a.missing": [None],
        "a.scalar": [np.float32(0.5)],
    }

    record = nest(columns, 0)

    assert json.loads(json.dumps(record)) == {
        "a": {"flag": True, "count": 3, "name": "torque", "missing": None, "scalar": 0.5}
    }


def test_a_record_does_not_change_with_the_arrays_it_came_from():
    joints = np.zeros((1, 2))
    record = nest({"joints": joints}, 0)
    joints[:] = 1.0

    assert record == {"joints": [0.0, 0.0]}


@pytest.mark.parametrize("paths", [("a", "a.b"), ("a.b", "a")])
def test_a_key_cannot_be_a_value_and_a_dictionary(paths):
    with pytest.raises(ValueError, match="column"):
        nest({path: np.zeros(1) for path in paths}, 0)
