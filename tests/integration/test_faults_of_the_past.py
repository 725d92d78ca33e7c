"""What went wrong in the earlier implementation, one test each, named after what is true now."""

import json
import logging
import os
import random
import shlex
import subprocess
import sys
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from tests.support.toy_robot import ToyRobot
from tests.support.trainings import (
    Watcher,
    documents,
    episodes_of,
    ppo,
    records,
    snapshots_of,
    strict_loads,
)
from training_callback import (
    ComprehensiveSavingCallback,
    CurriculumCallback,
    RealTimeSavingCallback,
)

from go1.env import Go1MujocoEnv
from go1.vec_env import Go1VecEnv
from trackway.checkpoint.read import read_checkpoint
from trackway.frameworks.sb3.state import restore
from trackway.legacy import promised

ROOT = Path(__file__).parents[2]


def go1(**arguments) -> gym.Env:
    return Monitor(Go1MujocoEnv(**arguments))


@pytest.mark.filterwarnings("ignore:.*For Box action spaces")
def test_1_the_default_environment_steps_and_rewards():
    env = Go1MujocoEnv()
    check_env(env, skip_render_check=True)
    env.reset(seed=0)

    rewards = [env.step(env.action_space.sample())[1] for _ in range(20)]

    assert len(set(rewards)) > 1


def test_2_the_comprehensive_callback_records(tmp_path):
    callback = ComprehensiveSavingCallback(tmp_path, save_frequency=64, verbose=0)
    ppo(DummyVecEnv([ToyRobot])).learn(128, callback=callback)

    rows = [record["timestep"] for record in records(tmp_path, "learning_metrics")]
    assert rows == [64, 128, 128]  # the last is of the update after the last step
    assert len(episodes_of(tmp_path)) == 12
    [summary] = documents(tmp_path, "comprehensive_summary_*.json")
    files = list((tmp_path / "episodes").glob("*.json"))  # saves within a second share one
    assert summary["data_storage"]["counts"]["episodes"] == len(files) >= 1


def assert_recorded_in_full(folder: Path) -> None:
    """Every key is there, and holds what was promised."""
    states = records(folder, "environment_states")
    for found, promise in (
        (snapshots_of(folder), promised.SNAPSHOT),
        (states, promised.ENVIRONMENT_STATE),
        (records(folder, "learning_metrics"), promised.LEARNING_METRICS),
        (documents(folder, "checkpoints/*.json"), promised.CHECKPOINT),
    ):
        assert found
        for record in found:
            assert list(promised.broken(record, promise)) == []
    for record in snapshots_of(folder):
        assert record["performance_metrics"] == record["detailed_info"]["performance_metrics"]
        assert "missing" not in record
    assert states[0]["environment_summary"]["environment_class"] == "Go1MujocoEnv"


@pytest.mark.parametrize("kind", [DummyVecEnv, SubprocVecEnv])
def test_3_robots_behind_monitor_and_in_processes_are_recorded_in_full(kind, tmp_path):
    venv = kind([go1, go1])
    try:
        callback = RealTimeSavingCallback(tmp_path, save_frequency=32, verbose=0)
        ppo(venv, n_steps=16).learn(32, callback=callback)
    finally:
        venv.close()

    assert_recorded_in_full(tmp_path)
    assert callback.status.failures == 0


def test_3_the_batch_of_robots_is_recorded_in_full(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, save_frequency=32, verbose=0)
    ppo(Go1VecEnv(2), n_steps=16).learn(32, callback=callback)

    assert_recorded_in_full(tmp_path)


def test_4_booleans_tuples_schedules_and_modules_are_json(tmp_path):
    class Odd(ToyRobot):
        metadata = {"render_modes": (), "flag": np.bool_(True)}  # noqa: RUF012

    callback = ComprehensiveSavingCallback(
        tmp_path, save_frequency=32, checkpoint_frequency=32, verbose=0
    )
    model = PPO(
        "MlpPolicy",
        DummyVecEnv([Odd]),
        n_steps=32,
        batch_size=32,
        learning_rate=LinearSchedule(1e-3, 1e-4, 1.0),
        clip_range=lambda progress: 0.2 * progress,
        policy_kwargs={"activation_fn": torch.nn.ELU, "net_arch": (8,)},
        device="cpu",
    )
    model.learn(64, callback=callback)

    files = list(tmp_path.glob("**/*.json"))
    assert len(files) > 5
    for file in files:
        strict_loads(file.read_bytes())
    [found] = documents(tmp_path, "hyperparameters/*.json")
    assert found["learning_rate"]["at_progress_1.0"] == pytest.approx(1e-3)
    assert found["clip_range"]["at_progress_0.0"] == 0.0
    assert found["policy_kwargs"]["activation_fn"].endswith("ELU")


def test_5_every_checkpoint_has_a_model_and_its_command_works_when_pasted(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import argparse, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from stable_baselines3 import PPO\n"
        "from stable_baselines3.common.env_util import make_vec_env\n"
        "from tests.support.trainings import ppo\n"
        "from training_callback import ComprehensiveSavingCallback\n"
        "parser = argparse.ArgumentParser()\n"
        "for flag in ('--run', '--model_path'): parser.add_argument(flag)\n"
        "parser.add_argument('--total_timesteps', type=int)\n"
        "given = parser.parse_args()\n"
        "envs = make_vec_env('CartPole-v1', 1)\n"
        "if given.model_path:\n"
        "    model = PPO.load(given.model_path, env=envs, device='cpu')\n"
        "    print('resumed at', model.num_timesteps)\n"
        "else:\n"
        "    model = ppo(envs)\n"
        "left = given.total_timesteps - model.num_timesteps\n"
        "saving = ComprehensiveSavingCallback('models/it is mine/realtime_data', 64, 64, 0)\n"
        "model.learn(left, callback=saving, reset_num_timesteps=False)\n"
    )

    def run(command: list[str] | str) -> str:
        done = subprocess.run(
            command, shell=isinstance(command, str), cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run([sys.executable, "train.py", "--run", "train", "--total_timesteps", "128"])
    experiment = tmp_path / "models" / "it is mine"
    found = documents(experiment / "realtime_data" / "checkpoints", "checkpoint_*.json")

    assert [record["timestep"] for record in found] == [64, 128]
    for record in found:
        path = Path(record["recovery_info"]["model_path"])
        assert path.parent == experiment / "checkpoints"
        assert read_checkpoint(path).timestep == record["timestep"]
        assert record["recovery_info"]["can_resume"] is True
    command = found[0]["recovery_info"]["resume_instructions"]
    assert shlex.split(command)[:2] == [sys.executable, str(script)]
    assert "resumed at 64" in run(command)


def test_6_without_a_total_the_metrics_are_whole(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, save_frequency=32, total_timesteps=None, verbose=0)
    ppo(DummyVecEnv([ToyRobot])).learn(64, callback=callback)

    first, last, _ = records(tmp_path, "learning_metrics")
    assert (first["total_timesteps"], first["planned_total_timesteps"]) == (32, 64)
    assert (first["training_progress"], last["training_progress"]) == (0.5, 1.0)


def test_7_every_record_is_written_once(tmp_path):
    watcher = Watcher()
    callback = RealTimeSavingCallback(tmp_path, save_frequency=10, verbose=0)
    ppo(make_vec_env("CartPole-v1", 4)).learn(2048, callback=CallbackList([watcher, callback]))

    found = [(record["timestep"], record["env_id"]) for record in episodes_of(tmp_path)]
    assert sorted(found) == sorted((timestep, i) for timestep, i, _ in watcher.finished)
    assert len(found) > 40
    snapshots = [(record["timestep"], record["env_id"]) for record in snapshots_of(tmp_path)]
    assert len(set(snapshots)) == len(snapshots)
    # The first step at or past each multiple of 10, 4 timesteps a step; and the end.
    assert {timestep for timestep, _ in snapshots} == {
        4 * -(-k * 10 // 4) for k in range(1, 205)
    } | {2048}


def test_8_a_refused_write_is_tried_again_and_nothing_is_dropped(tmp_path, caplog):
    folder = tmp_path / "realtime_data"
    folder.write_text("a file where the folder has to be")

    class Mend(BaseCallback):
        def _on_step(self):
            if self.n_calls == 400:
                while callback.status.trouble is None:
                    time.sleep(0.01)
                folder.unlink()
            return True

    callback = RealTimeSavingCallback(folder, save_frequency=100, verbose=0)
    watcher = Watcher()
    with caplog.at_level(logging.WARNING):
        ppo(make_vec_env("CartPole-v1", 1)).learn(
            512, callback=CallbackList([watcher, callback, Mend()])
        )

    assert len(episodes_of(folder)) == len(watcher.finished)
    assert [record["timestep"] for record in records(folder, "learning_metrics")][:5] == [
        100, 200, 300, 400, 500,
    ]  # fmt: skip
    assert callback.status.failures > 0
    assert callback.status.lost_records == 0
    assert caplog.text.count("recording cannot write") == 1


def test_9_return_length_reason_and_losses_are_on_disk(tmp_path):
    watcher = Watcher()
    callback = RealTimeSavingCallback(tmp_path, save_frequency=64, verbose=0)
    model = ppo(DummyVecEnv([lambda: Monitor(ToyRobot())]))
    model.learn(256, callback=CallbackList([watcher, callback]))

    for record, (_, _, info) in zip(episodes_of(tmp_path), watcher.finished, strict=True):
        assert record["episode_return"] == info["episode"]["r"]
        assert record["episode_length"] == info["episode"]["l"]
        assert record["termination_reason"] == "time_limit"
        assert record["is_success"] == info["is_success"]
        assert record["reward_components"] == {"living": 10.0}
        assert record["cost_components"] == {"moving": 0.5}
        assert record["detailed_info"]["robot_state"]["position"]["z"] == 0.0
    last = records(tmp_path, "learning_metrics")[-1]
    logged = model.logger.name_to_value
    for name in ("loss", "value_loss", "approx_kl", "explained_variance", "clip_fraction", "std"):
        assert last[name] == pytest.approx(logged[f"train/{name}"]), name
    assert last["gradient_norm"] > 0
    assert last["n_updates"] == 8


@pytest.mark.parametrize("kind", [DummyVecEnv, SubprocVecEnv])
def test_10_the_curriculum_reaches_the_robot_and_the_record_reads_it_there(kind, tmp_path):
    venv = VecNormalize(kind([lambda: Monitor(ToyRobot())]))
    try:
        saving = RealTimeSavingCallback(tmp_path, save_frequency=64, verbose=0)
        curriculum = CurriculumCallback(256, 0.4)
        ppo(venv).learn(128, callback=CallbackList([curriculum, saving]))
        in_robot = venv.env_method("get_detailed_episode_info")[0]["env_config"]["rand_power"]
    finally:
        venv.close()

    last = records(tmp_path, "environment_states")[-1]
    assert last["rand_power"] == [in_robot]
    assert in_robot == pytest.approx(curriculum.value_at(128), abs=1e-3)
    progress = records(tmp_path, "learning_metrics")[-1]["curriculum_progress"]
    assert progress == pytest.approx(1 - in_robot / 0.4)


class AtTheStart(BaseCallback):
    """Looks at the generators where the first rollout begins."""

    random = torch = None

    def _on_rollout_start(self):
        if self.torch is None:
            self.random, self.torch = random.getstate(), torch.get_rng_state()

    def _on_step(self):
        return True

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_11_resuming_keeps_curriculum_counts_randomness_and_normalisation(tmp_path):
    def parts(folder: str, **arguments):
        curriculum = CurriculumCallback(512, 0.4)
        saving = RealTimeSavingCallback(
            tmp_path / folder, 64, checkpoint_frequency=128, verbose=0, **arguments
        )
        return curriculum, saving

    envs = VecNormalize(DummyVecEnv([lambda: Monitor(ToyRobot())]))
    curriculum, saving = parts("first", config={"lr": 1})
    ppo(envs).learn(128, callback=CallbackList([curriculum, saving]))
    checkpoint = read_checkpoint(saving.status.last_checkpoint)
    after = (random.getstate(), torch.get_rng_state())
    random.seed(1)
    torch.manual_seed(1)

    envs2 = VecNormalize(DummyVecEnv([lambda: Monitor(ToyRobot())]))
    model = PPO.load(checkpoint.path, env=envs2, device="cpu")
    restored = restore(model, checkpoint)

    assert np.array_equal(envs.obs_rms.mean, envs2.obs_rms.mean)
    assert restored.config == {"lr": 1}
    assert restored.curriculum["rand_power"] == curriculum.rand_power

    curriculum, saving = parts("second", resume_from=checkpoint)
    total = 256
    model.learn(
        total - model.num_timesteps,
        callback=CallbackList([curriculum, saving, begun := AtTheStart()]),
        reset_num_timesteps=False,
    )

    assert begun.random == after[0]
    assert torch.equal(begun.torch, after[1])
    assert model.num_timesteps == total
    assert curriculum.rand_power == pytest.approx(curriculum.value_at(total), abs=1e-3)
    counts = [record["episode_count"] for record in episodes_of(tmp_path / "second")]
    before = len(episodes_of(tmp_path / "first"))
    assert counts == list(range(before + 1, before + 1 + len(counts)))


def test_11_equal_seeds_give_equal_records(tmp_path):
    def returns(folder: Path) -> list[tuple[int, float]]:
        saving = RealTimeSavingCallback(folder, save_frequency=64, verbose=0)
        ppo(Go1VecEnv(2), n_steps=64, batch_size=64).learn(256, callback=saving)
        last = snapshots_of(folder)[-1]["detailed_info"]["robot_state"]
        return [last, [(r["timestep"], r["episode_return"]) for r in episodes_of(folder)]]

    assert returns(tmp_path / "a") == returns(tmp_path / "b")


def test_12_the_training_thread_writes_no_record_and_syncs_nothing(tmp_path, monkeypatch):
    """What recording costs is measured by benchmarks/callback_overhead.py; this is why it is little."""
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    callback = RealTimeSavingCallback(
        tmp_path, save_frequency=10, checkpoint_frequency=64, verbose=0
    )

    class Forget(Watcher):
        def _on_step(self):
            if self.n_calls == 1:  # folders and shared memory of the streams have been made
                synced.clear()
            return super()._on_step()

    ppo(DummyVecEnv([ToyRobot])).learn(128, callback=[callback, Forget()])

    assert len(records(tmp_path, "learning_metrics")) > 12
    assert synced == []


def test_13_evaluation_and_video_neither_sleep_nor_hold_frames():
    """Their own tests prove it in trainings; here, that no module of theirs can sleep."""
    sources = [ROOT / "src/trackway/legacy" / f"{name}.py" for name in ("evaluation", "video")]

    for source in sources:
        assert "sleep" not in source.read_text()


def test_the_specifications_examples_read_what_was_written(tmp_path):
    experiment = tmp_path / "models" / "my_experiment"
    callback = ComprehensiveSavingCallback(
        save_dir=str(experiment / "realtime_data"),
        save_frequency=1000,
        checkpoint_frequency=10000,
        total_timesteps=5000000,
        verbose=0,
    )
    ppo(DummyVecEnv([ToyRobot])).learn(64, callback=callback)

    [path] = (experiment / "realtime_data" / "checkpoints").iterdir()
    with path.open() as f:
        checkpoint = json.load(f)

    assert checkpoint["timestep"] == 64
    assert checkpoint["recovery_info"]["can_resume"] is True
    assert str(experiment / "checkpoints") in checkpoint["recovery_info"]["resume_instructions"]
