"""Steps that are made a second time after a resume are compared with what was recorded the first time."""

from __future__ import annotations

import logging

import gymnasium as gym
import pytest
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.trainings import ppo

from trackway import read_records
from trackway.checkpoint.choose import choose
from trackway.legacy import RealTimeSavingCallback
from trackway.query.line import line
from trackway.run import RunFolder
from trackway.sb3 import RecorderCallback
from trackway.storage.line import find_line, read_line_records

NUM_ENVS, ROLLOUT = 2, 64


class Crash(BaseCallback):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def _on_step(self) -> bool:
        if self.num_timesteps == self.at:
            raise KeyboardInterrupt
        return True

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Nudged(gym.RewardWrapper):
    """Gives other rewards when it is told to: a world that is not as it was."""

    by = 0.0

    def reward(self, reward):
        return reward + self.by


def train(run: RunFolder, total: int, crash_at: int = -1, *, anew: bool = False) -> None:
    found = choose(run.checkpoints).checkpoint
    model = ppo(DummyVecEnv([lambda: Monitor(Nudged(gym.make("CartPole-v1")))] * NUM_ENVS))
    saving = RealTimeSavingCallback(
        run.realtime_data, 32, checkpoint_frequency=ROLLOUT, verbose=0, resume_from=found
    )
    recording = RecorderCallback(run.path)
    if found is not None and not anew:
        model.num_timesteps = found.timestep
    callbacks = CallbackList([saving, recording, Crash(crash_at)])
    try:
        model.learn(
            total - model.num_timesteps,
            callback=callbacks,
            reset_num_timesteps=found is None or anew,
        )
    except KeyboardInterrupt:
        recording.close()
        saving.close()


def checks(run: RunFolder) -> list[dict]:
    events = read_records(run.path, "events")
    return [event for event in events if event["event"] == "re-executed"]


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """Checkpoints at 64 and 128; it crashes at 160, 32 timesteps later."""
    run = RunFolder(tmp_path)
    train(run, 1000, crash_at=160)
    assert choose(run.checkpoints).checkpoint.timestep == 128
    return run


def test_steps_that_are_made_again_equal_the_record(run, caplog):
    caplog.set_level(logging.INFO, "trackway")
    train(run, 256)

    [check] = checks(run)
    assert check["equal"] is True
    assert check["steps"] == 32
    assert check["timestep"] == 160
    assert "32 steps re-executed, all equal to the record" in caplog.text


def test_a_training_that_ends_within_them_compares_what_it_made(run):
    train(run, 1000, crash_at=144)
    train(run, 1000, crash_at=150)

    [check] = checks(run)
    assert (check["steps"], check["equal"]) == (22, True)
    assert check["attempt"].startswith("001-")


def test_a_world_that_is_not_as_it_was_is_told(run, monkeypatch, caplog):
    monkeypatch.setattr(Nudged, "by", 0.5)
    train(run, 256)

    [check] = checks(run)
    assert check["equal"] is False
    assert check["steps"] == 0
    assert check["difference"]["field"] == "reward"
    assert "then not" in caplog.text


def test_episodes_that_ran_at_the_checkpoint_are_told_whole_and_once(run, tmp_path):
    train(run, 256)
    whole = RunFolder(tmp_path / "whole")
    train(whole, 256)

    for stream in ("episodes", "starts"):
        told = [
            [
                {k: v for k, v in record.items() if k not in {"unix_s", "row"}}
                for _, record in read_line_records(find_line(each.path, stream))
            ]
            for each in (run, whole)
        ]
        assert told[0] == told[1]
        assert told[0]


def test_a_program_that_calls_learn_as_at_first_goes_on_at_the_checkpoint(run):
    train(run, 256, anew=True)

    [check] = checks(run)
    assert (check["steps"], check["equal"]) == (32, True)
    assert [stretch.begin for stretch in find_line(run.path, "steps")] == [0, 128]
    # Tables cut the attempt before at the same timestep.
    assert [(span.begin, span.cut) for span in line(run.path)] == [(0, 128), (128, None)]
