"""An episode can be simulated again, bit for bit, from nothing but its record.

What is done here is what `docs/reference/streams.md` tells a stranger to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv
from tests.support.sliding_ball import SlidingBall
from tests.support.trainings import ppo

from go1.config import Go1Config
from go1.env import Go1MujocoEnv
from go1.vec_env import Go1VecEnv
from trackway import Recorder, read, read_records
from trackway.gymnasium import RecordEnv, RecordVectorEnv
from trackway.replay.resim import to_resim
from trackway.sb3 import RecorderCallback
from trackway.storage.archive.compact import compact_run
from trackway.storage.places import find_stream


class Record:
    """What a run has recorded, and its model."""

    def __init__(self, run: Path) -> None:
        self.steps = read(run, "steps")
        self.starts, self.ends = (read_records(run, name) for name in ("starts", "episodes"))
        self.scenes = [e for e in read_records(run, "events") if e["event"] == "scene"]
        self.folder = run / "realtime_data" / "scenes"

    def episodes(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Start and end of each episode that was recorded whole."""
        started = {(s["env"], s["episode"]): s for s in self.starts}
        ended = [(started.get((e["env"], e["episode"])), e) for e in self.ends]
        return [(start, end) for start, end in ended if start is not None]

    def scene_of(self, env: int) -> dict[str, Any]:
        return next(s for s in self.scenes if env in s.get("envs", [env]))

    def model_of(self, start: dict[str, Any]) -> mujoco.MjModel:
        scene = self.folder / f"{self.scene_of(start['env'])['physics']}.mjb"
        model = mujoco.MjModel.from_binary_path(str(scene))
        for name, changed in start["start"]["overrides"].items():
            part, _, option = name.partition(".")
            array = getattr(model.opt, option) if option else getattr(model, part)
            array.reshape(-1)[changed["index"]] = changed["value"]
        return model

    def resimulated(self, start: dict[str, Any], end: dict[str, Any]) -> Any:
        """qpos and qvel after every step, `[steps, nq]` and `[steps, nv]`."""
        model = self.model_of(start)
        data = mujoco.MjData(model)
        for name, value in start["start"].items():
            if name == "time":
                data.time = value
            elif hasattr(data, name):
                getattr(data, name)[:] = value
        env, given, qpos, qvel = start["env"], self.steps.columns, [], []
        for row in range(start["row"], end["row"] + 1):
            if "push" in given and given["push"][row, env].any():
                data.qvel[:2] += given["push"][row, env]
            for name in ("ctrl", "mocap_pos", "mocap_quat"):
                if name in given:
                    getattr(data, name)[:] = given[name][row, env]
            mujoco.mj_step(model, data, self.scene_of(env)["substeps"])
            qpos.append(np.array(data.qpos))
            qvel.append(np.array(data.qvel))
        return np.array(qpos), np.array(qvel)

    def check(self) -> int:
        """Simulate every episode again and compare; how many there were."""
        episodes = self.episodes()
        for start, end in episodes:
            qpos, qvel = self.resimulated(start, end)
            rows, env = slice(start["row"], end["row"] + 1), start["env"]
            np.testing.assert_array_equal(qpos, self.steps["qpos"][rows, env])
            np.testing.assert_array_equal(qvel, self.steps["qvel"][rows, env])
        return len(episodes)


class HardBall(SlidingBall):
    """Another mass and another slope at every start, a friend in its worker or beside it."""

    def reset(self, *, seed=None, options=None):
        self.model.body_mass[1] = np.random.uniform(3.0, 40.0)  # noqa: NPY002
        self.model.opt.gravity[0] = np.random.uniform(-1.0, 1.0)  # noqa: NPY002
        mujoco.mj_setConst(self.model, self.data)
        return super().reset(seed=seed, options=options)


HARD = {"rand_power": 1.0, "action_noise": 0.1, "push_interval_sec": 0.2, "push_speed": 1.0}


@pytest.mark.parametrize("ctrl_type", ["position", "torque"])
def test_go1s_pushed_disturbed_and_randomised_move_as_they_did(tmp_path, ctrl_type):
    config = Go1Config(ctrl_type, max_episode_time_sec=0.8, **HARD)
    ppo(Go1VecEnv(6, config, seed=0)).learn(6 * 96, callback=RecorderCallback(tmp_path))
    record = Record(tmp_path)
    masses = {tuple(s["start"]["overrides"]["body_mass"]["value"]) for s in record.starts}

    assert record.check() >= 6
    assert len(record.scenes) == 1
    assert len(masses) == len(record.starts)
    assert (record.steps["push"] != 0).any(axis=2).mean() > 0.05
    compact_run(tmp_path)
    (made,) = to_resim(find_stream(tmp_path, "steps"))
    assert (made.why, made.lines) == ("", 6 * 96)
    assert made.after_bytes < 0.7 * made.before_bytes
    again = read(tmp_path, "steps")
    for name, column in record.steps.columns.items():
        assert again[name].tobytes() == column.tobytes()


def test_a_power_that_changes_within_an_episode_is_in_the_record(tmp_path):
    envs = Go1VecEnv(3, Go1Config(max_episode_time_sec=1.0, push_interval_sec=0.1), seed=0)
    with Recorder(tmp_path) as recorder:
        model = ppo(envs)
        callback = RecorderCallback(recorder)
        envs.env_method("set_rand_power", 0.0)
        callback.init_callback(model)
        model._setup_learn(300, callback)
        callback.on_training_start({"callback": callback}, {})
        for step in range(80):
            envs.env_method("set_rand_power", 1.0 if 20 < step < 40 else 0.0)
            envs.step(np.zeros((3, 12), np.float32))
        callback.on_training_end()
    record = Record(tmp_path)

    assert record.check() >= 3
    assert (record.steps["push"][:20] == 0).all()
    assert (record.steps["push"][21:40] != 0).any()
    assert (record.steps["push"][40:] == 0).all()


def test_the_public_robot_moves_as_it_did(tmp_path):
    def make() -> gym.Env:
        return Go1MujocoEnv("position", physics="upstream", max_episode_time_sec=0.4, **HARD)

    ppo(DummyVecEnv([make] * 3)).learn(3 * 64, callback=RecorderCallback(tmp_path))
    record = Record(tmp_path)

    assert record.check() >= 3
    assert len(record.scenes) == 1


def test_what_environments_randomise_moves_as_it_did(tmp_path):
    envs = DummyVecEnv([lambda: RecordEnv(HardBall())] * 3)
    ppo(envs).learn(3 * 96, callback=RecorderCallback(tmp_path))
    envs.close()
    record = Record(tmp_path)

    assert record.check() >= 6
    assert len(record.scenes) == 1
    assert "envs" not in record.scenes[0]
    assert any(s["start"]["overrides"] for s in record.starts)


def test_workers_of_two_kinds_have_a_scene_each_and_what_they_randomise_moves_as_it_did(tmp_path):
    class Slow(HardBall):
        def __init__(self):
            super().__init__()
            self.model.opt.timestep = 0.005

    envs = SubprocVecEnv([lambda: RecordEnv(HardBall()), lambda: RecordEnv(Slow())])
    ppo(envs).learn(2 * 96, callback=RecorderCallback(tmp_path))
    envs.close()
    record = Record(tmp_path)

    assert record.check() >= 2
    assert [scene["envs"] for scene in record.scenes] == [[0], [1]]
    assert all(s["start"]["overrides"] for s in record.starts)


def test_gymnasiums_ant_moves_as_it_did_in_its_own_loops(tmp_path):
    with Recorder(tmp_path / "one") as recorder:
        env = RecordEnv(gym.make("Ant-v5", max_episode_steps=40), recorder)
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(100):
            if any(env.step(env.action_space.sample())[2:4]):
                env.reset()
        env.close()
    vector = gym.make_vec("Ant-v5", 2, "sync", max_episode_steps=30)
    with Recorder(tmp_path / "two") as recorder:
        envs = RecordVectorEnv(vector, recorder)
        envs.action_space.seed(0)
        envs.reset(seed=0)
        for _ in range(80):
            envs.step(envs.action_space.sample())
        envs.close()

    assert Record(tmp_path / "one").check() >= 2
    assert Record(tmp_path / "two").check() >= 4
