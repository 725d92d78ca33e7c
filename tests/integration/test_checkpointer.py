"""`trackway.sb3.Checkpointer`, as somebody uses it in a training of their own."""

from __future__ import annotations

import copy
import io
import json
import threading
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import ARS
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import (
    BaseCallback,
)
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from tests.support.small_learners import SameSecond, ppo, sac, weights

from trackway import read_records
from trackway.checkpoint.choose import list_checkpoints
from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.legacy import ComprehensiveSavingCallback, RealTimeSavingCallback
from trackway.sb3 import Checkpointer, RecorderCallback
from trackway.storage.compare import compare
from trackway.storage.line import find_line, read_batches


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


class Longer(PPO):
    """Gathers more at a time after a while, in the buffer that it has or in another one."""

    in_another = False

    def train(self) -> None:
        super().train()
        if self.num_timesteps == 64:
            self.n_steps = 96
            if self.in_another:
                self.rollout_buffer = copy.copy(self.rollout_buffer)
            self.rollout_buffer.buffer_size = 96


@pytest.mark.slow
@pytest.mark.parametrize("in_another", [False, True])
def test_rollouts_stay_as_long_as_the_training_has_made_them(
    in_another: bool, tmp_path: Path
) -> None:
    whole, again = (
        Longer("MlpPolicy", "CartPole-v1", n_steps=64, device="cpu", seed=1) for _ in "ab"
    )
    whole.in_another = again.in_another = in_another
    whole.learn(352, callback=Checkpointer(tmp_path, 96))
    first = list_checkpoints(tmp_path)[0]
    again.learn(352, callback=Checkpointer(tmp_path / "again", resume_from=first))

    because = ["model.rollout_buffer is now another one than the program gives"]
    assert read_checkpoint(first).timestep == 160
    assert read_checkpoint(first).manifest["exact"] == (because if in_another else True)
    assert again.num_timesteps == whole.num_timesteps
    assert weights(again) == weights(whole)


@pytest.mark.slow
def test_a_replay_buffer_in_place_of_the_first_is_told_and_filled_anew(tmp_path: Path) -> None:
    class Exchanges(Checkpointer):
        def _on_rollout_end(self) -> None:
            if self.num_timesteps == 60:
                self.model.replay_buffer = copy.deepcopy(self.model.replay_buffer)  # type: ignore[attr-defined]

    whole, again = sac(), sac()
    whole.learn(160, callback=Exchanges(tmp_path, 80))
    first = list_checkpoints(tmp_path)[0]
    again.learn(160, callback=Checkpointer(tmp_path / "again", resume_from=first))

    assert read_checkpoint(first).manifest["exact"] == [
        "the replay buffer (ReplayBuffer) is not kept: it is filled anew",
        "model.replay_buffer is now another one than the program gives",
    ]
    assert again.replay_buffer is not None
    assert again.replay_buffer.size() == 160 - read_checkpoint(first).timestep


@pytest.mark.slow
def test_an_algorithm_that_draws_before_a_rollout_starts_is_told(tmp_path: Path) -> None:
    model = ARS("LinearPolicy", "Pendulum-v1", n_delta=2, device="cpu")
    model.learn(1000, callback=Checkpointer(tmp_path, 400))

    because = "what ARS does before a rollout starts is not kept: it is done anew"
    newest = list_checkpoints(tmp_path)[-1]
    assert because in read_checkpoint(newest).manifest["exact"]


class Sharper(PPO):
    """Learns with another loss after a while."""

    loss: Any

    def train(self) -> None:
        super().train()
        if self.num_timesteps == 64:
            self.loss = torch.nn.HuberLoss


@pytest.mark.slow
def test_a_class_that_a_learner_has_for_an_attribute_is_kept(tmp_path: Path) -> None:
    whole, again = (Sharper("MlpPolicy", "CartPole-v1", n_steps=64, device="cpu") for _ in "ab")
    whole.loss = again.loss = torch.nn.MSELoss
    whole.learn(192, callback=Checkpointer(tmp_path, 64))
    second = list_checkpoints(tmp_path)[1]
    again.learn(192, callback=Checkpointer(tmp_path / "again", resume_from=second))

    assert read_checkpoint(second).timestep == 128
    assert again.loss is torch.nn.HuberLoss


def with_what_is_hidden() -> PPO:
    model: Any = ppo()
    model.lock, model.stream, model.seen = threading.Lock(), io.BytesIO(), model._last_obs
    return model  # type: ignore[no-any-return]


@pytest.mark.slow
def test_what_cannot_be_taken_of_a_learner_is_named_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = with_what_is_hidden()
    whole.learn(192, callback=Checkpointer(tmp_path, 64))
    first = list_checkpoints(tmp_path)[0]
    again = with_what_is_hidden()
    again.learn(192, callback=Checkpointer(tmp_path / "again", resume_from=first))

    because = read_checkpoint(first).manifest["exact"]
    assert [sentence.partition(" is ")[0] for sentence in because] == [
        "model['lock']",
        "model['stream']",
    ]
    assert "saved without lock, which cannot be pickled" in caplog.text
    assert again.num_timesteps == whole.num_timesteps
    assert weights(again) == weights(whole)
    assert PPO.load(first, device="cpu").num_timesteps == 64


class Untakeable:
    """As somebody's simulation may be."""

    def state_dict(self) -> dict[str, Any]:
        raise ValueError("no state while the motors turn")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        raise AssertionError


class Driven(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1"))
        self.motors = Untakeable()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [DummyVecEnv, SubprocVecEnv])
def test_an_environment_that_raises_where_it_is_taken_is_named_and_the_training_goes_on(
    kind: Any, tmp_path: Path
) -> None:
    model = PPO("MlpPolicy", kind([Driven] * 2), n_steps=64, batch_size=64, device="cpu")
    model.learn(256, callback=Checkpointer(tmp_path, 128))
    model.env.close()

    assert model.num_timesteps == 256
    found = [read_checkpoint(path) for path in list_checkpoints(tmp_path)]
    assert [checkpoint.timestep for checkpoint in found] == [128, 256]
    for checkpoint in found:
        because = " ".join(checkpoint.inexact_because)
        assert "motors cannot be taken: ValueError: no state while the motors turn" in because


def refuse() -> Any:
    raise OSError("the weights are on another machine")


class Refuses(BaseCallback):
    """The learner's weights cannot be had for a while."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__()
        self.start, self.end = start, end

    def _on_rollout_start(self) -> None:
        model: Any = self.model
        if self.num_timesteps == self.start:
            model._get_torch_save_params = refuse
        elif self.num_timesteps == self.end:
            del model._get_torch_save_params

    def _on_step(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Checkpointer, RealTimeSavingCallback])
def test_where_a_checkpoint_cannot_be_taken_the_training_goes_on_and_says_so(
    kind: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = ppo()
    if kind is Checkpointer:
        saving = Checkpointer(tmp_path, 64)
    else:
        saving = kind(tmp_path, checkpoint_frequency=64, verbose=0, record_steps=False)
    model.learn(256, callback=[Refuses(128, -1), saving])

    assert model.num_timesteps == 256
    assert [read_checkpoint(path).timestep for path in tmp_path.rglob("*.zip")] == [64]
    (said,) = [r for r in caplog.records if "the training goes on without it" in r.message]
    assert "checkpoint: OSError: the weights are on another machine" in said.message
    assert said.exc_info
    status = saving.delivery if kind is Checkpointer else saving.status
    assert status.failures >= 2


@pytest.mark.slow
def test_rows_that_a_failed_checkpoint_has_cut_belong_to_the_next(tmp_path: Path) -> None:
    def train(checkpointer: Checkpointer) -> Any:
        model = sac()
        model.learn(160, callback=[Refuses(60, 100), checkpointer])
        return model

    whole = train(Checkpointer(tmp_path, 20))
    found = {read_checkpoint(path).timestep: path for path in list_checkpoints(tmp_path)}
    assert list(found) == [20, 40, 100, 120, 140, 160]
    again = train(Checkpointer(tmp_path / "again", resume_from=found[100]))

    assert weights(again) == weights(whole)


def states(run: Path) -> np.ndarray[Any, Any]:
    """What was recorded of env 0: one row of `obs` for each step."""
    batches = read_batches(find_line(run, "steps"), ["obs"], 0)
    return np.concatenate([batch.columns["obs"][:, 0] for batch in batches])


class Cools(BaseCallback):
    """Changes settings by what NumPy computes."""

    def _on_step(self) -> bool:
        model: Any = self.model
        model.ent_coef = 0.01 * np.exp(-self.num_timesteps / 100)
        return True


@pytest.mark.slow
def test_numbers_may_be_those_of_numpy(tmp_path: Path) -> None:
    saving = RealTimeSavingCallback(
        tmp_path / "own", checkpoint_frequency=64, verbose=0, record_steps=False
    )
    whole, total = ppo(), np.int64(192)
    whole.learn(total, callback=[Cools(), Checkpointer(tmp_path, 64), saving])
    assert len(list_checkpoints(tmp_path / "own/checkpoints")) == 3
    first, *others = list_checkpoints(tmp_path)
    assert len(others) == 2

    again = ppo()
    again.learn(total, callback=[Cools(), Checkpointer(tmp_path / "again", resume_from=first)])
    assert weights(again) == weights(whole)


@pytest.mark.slow
def test_every_step_is_recorded_while_checkpoints_are_taken_and_after_a_resume(
    tmp_path: Path,
) -> None:
    checkpoints, whole, again = (tmp_path / name for name in ("checkpoints", "whole", "again"))
    sac().learn(160, callback=[Checkpointer(checkpoints, 60), RecorderCallback(whole)])
    first = list_checkpoints(checkpoints)[0]
    # The other way round: who records hears of the first rollout before it is resumed.
    sac().learn(160, callback=[RecorderCallback(again), Checkpointer(again, resume_from=first)])

    assert len(np.unique(states(whole), axis=0)) == 160
    assert [s["row"] for s in read_records(whole, "starts")] == [0]
    assert read_records(again, "starts") == []  # it goes on within the first episode
    assert find_line(again, "steps")[0].begin == read_checkpoint(first).timestep == 60
    found = compare("steps", find_line(whole, "steps"), find_line(again, "steps"))
    assert found.same, found
    assert found.equal_rows == 100


@pytest.mark.slow
def test_a_training_that_was_not_recorded_may_be_recorded_from_a_resume_on(tmp_path: Path) -> None:
    sac().learn(160, callback=Checkpointer(tmp_path, 60))
    again, first = tmp_path / "again", list_checkpoints(tmp_path)[0]
    sac().learn(160, callback=[Checkpointer(again, resume_from=first), RecorderCallback(again)])

    assert len(np.unique(states(again), axis=0)) == 100


def test_a_training_too_short_to_try_its_environments_leaves_them_as_it_found_them(
    tmp_path: Path,
) -> None:
    model = sac()
    (env,) = model.env.unwrapped.envs
    model.learn(10, callback=Checkpointer(tmp_path, 100))
    (zip_path,) = list_checkpoints(tmp_path)

    assert "not been tried" in read_checkpoint(zip_path).inexact_because[0]
    assert "step" not in vars(env)
    assert "reset" not in vars(env)


@pytest.mark.slow
def test_what_the_policy_lets_go_is_removed_and_the_newest_opens(tmp_path: Path) -> None:
    clock = SameSecond()
    checkpointer = Checkpointer(tmp_path, 64, keep_last=2, resume_from="newest", clock=clock)
    model = ppo()
    model.learn(64 * 7, callback=checkpointer)

    found = list_checkpoints(tmp_path)
    assert [read_checkpoint(path).timestep for path in found] == [64 * 6, 64 * 7]
    assert checkpointer.delivery.lost_records == 0
    assert PPO.load(found[-1]).num_timesteps == model.num_timesteps


@pytest.mark.slow
def test_the_users_callbacks_keep_by_the_same_policy_and_count_on(tmp_path: Path) -> None:
    def train(total: int, origin: Checkpoint | None) -> list[Path]:
        quiet = {"verbose": 0, "record_steps": False, "resume_from": origin}
        saving = ComprehensiveSavingCallback(
            tmp_path, checkpoint_frequency=64, keep_last=2, keep_every=4, **quiet
        )
        ppo().learn(total, callback=saving)
        return list_checkpoints(tmp_path / "checkpoints")

    found = train(64 * 4, None)
    found = train(64 * 7, read_checkpoint(found[-1]))
    records = [json.loads(p.read_text()) for p in (tmp_path / "checkpoints").glob("*.json")]

    assert [read_checkpoint(path).manifest["number"] for path in found] == [0, 4, 5, 6]
    assert read_checkpoint(found[-1]).timestep == 64 * 7
    assert {r["recovery_info"]["model_path"] for r in records} == set(map(str, found))


@pytest.mark.slow
def test_rows_of_a_replay_buffer_go_with_the_last_checkpoint_that_names_them(
    tmp_path: Path,
) -> None:
    sac().learn(400, callback=Checkpointer(tmp_path, 40, keep_last=1))

    (zip_path,) = list_checkpoints(tmp_path)
    named = set(read_checkpoint(zip_path).manifest["replay"])
    assert {p.name for p in (tmp_path / "replay").iterdir()} == named
