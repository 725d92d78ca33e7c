"""An episode that was taped comes out again in an environment built afresh, or it is said why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.treacherous import Ages, CountsEpisodes, HiddenWaves, HiddenWorld

from trackway.frameworks.sb3 import tape
from trackway.frameworks.sb3.tape import Tape, play, play_on


def taped(env: Any, steps: int, seed: int | None = 3) -> Tape:
    """Within its second episode, where the first began before the tape."""
    env.reset(seed=1)
    found = Tape(env)
    env.step(np.zeros(2))
    env.reset(seed=seed)
    go_on(env, steps)
    return found


def go_on(env: Any, steps: int) -> list[Any]:
    rng = np.random.default_rng(0)
    return [env.step(rng.uniform(-1, 1, 2).astype(np.float32))[:2] for _ in range(steps)]


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x, y) and r == s for (x, r), (y, s) in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", [HiddenWorld, HiddenWaves, CountsEpisodes])
@pytest.mark.parametrize("seed", [3, None])
def test_an_episode_comes_out_again_and_goes_on_equally(kind: Any, seed: int | None) -> None:
    first, second = kind(), kind()
    told = taped(first, 6, seed).told()
    second.reset(seed=99)

    assert told is not None
    assert play(second, told) is None
    assert same(go_on(second, 20), go_on(first, 20))


def test_an_episode_that_was_played_is_taped_on() -> None:
    first, second, third = HiddenWorld(), HiddenWorld(), HiddenWorld()
    told, failed = taped(first, 6).told(), list[str]()
    assert told is not None
    play_on(second, told, failed)
    again = Tape(second)
    go_on(second, 3)
    told = again.told()

    assert failed == []
    assert told is not None
    assert len(told["actions"]) == 9
    assert play(third, told) is None


def test_what_comes_out_otherwise_is_said() -> None:
    told = taped(Ages(), 6).told()

    assert told is not None
    assert play(Ages(), told) == "played again, its episode parts after 1 steps"


def test_a_number_that_was_changed_within_the_episode_is_noticed_at_once() -> None:
    env = HiddenWorld()
    found = taped(env, 6)
    env.goal = 1.0

    assert found.told() is None
    assert found.why_not == "within the running episode somebody changed goal"
    env.reset()
    go_on(env, 3)
    told, second = found.told(), HiddenWorld()
    assert told is not None
    assert play(second, told) is None
    assert second.goal == 1.0


def test_an_array_that_was_changed_meanwhile_is_noticed_when_it_is_played() -> None:
    env = HiddenWorld()
    found = taped(env, 6)
    env.goal = np.ones(2)
    told = found.told()

    assert told is not None
    assert (
        play(HiddenWorld(), told)
        == "played again, its episode ends with attributes of other values"
    )


def test_an_episode_that_began_unseen_cannot_be_played() -> None:
    env = HiddenWorld()
    env.reset(seed=1)
    found = Tape(env)
    go_on(env, 3)

    assert found.told() is None
    assert found.why_not == "the running episode began before anybody watched"


def test_a_very_long_episode_is_let_go_and_the_next_one_is_taped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tape, "LONGEST", 600)
    env = HiddenWorld()
    found = taped(env, 600)
    assert found.told() is not None

    go_on(env, 1)
    assert found.told() is None
    assert found.why_not == "the running episode is longer than 600 steps"
    env.reset()
    go_on(env, 5)
    assert found.why_not is None


def test_an_action_that_the_environment_changes_is_kept_as_it_was() -> None:
    class Spoils(HiddenWorld):
        def step(self, action: Any) -> Any:
            result = super().step(action)
            action[:] = 7.0
            return result

    told = taped(Spoils(), 6).told()

    assert told is not None
    assert play(Spoils(), told) is None


def test_actions_that_are_no_arrays_are_said_and_the_training_goes_on() -> None:
    class Named(HiddenWorld):
        def step(self, action: Any) -> Any:
            return super().step(action["push"] if isinstance(action, dict) else action)

    env = Named()
    found = taped(env, 2)
    env.step({"push": np.zeros(2)})

    assert found.told() is None
    assert found.why_not == "its actions are not arrays of numbers"


def test_the_environment_is_left_as_it_was_found() -> None:
    env = HiddenWorld()
    taped(env, 2).close()

    assert {"step", "reset"}.isdisjoint(vars(env))
