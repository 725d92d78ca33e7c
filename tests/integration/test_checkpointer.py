"""`trackway.sb3.Checkpointer`, as somebody uses it in a training of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO, SAC

from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.errors import MismatchError
from trackway.sb3 import Checkpointer


def ppo(seed: int = 1, **settings: Any) -> PPO:
    return PPO(
        "MlpPolicy",
        gym.make("CartPole-v1"),
        n_steps=64,
        batch_size=64,
        n_epochs=1,
        seed=seed,
        device="cpu",
        **settings,
    )


def sac() -> SAC:
    return SAC(
        "MlpPolicy",
        gym.make("Pendulum-v1"),
        learning_starts=20,
        batch_size=16,
        buffer_size=90,
        seed=1,
        device="cpu",
        policy_kwargs={"net_arch": [8]},
    )


def weights(model: Any) -> list[bytes]:
    return [p.detach().numpy().tobytes() for p in model.policy.parameters()]


@pytest.mark.slow
@pytest.mark.parametrize(("make", "total", "every"), [(ppo, 320, 128), (sac, 160, 60)])
def test_the_same_program_started_again_goes_on(
    make: Any, total: int, every: int, tmp_path: Path
) -> None:
    whole = make()
    whole.learn(total, callback=Checkpointer(tmp_path, every, close_timeout_s=60))
    first = list_checkpoints(tmp_path)[0]
    again = make()
    again.learn(total, callback=Checkpointer(tmp_path / "again", every, resume_from=first))

    assert read_checkpoint(first).manifest["exact"] is True
    assert read_checkpoint(first).timestep < total
    assert again.num_timesteps == whole.num_timesteps
    assert weights(again) == weights(whole)


@pytest.mark.slow
def test_what_the_policy_lets_go_is_removed_and_the_newest_opens(tmp_path: Path) -> None:
    checkpointer = Checkpointer(tmp_path, 64, keep_last=2, resume_from="newest")
    model = ppo()
    model.learn(64 * 6, callback=checkpointer)

    found = list_checkpoints(tmp_path)
    assert len(found) == 2
    assert checkpointer.delivery.lost_records == 0
    assert PPO.load(found[-1]).num_timesteps == model.num_timesteps


@pytest.mark.slow
def test_rows_of_a_replay_buffer_go_with_the_last_checkpoint_that_names_them(
    tmp_path: Path,
) -> None:
    sac().learn(400, callback=Checkpointer(tmp_path, 40, keep_last=1))

    (zip_path,) = list_checkpoints(tmp_path)
    named = set(read_checkpoint(zip_path).manifest["replay"])
    assert {p.name for p in (tmp_path / "replay").iterdir()} == named


@pytest.mark.slow
def test_another_program_is_told_what_does_not_fit(tmp_path: Path) -> None:
    ppo().learn(128, callback=Checkpointer(tmp_path, 64))
    other = ppo(policy_kwargs={"net_arch": [4]})
    before = weights(other)

    with pytest.raises(MismatchError):
        other.learn(128, callback=Checkpointer(tmp_path, resume_from="newest"))
    assert np.all([a == b for a, b in zip(weights(other), before, strict=True)])
