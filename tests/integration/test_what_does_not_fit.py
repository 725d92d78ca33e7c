"""A checkpoint that does not fit, or cannot be gone on with here: told before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    EvalCallback,
    EventCallback,
    EveryNTimesteps,
)
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.small_learners import ppo, sac, weights

from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import read_checkpoint
from trackway.errors import MismatchError, RecordingError
from trackway.legacy import RealTimeSavingCallback
from trackway.sb3 import Checkpointer


def test_other_environments_are_told(tmp_path: Path) -> None:
    ppo().learn(64, callback=Checkpointer(tmp_path, 64))
    settings = {"n_steps": 64, "device": "cpu"}
    two = DummyVecEnv([lambda: gym.make("CartPole-v1")] * 2)
    wrapped = DummyVecEnv([lambda: gym.make("CartPole-v1")])

    with pytest.raises(MismatchError, match="has 1 environments, and there are 2"):
        PPO("MlpPolicy", two, **settings).learn(
            64, callback=Checkpointer(tmp_path, resume_from="newest")
        )
    with pytest.raises(MismatchError, match=r"was a .*Monitor; now there is"):
        PPO("MlpPolicy", wrapped, **settings).learn(
            64, callback=Checkpointer(tmp_path, resume_from="newest")
        )


def test_the_users_callbacks_go_on_elsewhere_from_the_weights_or_not_at_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ppo().learn(64, callback=Checkpointer(tmp_path, 64))
    (path,) = list_checkpoints(tmp_path)
    two = DummyVecEnv([lambda: gym.make("CartPole-v1")] * 2)

    def going_on() -> Any:
        return RealTimeSavingCallback(
            tmp_path / "on", verbose=0, record_steps=False, resume_from=read_checkpoint(path)
        )

    with pytest.raises(MismatchError, match="has 1 environments, and there are 2"):
        PPO("MlpPolicy", two, n_steps=64, device="cpu").learn(256, callback=going_on())
    loaded = PPO.load(path, env=two, device="cpu")
    loaded.learn(64, callback=going_on(), reset_num_timesteps=False)

    assert "from its weights" in caplog.text
    assert loaded.num_timesteps > 64


def test_a_damaged_checkpoint_is_passed_over_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ppo().learn(128, callback=Checkpointer(tmp_path, 64))
    _, last = list_checkpoints(tmp_path)
    last.write_bytes(last.read_bytes()[:-100])
    ppo().learn(128, callback=Checkpointer(tmp_path, 64, resume_from="newest"))

    assert f"{last} is passed over" in caplog.text


@pytest.mark.slow
def test_another_program_is_told_what_does_not_fit(tmp_path: Path) -> None:
    ppo().learn(128, callback=Checkpointer(tmp_path, 64))
    other = ppo(policy_kwargs={"net_arch": [4]})
    before = weights(other)

    with pytest.raises(MismatchError):
        other.learn(128, callback=Checkpointer(tmp_path, resume_from="newest"))
    assert np.all([a == b for a, b in zip(weights(other), before, strict=True)])


def every_64(inner: BaseCallback) -> BaseCallback:
    return EveryNTimesteps(64, inner)


def a_list_every_64(inner: BaseCallback) -> BaseCallback:
    return CallbackList([EveryNTimesteps(64, CallbackList([inner]))])


def on_new_best(inner: BaseCallback) -> BaseCallback:
    return EvalCallback(gym.make("CartPole-v1"), callback_on_new_best=inner, eval_freq=64)


class Notes(EventCallback):
    """Hears of rollouts itself, and passes steps on alone."""

    def _on_rollout_start(self) -> None:
        self.started = self.num_timesteps

    def _on_step(self) -> bool:
        return self._on_event()


@pytest.mark.parametrize("around", [every_64, a_list_every_64, on_new_best, Notes])
def test_within_a_callback_that_tells_of_no_rollouts_it_is_refused(
    around: Any, tmp_path: Path
) -> None:
    ppo().learn(64, callback=Checkpointer(tmp_path, 64))
    model = ppo()
    before = weights(model)

    with pytest.raises(RecordingError, match="put it beside"):
        model.learn(128, callback=around(Checkpointer(tmp_path, 64, resume_from="newest")))
    assert weights(model) == before
    assert model.num_timesteps <= 1


class PassesOn(EventCallback):
    callback: BaseCallback

    def _on_rollout_start(self) -> None:
        self.callback.on_rollout_start()

    def _on_step(self) -> bool:
        return self._on_event()

    def _on_rollout_end(self) -> None:
        self.callback.on_rollout_end()

    def _on_training_end(self) -> None:
        self.callback.on_training_end()


def test_within_a_callback_that_tells_of_rollouts_it_works(tmp_path: Path) -> None:
    ppo().learn(128, callback=PassesOn(Checkpointer(tmp_path, 64)))

    assert [read_checkpoint(path).timestep for path in list_checkpoints(tmp_path)] == [64, 128]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "settings", "says"),
    [
        (60, {"buffer_size": 50}, "was holding 60 rows, and there is room for 50"),
        (60, {"buffer_size": 60}, "was holding 60 rows, and there is room for 60"),
        (120, {"buffer_size": 200}, "was full with 90 rows, and there is room for 200"),
        (
            60,
            {
                "optimize_memory_usage": True,
                "replay_buffer_kwargs": {"handle_timeout_termination": False},
            },
            r"next_observations of its replay buffer has shape \(1, 3\) there, None here",
        ),
        (60, {"ent_coef": 0.1}, "was log_ent_coef, and there is none"),
    ],
)
def test_another_learner_is_told_what_does_not_fit_and_is_not_touched(
    at: int, settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    sac().learn(120, callback=Checkpointer(tmp_path, 60))
    (path,) = [p for p in list_checkpoints(tmp_path) if read_checkpoint(p).timestep == at]
    model = sac(**settings)
    before = weights(model)

    with pytest.raises(MismatchError, match=says):
        model.learn(180, callback=Checkpointer(tmp_path / "again", resume_from=path))
    assert weights(model) == before
    assert model.replay_buffer.size() == 0


@pytest.mark.slow
def test_a_larger_buffer_takes_what_did_not_fill_the_smaller_one(tmp_path: Path) -> None:
    whole, again = sac(), sac(buffer_size=200)
    whole.learn(80, callback=Checkpointer(tmp_path, 60))
    first = list_checkpoints(tmp_path)[0]
    again.learn(80, callback=Checkpointer(tmp_path / "again", resume_from=first))

    assert weights(again) == weights(whole)


def test_a_model_without_a_training_is_told_how_it_is_gone_on_with(tmp_path: Path) -> None:
    ppo().save(tmp_path / "plain")

    with pytest.raises(MismatchError, match="load the model from it, and call `learn`"):
        ppo().learn(64, callback=Checkpointer(tmp_path, resume_from=tmp_path / "plain.zip"))
