"""What is said when something is not as it was."""

import pytest

from trackway.checkpoint.differences import find_differences

THEN = {
    "versions": {"torch": "2.3.0", "numpy": "2.0.0"},
    "machine": {"cpu": "Old CPU", "threads": 1, "hostname": "one", "memory_total_mb": 1},
    "git": {"commit": "a" * 40, "dirty": False},
    "config": {
        "ppo": {"learning_rate": 1e-3},
        "train": {"total_timesteps": 100, "device": "cpu", "save_frequency": 10},
    },
}


def changed(table: str, **values):
    return THEN | {table: THEN[table] | values}


def test_nothing_is_said_when_all_is_as_it_was():
    assert find_differences(THEN, THEN) == []


@pytest.mark.parametrize(
    ("now", "what", "says"),
    [
        (changed("versions", torch="2.4.0"), "torch", "same bits"),
        (changed("machine", cpu="New CPU"), "cpu", "round differently"),
        (changed("machine", threads=8), "threads", "threads"),
        (changed("git", commit="b" * 40), "code", "nothing changed"),
        (changed("git", dirty=True), "code", "files differ"),
    ],
)
def test_what_may_change_bits_is_told_and_does_not_stop(now, what, says):
    [difference] = find_differences(THEN, now)

    assert difference.what == what
    assert says in str(difference)
    assert not difference.another_training


def test_another_host_of_the_same_kind_is_no_difference():
    assert find_differences(THEN, changed("machine", hostname="two", memory_total_mb=2)) == []


@pytest.mark.parametrize(
    ("table", "setting", "value", "another"),
    [
        ("ppo", "learning_rate", 1e-4, True),
        ("train", "device", "cuda", True),
        ("train", "total_timesteps", 200, False),
        ("train", "save_frequency", 20, False),
    ],
)
def test_settings_that_make_another_training_are_told_apart(table, setting, value, another):
    tables = THEN["config"] | {table: THEN["config"][table] | {setting: value}}

    [difference] = find_differences(THEN, THEN | {"config": tables})

    assert difference.what == f"{table}.{setting}"
    assert difference.another_training is another


def test_what_an_older_manifest_does_not_tell_is_not_compared():
    assert [d.what for d in find_differences({"versions": {"torch": "2.2.0"}}, THEN)] == ["torch"]
    assert find_differences({}, THEN) == []
