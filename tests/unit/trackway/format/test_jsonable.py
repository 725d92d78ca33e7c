import json
import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.utils import ConstantSchedule
from tests.support.trainings import strict_loads

from trackway.format.jsonable import jsonable, missing, strict, strict_json


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: float
    where: Path


Pair = namedtuple("Pair", "frequency unit")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([True, False]), [True, False]),
        (np.array([{"a": np.int8(1)}], dtype=object), [{"a": 1}]),
        ((1, np.float64(2.0)), [1, 2.0]),
        (OrderedDict(a=(1,)), {"a": [1]}),
        ({1: "one", None: "none"}, {"1": "one", "None": "none"}),
        ([np.float64(1.5), "x"], [1.5, "x"]),
        (Colour.RED, "red"),
        (Point(1.0, Path("/a")), {"x": 1.0, "where": "/a"}),
        (Pair(4, Colour.RED), {"frequency": 4, "unit": "red"}),
        (torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0]),
        (torch.nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (math, "math"),
        (b"abc", "3 bytes"),
        (spaces.Discrete(2), "Discrete(2)"),
    ],
)
def test_every_value_of_a_training_becomes_plain(value, plain):
    assert jsonable(value) == plain
    json.dumps(jsonable(value))


def test_plain_values_have_plain_types():
    for value in (np.float64(1.0), np.bool_(False), np.str_("x"), np.int32(1)):
        assert type(jsonable(value)) in (float, bool, str, int)


def test_descriptions_are_the_same_in_every_process():
    assert " at 0x" not in jsonable(ConstantSchedule(0.2))
    assert " at 0x" not in jsonable(object())


def test_a_list_is_copied_and_not_shared():
    mine = [1, 2]
    copy = jsonable(mine)
    mine.append(3)

    assert copy == [1, 2]


def test_a_circle_ends():
    circle: list = []
    circle.append(circle)

    json.dumps(jsonable(circle))


def test_nan_and_infinity_are_null_and_named_beside():
    record = {"reward": math.nan, "speed": 1.0, "robot": {"velocity": [0.0, math.inf]}}

    assert strict_loads(strict_json(record)) == {
        "reward": None,
        "speed": 1.0,
        "robot": {"velocity": [0.0, None], "nonfinite": ["velocity"]},
        "nonfinite": ["reward"],
    }


def test_text_stays_readable_and_two_spaces_indent():
    assert strict_json({"이름": "로봇"}) == '{\n  "이름": "로봇"\n}'.encode()


def test_numbers_beyond_64_bits_and_broken_text_do_not_break_a_file():
    assert strict_loads(strict_json({"state": 2**100, "name": "a\ud800"}))["state"] == str(2**100)


def test_what_is_null_is_named():
    assert missing({"a": 1, "b": None}) == {"missing": ["b"]}
    assert missing({"a": 1}) == {}


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(plain_values)
def test_any_plain_value_is_strict_json(value):
    strict_loads(strict_json(jsonable(value)))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_finite_numbers_come_back_to_the_last_bit(values):
    assert strict_loads(strict_json(strict(values))) == values
