"""A saving callback alone records every step as well; nothing is recorded twice."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import DummyVecEnv
from tests.support.sliding_ball import SlidingBall
from tests.support.trainings import episodes_of, ppo

from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway import read, read_records
from trackway.checkpoint.read import read_checkpoint
from trackway.legacy import ComprehensiveSavingCallback, RealTimeSavingCallback
from trackway.sb3 import RecorderCallback


def attempts_in(run):
    return sorted(path.name for path in (run / "realtime_data" / "streams").glob("*"))


@pytest.mark.parametrize("kind", [RealTimeSavingCallback, ComprehensiveSavingCallback])
def test_a_saving_callback_alone_keeps_every_stream(tmp_path, kind):
    saving = kind(tmp_path / "realtime_data", 50, checkpoint_frequency=64, verbose=0)
    ppo(DummyVecEnv([SlidingBall] * 2)).learn(128, callback=saving)
    steps, events = read(tmp_path, "steps"), read_records(tmp_path, "events")
    told = episodes_of(tmp_path / "realtime_data")

    assert len(steps) == 64
    assert np.isfinite(steps["qpos"]).all()
    assert [u["timestep"] for u in read_records(tmp_path, "updates")] == [64, 128]
    assert len(read(tmp_path, "system")) >= 1
    assert events[0]["event"] == "begin"
    assert events[-1]["event"] == "end"
    assert any(e["event"] == "checkpoint" for e in events)
    ended = read_records(tmp_path, "episodes")
    assert len(ended) == len(told) > 0
    assert sorted(e["timestep"] for e in ended) == sorted(e["timestep"] for e in told)
    assert saving.status.failures == 0
    assert len(attempts_in(tmp_path)) == 1


@pytest.mark.parametrize("recorder_first", [True, False])
def test_beside_a_recorder_callback_nothing_is_recorded_twice(tmp_path, recorder_first):
    saving = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0)
    callbacks = [saving, CallbackList([RecorderCallback(tmp_path)])]
    ppo(make_vec_env("CartPole-v1", 2)).learn(
        128, callback=callbacks[::-1] if recorder_first else callbacks
    )

    assert len(attempts_in(tmp_path)) == 1
    assert len(read(tmp_path, "steps")) == 64


def test_of_two_saving_callbacks_one_records_the_steps(tmp_path):
    first = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0, record_steps=False)
    second = ComprehensiveSavingCallback(tmp_path / "comprehensive_data", verbose=0)
    third = RealTimeSavingCallback(tmp_path / "third", verbose=0)
    ppo(make_vec_env("CartPole-v1", 2)).learn(128, callback=[first, second, third])

    assert attempts_in(tmp_path) == attempts_in(tmp_path / "third") == []
    assert len(read(tmp_path / "comprehensive_data", "steps")) == 64


@pytest.mark.parametrize("how", ["closed", "begun again"])
def test_learning_on_is_recorded_as_well_and_an_interrupted_training_up_to_its_last_step(
    tmp_path, how
):
    class Interrupt(BaseCallback):
        def _on_step(self):
            if self.num_timesteps >= 100:
                raise KeyboardInterrupt
            return True

    saving = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0)
    model = ppo(make_vec_env("CartPole-v1", 2))
    model.learn(64, callback=saving)
    with pytest.raises(KeyboardInterrupt):
        model.learn(640, callback=[saving, Interrupt()], reset_num_timesteps=False)
    if how == "closed":
        saving.close()
    else:
        model.learn(64, callback=saving, reset_num_timesteps=False)

    first, second, *others = attempts_in(tmp_path)
    assert len(read(tmp_path, "steps", attempt=first)) == 32
    assert len(read(tmp_path, "steps", attempt=second)) == 18
    assert read_records(tmp_path, "events", attempt=second)[-1] | {"unix_s": 0} == {
        "event": "end", "timestep": 100, "unix_s": 0, "row": 18, "how": "closed", "errors": 0,
    }  # fmt: skip
    assert [len(read(tmp_path, "steps", attempt=name)) for name in others] == [32] * len(others)


def test_a_folder_that_takes_no_streams_stops_no_training(tmp_path, caplog):
    (tmp_path / "realtime_data").mkdir()
    (tmp_path / "realtime_data" / "streams").write_text("a file where a folder has to be")
    saving = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0)
    ppo(make_vec_env("CartPole-v1", 2)).learn(64, callback=saving)

    assert "recording failed to record the steps" in caplog.text
    assert saving.status.failures == 1
    assert saving.status.files > 0


def test_what_goes_on_exactly_is_recorded_from_where_it_goes_on(tmp_path):
    def train(run, timesteps, **resume):
        saving = RealTimeSavingCallback(
            tmp_path / run / "realtime_data", checkpoint_frequency=96, verbose=0, **resume
        )
        envs = Go1VecEnv(3, Go1Config(max_episode_time_sec=0.9, rand_power=0.5), seed=0)
        ppo(envs).learn(timesteps, callback=saving)
        return saving.status.last_checkpoint

    whole = train("whole", 3 * 96)
    train("stopped", 2 * 96)
    origin = min((tmp_path / "stopped" / "checkpoints").glob("*.zip"))
    timestep = read_checkpoint(origin).document("counters.json")["timestep"]
    train("resumed", 3 * 96, resume_from=read_checkpoint(origin))
    first = timestep // 3
    before, after = read(tmp_path / "whole", "steps"), read(tmp_path / "resumed", "steps")
    events = read_records(tmp_path / "resumed", "events")
    starts, ends = (read_records(tmp_path / "resumed", name) for name in ("starts", "episodes"))

    resumed = next(event for event in events if event["event"] == "resumed")
    begun = {(s["env"], s["episode"]): s["row"] for s in starts}
    ended = {(e["env"], e["episode"]): e for e in ends}
    same = {(e["env"], e["episode"]): e for e in read_records(tmp_path / "whole", "episodes")}

    assert whole
    assert resumed["timestep"] == timestep > 0
    for name, column in after.columns.items():
        np.testing.assert_array_equal(column, before[name][first : first + len(after)], name)
    assert all(row == 0 or row - 1 in {e["row"] for e in ends} for row in begun.values())
    assert ended
    for key, record in ended.items():
        assert (record["return"], record["length"]) == (same[key]["return"], same[key]["length"])
