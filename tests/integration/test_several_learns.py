"""A program that calls `learn` several times, stopped and started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from stable_baselines3 import PPO
from tests.support.small_learners import ppo, weights

from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.errors import MismatchError
from trackway.legacy import RealTimeSavingCallback
from trackway.sb3 import Checkpointer


@pytest.mark.slow
def test_a_program_that_learns_twice_goes_through_both_again(tmp_path: Path) -> None:
    def program() -> tuple[PPO, list[list[bytes]]]:
        model, checkpointer = ppo(), Checkpointer(tmp_path, 64, resume_from="newest")
        reached = []
        for _ in range(2):
            model.learn(128, callback=checkpointer, reset_num_timesteps=False)
            reached.append(weights(model))
        return model, reached

    _, expected = program()
    taken = list_checkpoints(tmp_path)
    again, reached = program()

    assert reached == expected
    assert again.num_timesteps == 256
    assert list_checkpoints(tmp_path) == taken  # nothing was left to train
    taken[-1].unlink()  # as if it had been killed in its last rollout
    again, reached = program()
    assert reached == expected
    assert again.num_timesteps == 256


@pytest.mark.slow
def test_a_named_checkpoint_is_gone_on_with_in_its_own_call_alone(tmp_path: Path) -> None:
    def program(folder: Path, **settings: Any) -> tuple[list[int], list[bytes]]:
        model, starts = ppo(learning_rate=lambda left: 1e-2 * left), []
        for _ in range(3):
            own = Checkpointer(folder, 64, **settings)
            model.learn(192, callback=own, reset_num_timesteps=False)
            starts.append(model._num_timesteps_at_start)
        return starts, weights(model)

    whole = program(tmp_path / "a")
    named = list_checkpoints(tmp_path / "a")[3]
    assert read_checkpoint(named).learn == 2

    assert program(tmp_path / "b", resume_from=named) == whole


@pytest.mark.slow
def test_a_program_of_several_calls_is_started_again_from_what_the_policy_has_kept(
    tmp_path: Path,
) -> None:
    def program() -> tuple[list[tuple[int, int]], list[bytes]]:
        model = ppo()
        for _ in range(3):
            own = Checkpointer(tmp_path, 64, keep_last=2, resume_from="newest")
            model.learn(192, callback=own, reset_num_timesteps=False)
        found = [read_checkpoint(path) for path in list_checkpoints(tmp_path)]
        return sorted((c.learn, c.timestep or 0) for c in found), weights(model)

    kept, expected = program()
    assert kept == [(1, 192), (2, 384), (3, 512), (3, 576)]
    assert program() == (kept, expected)
    for path in list_checkpoints(tmp_path):
        if read_checkpoint(path).learn > 1:
            path.unlink()  # as if it had been killed early in its second call
    assert program() == (kept, expected)


@pytest.mark.slow
def test_a_named_checkpoint_is_gone_on_with_in_the_call_that_it_was_taken_in(
    tmp_path: Path,
) -> None:
    def program(folder: Path, origin: Path | None) -> list[list[bytes]]:
        # Two of them: a call of `learn` is one call, however many callbacks count it.
        both = [Checkpointer(folder, 64, resume_from=origin), Checkpointer(folder / "second", 64)]
        model, reached = ppo(), []
        for _ in range(2):
            model.learn(128, callback=both, reset_num_timesteps=False)
            reached.append(weights(model))
        assert model.num_timesteps == 256
        return reached

    expected = program(tmp_path, None)
    *others, within, _ = list_checkpoints(tmp_path)
    assert read_checkpoint(within).timestep == 192
    assert program(tmp_path / "again", within) == expected
    for path in others:
        path.unlink()
    with pytest.raises(MismatchError, match="taken in call 2 of `learn`"):
        program(tmp_path / "refused", within)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Checkpointer, RealTimeSavingCallback])
def test_a_model_that_was_loaded_goes_on_in_whichever_call(kind: Any, tmp_path: Path) -> None:
    def saving(folder: Path, origin: Path | None) -> Any:
        if kind is Checkpointer:
            return Checkpointer(folder, 64, resume_from=origin)
        quiet = {"verbose": 0, "record_steps": False, "checkpoint_frequency": 64}
        checkpoint = None if origin is None else read_checkpoint(origin)
        return kind(folder, resume_from=checkpoint, **quiet)

    model, callback = ppo(), saving(tmp_path, None)
    for _ in range(2):
        model.learn(128, callback=callback, reset_num_timesteps=False)
    (within,) = [p for p in tmp_path.rglob("*.zip") if read_checkpoint(p).timestep == 192]
    again = PPO.load(within, env=gym.make("CartPole-v1"), device="cpu")
    again.learn(64, callback=saving(tmp_path / "again", within), reset_num_timesteps=False)

    assert again.num_timesteps == 256
    assert weights(again) == weights(model)
    last = max((tmp_path / "again").rglob("*.zip"), key=lambda p: read_checkpoint(p).timestep)
    assert read_checkpoint(last).manifest["learn"] == 2


def test_the_users_callbacks_refuse_a_call_that_had_ended(tmp_path: Path) -> None:
    def program(origin: Path | None) -> None:
        saving = RealTimeSavingCallback(
            tmp_path,
            checkpoint_frequency=64,
            verbose=0,
            record_steps=False,
            resume_from=origin and read_checkpoint(origin),
        )
        model = ppo()
        for _ in range(2):
            model.learn(64, callback=saving, reset_num_timesteps=False)

    program(None)
    first, second = list_checkpoints(tmp_path / "checkpoints")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(MismatchError, match="taken in call 2 of `learn`, this is call 1"):
        program(second)
    with pytest.raises(MismatchError, match="nothing is left to train"):
        program(first)
    assert sorted(tmp_path.rglob("*")) == before


def test_checkpoints_of_a_further_learn_are_newer_than_those_before(tmp_path: Path) -> None:
    saving = RealTimeSavingCallback(
        tmp_path, checkpoint_frequency=64, verbose=0, record_steps=False, keep_last=1, keep_every=3
    )
    model = ppo()
    for _ in range(2):
        model.learn(192, callback=saving)

    found = [read_checkpoint(path).manifest for path in list_checkpoints(tmp_path / "checkpoints")]
    told = sorted((m["learn"], m["number"]) for m in found)
    assert told == [(1, 0), (1, 2), (2, 3), (2, 5)]


def test_a_learn_of_which_no_checkpoint_is_left_is_told(tmp_path: Path) -> None:
    model = ppo()
    for folder in (tmp_path / "first", tmp_path):
        model.learn(64, callback=Checkpointer(folder, 64), reset_num_timesteps=False)

    with pytest.raises(MismatchError, match="give each a folder"):
        ppo().learn(64, callback=Checkpointer(tmp_path, resume_from="newest"))
