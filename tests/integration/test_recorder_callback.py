"""What the recorder callback keeps is what the environments returned, whatever they are."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from tests.support.sliding_ball import SlidingBall
from tests.support.trainings import ppo

import trackway
from go1.config import Go1Config
from go1.vec_env import Go1VecEnv
from trackway import Field, Recorder, Schema, read, read_records
from trackway.frameworks.sb3.stop import StopOnSignal
from trackway.gymnasium import RecordEnv
from trackway.sb3 import RecorderCallback


class Ledger:
    """Keeps what the innermost VecEnv is given and returns, beside the recorder."""

    def __init__(self, venv):
        self.steps = []
        step_wait, step_async = venv.step_wait, venv.step_async

        def asked(actions):
            self.actions = np.array(actions)
            step_async(actions)

        def waited():
            result = step_wait()
            # VecNormalize will normalise what is in the infos, in place.
            obs, rewards, dones, infos = deepcopy(result)
            self.steps.append((self.actions, obs, rewards, dones, infos))
            return result

        venv.step_async, venv.step_wait = asked, waited

    @property
    def dones(self):
        return np.array([step[3] for step in self.steps])

    def obs_before_reset(self):
        seen = np.array([step[1] for step in self.steps])
        for row, env in zip(*np.nonzero(self.dones), strict=True):
            seen[row, env] = self.steps[row][4][env]["terminal_observation"]
        return seen

    def check(self, steps, *, obs=True):
        np.testing.assert_array_equal(steps["action"], [step[0] for step in self.steps])
        returned = np.array([step[2] for step in self.steps])
        np.testing.assert_array_equal(steps["reward"].astype(returned.dtype), returned)
        np.testing.assert_array_equal(steps["terminated"] | steps["truncated"], self.dones)
        cut = [[i.get("TimeLimit.truncated", False) for i in step[4]] for step in self.steps]
        np.testing.assert_array_equal(steps["truncated"] & ~steps["terminated"], cut)
        if obs:
            np.testing.assert_array_equal(steps["obs"], self.obs_before_reset())


def _balls(count, wrap=lambda env: env):
    return [lambda: Monitor(wrap(SlidingBall())) for _ in range(count)]


def test_go1s_are_recorded_whole_with_the_state_that_episodes_end_with(tmp_path):
    envs = Go1VecEnv(8, Go1Config(max_episode_time_sec=0.5), seed=0)
    ledger = Ledger(envs)
    model = ppo(envs)
    model.learn(3 * 8 * 32, callback=RecorderCallback(tmp_path, obs=True))
    steps, episodes = read(tmp_path, "steps"), read_records(tmp_path, "episodes")
    starts = read_records(tmp_path, "starts")

    ledger.check(steps)
    assert steps.rows.tolist() == list(range(96))
    ended = [(row, env) for row, env in zip(*np.nonzero(ledger.dones), strict=True)]
    assert [(e["row"], e["env"]) for e in episodes] == ended
    assert len(ended) > 20
    for record in episodes:
        info = ledger.steps[record["row"]][4][record["env"]]
        position = info["detailed_info"]["robot_state"]["position"]
        at = steps["qpos"][record["row"], record["env"], :3]
        assert at.tolist() == [position[axis] for axis in "xyz"]
        assert record["return"] == pytest.approx(info["episode"]["r"], rel=1e-5)
        assert record["length"] == info["episode"]["l"]
        assert record["termination_reason"] == info["termination_reason"]
        assert record["reward_components"] == info["reward_components"]
        assert record["timestep"] == (record["row"] + 1) * 8
    assert len(starts) == 8 + len(ended)
    assert {(s["row"], s["env"]) for s in starts[8:]} == {(row + 1, env) for row, env in ended}
    assert all(len(s["start"]["qpos"]) == 19 for s in starts)
    gained = sum(steps[f.name] for f in _schema(tmp_path) if f.name.startswith("reward_component."))
    paid = sum(steps[f.name] for f in _schema(tmp_path) if f.name.startswith("cost_component."))
    np.testing.assert_allclose(gained - paid, steps["reward"], rtol=1e-4, atol=1e-5)
    assert envs.before_restart is None
    assert vars(envs)["step_wait"].__qualname__.startswith("Ledger")


def _schema(run):
    from trackway.storage.places import find_stream
    from trackway.storage.reader import describe

    return describe(find_stream(run, "steps"))[0]


def test_every_field_has_a_unit_and_a_description(tmp_path):
    envs = Go1VecEnv(2, seed=0)
    ppo(envs).learn(64, callback=RecorderCallback(tmp_path))

    assert all(field.unit and field.description for field in _schema(tmp_path))
    assert not any(field.name == "obs" for field in _schema(tmp_path))


@pytest.mark.parametrize(
    "make",
    [
        lambda: DummyVecEnv(_balls(3)),
        lambda: DummyVecEnv(_balls(3, lambda env: RecordEnv(env, obs=True))),
        lambda: SubprocVecEnv(_balls(3, lambda env: RecordEnv(env, obs=True))),
    ],
    ids=["dummy", "dummy, wrapped", "subproc, wrapped"],
)
def test_a_mujoco_environments_state_is_what_its_step_led_to(tmp_path, make):
    envs = make()
    ledger = Ledger(envs)
    model = ppo(VecNormalize(envs))
    model.learn(2 * 3 * 64, callback=RecorderCallback(tmp_path, obs=True))
    envs.close()
    steps = read(tmp_path, "steps")
    starts = {(s["row"], s["env"]): s["start"] for s in read_records(tmp_path, "starts")}

    ledger.check(steps)
    assert ledger.dones.sum() >= 6
    assert read_records(tmp_path, "events")[0]["environment"] == "SlidingBall"
    # The ball's observation is its state, so one proves the other.
    np.testing.assert_array_equal(steps["qpos"][..., 0], steps["obs"][..., 0])
    np.testing.assert_array_equal(steps["qvel"][..., 0], steps["obs"][..., 1])
    for row, env in zip(*np.nonzero(ledger.dones[:-1]), strict=True):
        after = ledger.steps[row][1][env]
        assert starts[row + 1, env]["qpos"] == [after[0]]


def test_the_environments_are_left_as_they_were_found(tmp_path):
    envs = DummyVecEnv(_balls(2))
    envs.reset()
    envs.step(np.zeros((2, 1)))
    before = [set(vars(envs)), *(set(vars(env)) for env in envs.envs)]
    ppo(envs).learn(64, callback=RecorderCallback(tmp_path))

    assert [set(vars(envs)), *(set(vars(env)) for env in envs.envs)] == before


def test_workers_without_the_wrapper_are_recorded_from_outside(tmp_path):
    envs = SubprocVecEnv(_balls(2))
    ledger = Ledger(envs)
    ppo(envs).learn(128, callback=RecorderCallback(tmp_path))
    envs.close()
    steps = read(tmp_path, "steps")

    ledger.check(steps)
    assert set(steps.columns) == {"action", "obs", "reward", "terminated", "truncated"}


class TwoSenses(gym.Env):
    """Dict observations, discrete actions, numbers in the infos as Gymnasium's robots have them."""

    def __init__(self):
        self.observation_space = gym.spaces.Dict(
            {"eye": gym.spaces.Box(0, 255, (2, 3), np.uint8), "limb": gym.spaces.Discrete(4)}
        )
        self.action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return self._obs(), {}

    def step(self, action):
        self.count += 1
        info = {"reward_far": 0.5 * self.count, "reward_near": 1.0, "note": "text"}
        return self._obs(), 1.0, self.count == 7, False, info

    def _obs(self):
        return {"eye": np.full((2, 3), self.count, np.uint8), "limb": self.count % 4}


def test_spaces_of_any_kind_and_the_numbers_of_infos(tmp_path):
    envs = DummyVecEnv([lambda: Monitor(TwoSenses())] * 2)
    model = PPO("MultiInputPolicy", envs, n_steps=32, batch_size=32, n_epochs=1, device="cpu")
    model.learn(64, callback=RecorderCallback(tmp_path))
    steps, episodes = read(tmp_path, "steps"), read_records(tmp_path, "episodes")
    count = np.arange(32) % 7 + 1

    assert steps["action"].shape == (32, 2)
    assert (steps["obs.eye"] == count[:, None, None, None]).all()
    assert (steps["obs.limb"] == count[:, None] % 4).all()
    assert (steps["info.reward_far"] == 0.5 * count[:, None]).all()
    assert "info.note" not in steps.columns
    assert episodes[0]["reward_components"] == {"far": 14.0, "near": 7.0}
    assert {e["termination_reason"] for e in episodes} == {"terminated"}


class PaceProbe:
    """Fails now and then."""

    schema = Schema(Field("pace", "float64", (), "m/s", "of the ball"))

    def __init__(self, env):
        self.env = env.unwrapped

    def read(self, row):
        if self.env._steps % 5 == 0:
            raise RuntimeError("the probe slipped")
        row["pace"][0] = self.env.data.qvel[0]


def test_a_probe_that_fails_stops_nothing_is_counted_and_said_once(tmp_path, caplog):
    envs = DummyVecEnv([SlidingBall])
    ledger = Ledger(envs)
    callback = RecorderCallback(tmp_path, probe=PaceProbe, obs=True)
    ppo(envs).learn(64, callback=callback)
    steps = read(tmp_path, "steps")
    failed = np.isnan(steps["pace"])

    ledger.check(steps)
    assert failed.sum() == callback.errors > 5
    np.testing.assert_array_equal(steps["pace"][~failed], steps["obs"][..., 1][~failed])
    assert [r.message for r in caplog.records].count(caplog.records[0].message) == 1
    assert "the probe slipped" in caplog.text
    assert read_records(tmp_path, "events")[-1]["errors"] == failed.sum()


def test_a_batch_probe_that_fails_leaves_rows_and_timesteps_in_step(tmp_path, caplog):
    class Slipping:
        schema = Schema(Field("x", "float64", (), "m", "ahead"))

        def __init__(self, envs):
            self.envs, self.calls = envs, 0

        def read(self, row):
            self.calls += 1
            if self.calls % 3 == 0:
                raise RuntimeError("the probe slipped")
            row["x"][...] = self.envs.qpos[:, 0]

    callback = RecorderCallback(tmp_path, probe=Slipping)
    ppo(Go1VecEnv(2, seed=0)).learn(64, callback=callback)
    steps = read(tmp_path, "steps")

    assert np.isnan(steps["x"]).all(axis=1).nonzero()[0].tolist() == list(range(2, 32, 3))
    assert np.isfinite(steps["action"]).all()
    assert len(steps) == 32
    assert callback.errors == 10
    assert ["the probe slipped" in r.message for r in caplog.records].count(True) == 1


def test_updates_are_what_the_learner_logs(tmp_path):
    class Losses(BaseCallback):
        seen: list = []  # noqa: RUF012

        def _on_rollout_start(self):
            if "train/loss" in self.logger.name_to_value:
                self.seen.append(self.logger.name_to_value["train/loss"])

        _on_training_end = _on_rollout_start

        def _on_step(self):
            return True

    losses = Losses()
    ppo(DummyVecEnv(_balls(1))).learn(96, callback=[losses, RecorderCallback(tmp_path)])
    updates = read_records(tmp_path, "updates")

    assert [u["train/loss"] for u in updates] == [float(loss) for loss in losses.seen]
    assert [u["timestep"] for u in updates] == [32, 64, 96]
    assert [u["row"] for u in updates] == [32, 64, 96]
    assert all(u["gradient_norm"] > 0 for u in updates)
    assert all(u["time/rollout_s"] > 0 and u["time/update_s"] > 0 for u in updates)
    assert all(0 < u["time/steps_per_second"] < 32 / u["time/update_s"] for u in updates)


def test_off_policy_learners_are_recorded_too(tmp_path):
    envs = DummyVecEnv(_balls(2))
    ledger = Ledger(envs)
    model = SAC("MlpPolicy", envs, learning_starts=20, batch_size=8, device="cpu", seed=0,
                buffer_size=200, policy_kwargs={"net_arch": [8]})  # fmt: skip
    model.learn(80, callback=RecorderCallback(tmp_path, obs=True, look_every_s=0.0))

    ledger.check(read(tmp_path, "steps"))
    assert read_records(tmp_path, "updates")[-1]["train/actor_loss"] is not None


def test_events_tell_beginning_scene_checkpoints_curriculum_signal_and_end(tmp_path):
    class Harden(BaseCallback):
        def _on_step(self):
            if self.num_timesteps == 20:
                self.training_env.env_method("set_rand_power", 0.5)
                signal.raise_signal(signal.SIGTERM)
            return True

    stop = StopOnSignal()
    saving = CheckpointCallback(5, str(tmp_path / "checkpoints"))
    recording = RecorderCallback(tmp_path, look_every_s=0.0)
    with stop:
        callbacks = CallbackList([stop, saving, Harden(), recording])
        ppo(Go1VecEnv(4, seed=0)).learn(64, callback=callbacks)
    events = read_records(tmp_path, "events")
    by_kind = {event["event"]: event for event in events}

    assert events[0]["event"] == "begin"
    assert events[0]["num_envs"] == 4
    for digest in (by_kind["scene"]["physics"], by_kind["scene"]["render"]):
        assert (tmp_path / "realtime_data/scenes" / f"{digest}.npz").is_file()
    assert by_kind["checkpoint"]["path"].endswith(".zip")
    assert by_kind["curriculum"]["rand_power"] == 0.5
    assert by_kind["signal"]["name"] == "SIGTERM"
    assert events[-1]["event"] == "end"
    system = read(tmp_path, "system")
    assert (system["disk_free_bytes"] > 0).all()
    assert system["timestep"][-1, 0] == 24


def test_a_reward_that_is_no_number_is_an_event(tmp_path):
    class Sick(SlidingBall):
        def step(self, action):
            obs, reward, *rest = super().step(action)
            return obs, float("nan") if self._steps == 10 else reward, *rest

    envs = DummyVecEnv([SlidingBall, Sick])
    recording = RecorderCallback(tmp_path, look_every_s=0.0)

    class StopSoon(BaseCallback):
        def _on_step(self):
            return self.n_calls < 15

    ppo(envs).learn(64, callback=[StopSoon(), recording])
    told = [e for e in read_records(tmp_path, "events") if e["event"] == "not_finite"]

    assert [(e["where"], e["env"], e["row"]) for e in told] == [("reward", 1, 10)]


def test_a_warning_of_the_simulator_is_an_event(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings into a file of its own, too

    class Shake(BaseCallback):
        def _on_step(self):
            if self.n_calls == 3:
                self.training_env.envs[1].unwrapped.data.qpos[0] = np.nan
            return True

    recording = RecorderCallback(tmp_path, look_every_s=0.0)
    ppo(DummyVecEnv(_balls(2))).learn(64, callback=[Shake(), recording])
    told = [e for e in read_records(tmp_path, "events") if e["event"] == "simulator_warning"]

    assert [(e["env"], e["warning"], e["count"]) for e in told] == [(1, "mjWARN_BADQPOS", 1)]
    assert told[0]["row"] == 4


def test_learning_on_is_an_attempt_of_its_own_and_counts_on(tmp_path):
    model = ppo(DummyVecEnv(_balls(1)))
    callback = RecorderCallback(tmp_path)
    model.learn(32, callback=callback)
    model.learn(32, callback=callback, reset_num_timesteps=False)

    assert [e["timestep"] for e in read_records(tmp_path, "events") if e["event"] == "begin"] == [
        32
    ]
    assert len(read(tmp_path, "steps")) == 32
    assert len(list((tmp_path / "realtime_data/streams").iterdir())) == 2


def test_a_recorder_of_the_caller_stays_open(tmp_path):
    with Recorder(tmp_path) as recorder:
        ppo(DummyVecEnv(_balls(1))).learn(32, callback=RecorderCallback(recorder))
        recorder.records("events").append({"event": "mine"})
    assert read_records(tmp_path, "events")[-1] == {"event": "mine"}


def test_a_training_that_fails_is_recorded_to_its_last_step(tmp_path):
    class Break(BaseCallback):
        def _on_step(self):
            if self.n_calls == 10:
                raise KeyError("elsewhere")
            return True

    with pytest.raises(KeyError), RecorderCallback(tmp_path) as recording:
        ppo(DummyVecEnv(_balls(1))).learn(64, callback=[Break(), recording])
    assert len(read(tmp_path, "steps")) == 10
    assert read_records(tmp_path, "events")[-1]["how"].startswith("failed: KeyError")


def test_a_folder_that_cannot_be_written_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(trackway.errors.RecordingError, match="cannot be recorded into"):
        ppo(DummyVecEnv(_balls(1))).learn(32, callback=RecorderCallback(tmp_path / "file" / "run"))


def test_who_has_no_mujoco_can_record_all_the_same(tmp_path):
    code = f"""
import sys
sys.modules["mujoco"] = None
from pathlib import Path
from stable_baselines3 import PPO
from trackway import read
from trackway.sb3 import RecorderCallback
run = Path({str(tmp_path)!r})
model = PPO("MlpPolicy", "CartPole-v1", n_steps=32, batch_size=32, n_epochs=1, device="cpu")
callback = RecorderCallback(run)
model.learn(32, callback=callback)
print(read(run, "steps")["obs"].shape, callback.errors)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "(32, 1, 4) 0"


def test_it_can_be_silent(tmp_path, caplog):
    caplog.set_level(logging.INFO, "trackway")
    ppo(DummyVecEnv(_balls(1))).learn(32, callback=RecorderCallback(tmp_path))

    assert caplog.records == []
