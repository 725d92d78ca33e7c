"""`trackway diff`: where two runs part, as a person asks it."""

from __future__ import annotations

import math
import shutil
from typing import Any

import orjson
import pytest
from tests.support.attempts import NUM_ENVS, SCHEMA, record

from trackway import Field, Recorder, Schema
from trackway.cli.main import main
from trackway.storage.places import find_stream


def at(where: int, field: str, index: Any, value: float):
    """A change of one value in one row."""

    def change(number, values):
        if number == where:
            values[field][index] = value

    return change


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 100 rows that was never interrupted."""
    return record(tmp_path_factory.mktemp("runs") / "whole", range(100))


@pytest.fixture
def diff(capsysbinary):
    def ask(*words: object) -> tuple[int, Any]:
        status = main(["diff", *map(str, words), "--json"])
        return status, orjson.loads(capsysbinary.readouterr().out)

    return ask


@pytest.fixture
def say(capsysbinary):
    def ask(*words: object) -> tuple[int, str]:
        status = main(["diff", *map(str, words)])
        return status, capsysbinary.readouterr().out.decode()

    return ask


def test_equal_runs_are_equal_with_status_0(whole, tmp_path, diff, say):
    other = record(tmp_path / "other", range(100))

    status, told = diff(whole, other)

    assert status == 0
    assert told["same"] is True
    [steps] = told["streams"]
    assert (steps["stream"], steps["equal_rows"], steps["difference"]) == ("steps", 100, None)
    status, said = say(whole, other)
    assert status == 0
    assert "steps: 100 rows, all equal" in said


@pytest.mark.parametrize("segment_rows", [30, 7, 1000])
def test_the_first_value_that_differs_is_named(whole, tmp_path, diff, say, segment_rows):
    def change(number, values):
        if number >= 57:
            values["qpos"][1, 2] += 1e-9
        if number >= 58:
            values["action"] += 1

    other = record(tmp_path / "other", range(100), change, segment_rows=segment_rows)

    status, told = diff(whole, other)

    assert status == 1
    assert told["same"] is False
    difference = told["streams"][0]["difference"]
    assert told["streams"][0]["equal_rows"] == 57
    assert difference["row"] == 57
    assert difference["timestep"] == 58 * NUM_ENVS
    assert (difference["env"], difference["field"], difference["index"]) == (1, "qpos", [2])
    assert difference["b"] == difference["a"] + 1e-9
    status, said = say(whole, other)
    assert status == 1
    assert "57 rows are equal" in said
    assert "qpos[2]" in said
    assert repr(difference["a"]) in said
    assert repr(difference["b"]) in said


def test_of_fields_that_part_in_one_row_the_first_is_named_and_the_others_listed(
    whole, tmp_path, diff
):
    def change(number, values):
        if number == 40:
            values["reward"][0] += 1
            values["qpos"][1] += 1

    _, told = diff(whole, record(tmp_path / "other", range(100), change))

    difference = told["streams"][0]["difference"]
    assert (difference["field"], difference["env"]) == ("qpos", 1)
    assert difference["fields"] == {"qpos": 3, "reward": 1}


def test_segments_with_equal_digests_are_not_read(whole, tmp_path, diff):
    runs = shutil.copytree(whole, tmp_path / "first"), tmp_path / "other"
    record(runs[1], range(100), at(75, "reward", 0, -1.0))
    for run in runs:
        segment = find_stream(run, "steps").sealed_segment(0)
        data = bytearray(segment.read_bytes())
        data[len(data) // 2] ^= 1  # among its rows, which would be missed if they were read
        segment.write_bytes(data)

    status, told = diff(*runs)

    assert status == 1
    assert told["streams"][0]["by_digest"] == 60
    assert told["streams"][0]["difference"]["row"] == 75


@pytest.mark.parametrize("resumed_at", [40, 60, 30])
def test_a_resumed_run_is_compared_on_its_line(whole, tmp_path, diff, resumed_at):
    """What a dead attempt recorded after the checkpoint is not of the line, whatever it holds."""
    resumed = record(tmp_path / "resumed", range(61), at(60, "qpos", 0, math.pi))
    record(resumed, range(resumed_at, 80), segment_rows=11)
    record(resumed, range(70, 100))

    status, told = diff(whole, resumed)

    assert status == 0
    assert told["streams"][0]["equal_rows"] == 100


def test_a_difference_after_a_resume_names_the_attempt_and_its_row(whole, tmp_path, diff):
    resumed = record(tmp_path / "resumed", range(61))
    record(resumed, range(50, 100), at(77, "action", (1, 0), 5.0))

    _, told = diff(whole, resumed)

    difference = told["streams"][0]["difference"]
    assert (difference["row"], difference["field"]) == (77, "action")
    assert difference["where_b"]["row"] == 27
    assert difference["where_b"]["attempt"].startswith("002-")
    assert difference["where_a"]["row"] == 77


def test_a_run_that_ends_earlier_differs_there(whole, tmp_path, diff, say):
    shorter = record(tmp_path / "shorter", range(93))

    status, told = diff(whole, shorter)

    assert status == 1
    assert told["streams"][0]["equal_rows"] == 93
    assert told["streams"][0]["difference"]["kind"] == "ends"
    assert "A ends; B has 7 rows more" in say(shorter, whole)[1]


def test_rows_that_are_missing_in_one_run_differ(whole, tmp_path, diff):
    gappy = record(tmp_path / "gappy", range(100))
    middle = find_stream(gappy, "steps").sealed_segment(1)
    middle.unlink()

    status, told = diff(whole, gappy)

    assert status == 1
    assert told["streams"][0]["difference"]["kind"] == "missing"
    assert told["streams"][0]["difference"]["row"] == 30


def test_a_run_that_begins_later_is_compared_from_there(whole, tmp_path, diff, say):
    fork = record(tmp_path / "fork", range(50, 100))

    status, told = diff(whole, fork)

    assert status == 0
    assert told["streams"][0]["equal_rows"] == 50
    assert told["streams"][0]["from_timestep"] == 50 * NUM_ENVS
    assert f"after timestep {50 * NUM_ENVS}" in say(whole, fork)[1]


def test_bits_count_not_values(tmp_path, diff):
    """Not-a-number equals itself; 0 and -0 print alike as little as they divide alike."""
    first = record(tmp_path / "first", range(10), at(4, "qpos", 0, math.nan))
    equal = record(tmp_path / "equal", range(10), at(4, "qpos", 0, math.nan))
    assert diff(first, equal)[0] == 0

    def signed(sign):
        def change(number, values):
            values["reward"][:] = sign if number == 6 else 1.0

        return change

    plus = record(tmp_path / "plus", range(10), signed(0.0))
    minus = record(tmp_path / "minus", range(10), signed(-0.0))
    status, told = diff(plus, minus)
    assert status == 1
    assert told["streams"][0]["difference"]["field"] == "reward"


def test_records_are_compared_without_their_times(tmp_path, diff):
    updates = {20: {"train/loss": 0.5, "time/fps": 100}, 40: {"train/loss": 0.25, "time/fps": 90}}
    first = record(tmp_path / "first", range(60), updates=updates)
    # Resumed at row 20: the update that led there was told by both attempts.
    again = {20: {"train/loss": 0.5, "time/fps": 7}, 40: {"train/loss": 0.25, "time/fps": 8}}
    second = record(tmp_path / "second", range(33), updates=again)
    record(second, range(20, 60), updates=again)
    assert diff(first, second)[0] == 0

    other = record(tmp_path / "other", range(60), updates=updates | {40: {"train/loss": 0.125}})
    status, told = diff(first, other)
    assert status == 1
    steps, updated = told["streams"]
    assert steps["difference"] is None
    assert (updated["stream"], updated["equal_rows"]) == ("updates", 1)
    difference = updated["difference"]
    assert (difference["timestep"], difference["field"]) == (40 * NUM_ENVS, "train/loss")
    assert (difference["a"], difference["b"]) == (0.25, 0.125)


def test_one_stream_can_be_asked_for(tmp_path, diff):
    first = record(tmp_path / "first", range(20), updates={10: {"loss": 1}})
    other = record(tmp_path / "other", range(20), updates={10: {"loss": 2}})

    assert diff(first, other, "--stream", "steps")[0] == 0
    assert diff(first, other, "--stream", "updates")[0] == 1
    assert diff(first, other)[0] == 1


def test_fields_that_only_one_run_has_are_told_and_the_others_compared(whole, tmp_path, diff):
    schema = Schema(*(field for field in SCHEMA if field.name != "action"))
    other = record(tmp_path / "other", range(100), schema=schema)

    status, told = diff(whole, other)

    assert status == 1
    assert told["streams"][0]["only_a"] == ["action"]
    assert told["streams"][0]["difference"] is None
    assert told["streams"][0]["equal_rows"] == 100


def test_another_number_of_environments_is_one_difference(whole, tmp_path, diff):
    with Recorder(tmp_path / "other") as recorder:
        recorder.stream("steps", SCHEMA, 3).commit()

    status, told = diff(whole, tmp_path / "other")

    assert status == 1
    difference = told["streams"][0]["difference"]
    assert (difference["kind"], difference["a"], difference["b"]) == ("num_envs", NUM_ENVS, 3)


def test_the_stream_that_parts_first_is_named_first(tmp_path, say):
    first = record(tmp_path / "first", range(60), updates={20: {"loss": 1}})
    other = record(
        tmp_path / "other", range(60), at(50, "reward", 0, 9.0), updates={20: {"loss": 2}}
    )

    assert "part first in updates" in say(first, other)[1]


def test_trouble_is_one_sentence_and_status_2(whole, tmp_path, capsys):
    assert main(["diff", str(whole), "nowhere", "--models", str(tmp_path)]) == 2
    assert main(["diff", str(whole), str(whole), "--stream", "stops"]) == 2
    assert "it has: events, steps" in capsys.readouterr().err


def test_integers_beyond_double_precision_are_told_exactly(tmp_path, diff):
    for name, value in (("a", 2**60), ("b", 2**60 + 1)):
        with Recorder(tmp_path / name) as recorder:
            recorder.stream("steps", Schema(Field("seed", "int64"))).write({"seed": [value]})

    _, told = diff(tmp_path / "a", tmp_path / "b")

    difference = told["streams"][0]["difference"]
    assert difference["b"] - difference["a"] == 1
