"""Recordings of trainings: algorithms, environments, neighbours, and a program without a model."""

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import A2C, SAC, TD3
from stable_baselines3.common.callbacks import CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
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

from trackway.checkpoint.read import read_checkpoint
from trackway.errors import RecordingError
from trackway.legacy import ComprehensiveSavingCallback, RealTimeSavingCallback


def small() -> dict[str, Any]:
    return {"policy_kwargs": {"net_arch": [8]}, "device": "cpu", "seed": 0}


def robots(number: int = 2) -> DummyVecEnv:
    return DummyVecEnv([lambda: Monitor(ToyRobot()) for _ in range(number)])


def off_policy(kind, venv, **arguments):
    sizes = {"buffer_size": 500, "learning_starts": 20, "batch_size": 16}
    return kind("MlpPolicy", venv, **sizes, **small(), **arguments)


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_off_policy_algorithms_record_their_updates(kind, tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 50, checkpoint_frequency=100, verbose=0)
    off_policy(kind, robots(1)).learn(100, callback=callback)

    last = records(tmp_path, "learning_metrics")[-1]
    assert last["n_updates"] > 50
    assert np.isfinite(last["critic_loss"])
    assert last["learning_starts"] == 20
    assert last["train_freq"] == {"frequency": 1, "unit": "step"}
    assert last["optimizer_type"] == "Adam"
    assert "policy_gradient_loss" in last["missing"]
    checkpoint = read_checkpoint(callback.status.last_checkpoint)
    assert kind.load(checkpoint.path, device="cpu").num_timesteps == 100
    assert callback.status.failures == 0


def test_a2c_records_its_updates(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 40, verbose=0)
    A2C("MlpPolicy", robots(), **small()).learn(100, callback=callback)

    last = records(tmp_path, "learning_metrics")[-1]
    assert np.isfinite(last["value_loss"])
    assert last["gradient_norm"] > 0


def test_any_gymnasium_environment_records_what_it_has(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 64, verbose=0)
    ppo(make_vec_env("CartPole-v1", 2)).learn(256, callback=callback)

    snapshot = snapshots_of(tmp_path)[0]
    assert {"robot_state", "contact_info", "success_rate"} <= set(snapshot["missing"])
    detail = snapshot["detailed_info"]
    assert len(detail["observation"]) == 4
    assert detail["episode_info"]["current_step"] == detail["reward_info"]["current_episode_reward"]
    assert detail["performance_metrics"]["max_steps"] == 500
    [state, *_] = records(tmp_path, "environment_states")
    summary = state["environment_summary"]
    assert (summary["environment_class"], summary["environment_id"]) == (
        "CartPoleEnv",
        "CartPole-v1",
    )
    assert (state["num_envs"], state["rand_power"]) == (2, None)
    assert "unknown" not in str(records(tmp_path, "environment_states")).lower()


def test_a_mujoco_environment_of_gymnasium_shows_its_robot_and_its_reward_parts(
    tmp_path, monkeypatch
):
    # Gymnasium's MuJoCo environments import it for videos, which nobody takes here.
    monkeypatch.setitem(sys.modules, "imageio", ModuleType("imageio"))
    venv = DummyVecEnv([lambda: Monitor(gym.make("Ant-v5", max_episode_steps=20))])
    callback = RealTimeSavingCallback(tmp_path, 32, verbose=0)
    ppo(venv).learn(32, callback=callback)

    state = snapshots_of(tmp_path)[0]["detailed_info"]["robot_state"]
    assert len(state["joint_positions"]) == 8
    assert state["position"]["z"] > 0
    [episode] = episodes_of(tmp_path)
    assert episode["termination_reason"] == "truncated"
    total = sum(episode["reward_components"].values())
    assert total == pytest.approx(episode["episode_return"], abs=1e-3)
    [metrics, *_] = records(tmp_path, "environment_states")
    assert metrics["environment_summary"]["max_episode_time_sec"] == pytest.approx(20 * 0.05)


def test_returns_are_raw_behind_a_normaliser_even_without_a_monitor(tmp_path):
    venv = VecNormalize(DummyVecEnv([ToyRobot]))
    callback = RealTimeSavingCallback(tmp_path, 64, verbose=0)
    ppo(venv).learn(64, callback=callback)

    assert {record["episode_return"] for record in episodes_of(tmp_path)} == {10.0}
    [settings] = documents(tmp_path, "hyperparameters/*.json")
    assert settings["vec_normalize"]["norm_reward"] is True


def test_it_stands_beside_other_callbacks_and_twice_in_one_list(tmp_path):
    evaluation = EvalCallback(robots(1), eval_freq=64, n_eval_episodes=1, verbose=0)
    callbacks = [
        RealTimeSavingCallback(tmp_path / "a", 64, verbose=0),
        CheckpointCallback(64, str(tmp_path / "sb3")),
        evaluation,
        ComprehensiveSavingCallback(tmp_path / "b", 100, verbose=0),
    ]
    ppo(robots()).learn(256, callback=CallbackList(callbacks))

    assert len(episodes_of(tmp_path / "a")) == len(episodes_of(tmp_path / "b")) == 24
    assert list((tmp_path / "sb3").glob("*.zip"))
    assert evaluation.last_mean_reward == 10.0


def test_checkpoints_come_at_the_first_rollout_past_each_multiple(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 1000, checkpoint_frequency=100, verbose=0)
    ppo(robots(3), n_steps=10, batch_size=30).learn(300, callback=callback)

    found = [record["timestep"] for record in documents(tmp_path, "checkpoints/*.json")]
    assert found == [120, 210, 300]


def test_hyperparameters_hold_what_reproducing_needs(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, verbose=0)
    ppo(robots(), learning_rate=0.002).learn(64, callback=callback)

    [found] = documents(tmp_path, "hyperparameters/*.json")
    promised = (
        "model_type policy_type learning_rate n_steps batch_size n_epochs gamma gae_lambda clip_range "
        "clip_range_vf ent_coef vf_coef max_grad_norm use_sde sde_sample_freq target_kl "
        "tensorboard_log policy_kwargs verbose seed device timestamp training_start_time "
        "environment_configs network_architecture parameter_count optimizer versions machine git "
        "command_line"
    )
    assert set(promised.split()) <= found.keys()
    assert (found["model_type"], found["learning_rate"], found["seed"]) == ("PPO", 0.002, 0)
    assert found["optimizer"]["arguments"]["eps"] == 1e-5
    assert [config["env_id"] for config in found["environment_configs"]] == [0, 1]
    assert found["environment_configs"][0]["rand_power"] == 0.0


def test_metrics_hold_every_promised_key(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 64, verbose=0)
    ppo(robots()).learn(128, callback=callback)

    promised = (
        "timestep timestamp total_timesteps planned_total_timesteps training_progress learning_starts "
        "train_freq policy_type policy_device policy_learning_rate optimizer_type optimizer_lr "
        "recent_success_rate_avg recent_success_rate_std recent_episodes_count "
        "recent_episode_return_mean recent_episode_length_mean curriculum_rand_power_avg "
        "curriculum_progress memory_usage_mb cpu_percent steps_per_second reward_components "
        "cost_components loss policy_gradient_loss value_loss entropy_loss approx_kl clip_fraction "
        "explained_variance std gradient_norm n_updates"
    )
    for record in records(tmp_path, "learning_metrics"):
        assert set(promised.split()) <= record.keys()
    assert record["recent_episodes_count"] == 12
    assert record["recent_episode_return_mean"] == 10.0
    assert record["curriculum_rand_power_avg"] == 0.0


def test_driven_by_hand_it_records_what_it_is_given_and_says_what_is_missing(tmp_path):
    callback = ComprehensiveSavingCallback(
        tmp_path, 1000, checkpoint_frequency=2000, total_timesteps=4000, verbose=0
    )
    callback._on_training_start()
    for timestep in (1000, 2000):
        callback.num_timesteps = timestep
        assert callback._on_step()
    callback._on_training_end()

    rows = records(tmp_path, "learning_metrics")
    assert [(row["timestep"], row["training_progress"]) for row in rows] == [
        (1000, 0.25),
        (2000, 0.5),
    ]
    assert rows[0]["memory_usage_mb"] > 0
    assert {"model", "episodes"} <= set(rows[0]["missing"])
    [snapshot, _] = records(tmp_path, "episodes")
    assert "detailed_info" in snapshot["missing"]
    [checkpoint] = documents(tmp_path, "checkpoints/*.json")
    assert checkpoint["timestep"] == 2000
    assert checkpoint["recovery_info"]["can_resume"] is False
    [summary] = documents(tmp_path, "training_summary_*.json")
    assert (summary["status"], summary["final_timestep"]) == ("stopped", 2000)
    assert callback.status.failures == 0


def test_driven_by_hand_with_steps_it_counts_their_episodes(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 10, verbose=0)
    for timestep in range(2, 22, 2):
        callback.num_timesteps = timestep
        done = timestep == 20
        callback.locals = {"rewards": [1.0, 0.5], "dones": [done, False], "infos": [{}, {}]}
        callback._on_step()
    callback.close()

    [episode] = episodes_of(tmp_path)
    assert (episode["episode_return"], episode["episode_length"]) == (10.0, 10)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "in a list"])
def test_a_callback_made_of_it_sees_the_learners_variables_of_every_step(beside, tmp_path):
    class Mine(RealTimeSavingCallback):
        seen = ()

        def _on_step(self):
            assert self.locals["total_timesteps"] == 64
            self.seen += (self.locals["new_obs"].tobytes(),)
            return super()._on_step()

    mine, watcher = Mine(tmp_path, 1000, verbose=0), Watcher()
    ppo(robots(), n_steps=16).learn(64, callback=CallbackList([watcher, mine]) if beside else mine)

    assert len(set(mine.seen)) == len(mine.seen) == 32


def test_an_environment_that_raises_is_said_once_and_training_goes_on(tmp_path, caplog):
    class Broken(ToyRobot):
        def get_detailed_episode_info(self):
            raise RuntimeError("no sensors today")

        def step(self, action):
            self.episodes = 0
            *rest, info = super().step(action) if self.steps < 9 else (0, 0.0, False, True, {})
            return (self.position.astype(np.float32), *rest[1:], info)

    callback = RealTimeSavingCallback(tmp_path, 32, verbose=0)
    with caplog.at_level(logging.WARNING):
        model = ppo(DummyVecEnv([Broken])).learn(128, callback=callback)

    assert model.num_timesteps == 128
    assert caplog.text.count("failed to read the robots: RuntimeError: no sensors today") == 1
    assert callback.status.failures >= 4
    assert len(records(tmp_path, "learning_metrics")) >= 4


def test_a_second_call_of_learn_goes_on_counting_in_files_of_its_own(tmp_path):
    callback = RealTimeSavingCallback(tmp_path, 64, verbose=0)
    model = ppo(robots(1))
    model.learn(64, callback=callback)
    model.learn(64, callback=callback, reset_num_timesteps=False)

    counts = [record["episode_count"] for record in episodes_of(tmp_path)]
    assert counts == list(range(1, 13))
    assert {record["episode_length"] for record in episodes_of(tmp_path)} == {10}
    assert len(documents(tmp_path, "training_summary_*.json")) == 2


def test_a_checkpoint_can_be_asked_for_and_is_durable_when_it_is_answered(tmp_path):
    paths: list[Path] = []

    class Asks(Watcher):
        def _on_step(self):
            if self.num_timesteps == 40:
                paths.append(saving.save_checkpoint("asked for"))
                assert read_checkpoint(paths[0]).manifest["reason"] == "asked for"
            return self.num_timesteps < 50

    saving = RealTimeSavingCallback(tmp_path / "realtime_data", verbose=0)
    ppo(robots(1)).learn(64, callback=CallbackList([saving, Asks()]))

    assert paths[0].parent == tmp_path / "checkpoints"
    [summary] = documents(tmp_path / "realtime_data", "training_summary_*.json")
    assert (summary["status"], summary["training_completed"]) == ("stopped", False)
    with pytest.raises(RecordingError, match="while a training runs"):
        saving.save_checkpoint("too late")


def test_an_exception_in_training_still_leaves_summary_and_tail(tmp_path):
    class Raises(Watcher):
        def _on_step(self):
            super()._on_step()
            if self.num_timesteps == 45:
                raise KeyboardInterrupt
            return True

    watcher = Raises()
    saving = RealTimeSavingCallback(tmp_path, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        ppo(robots(1)).learn(64, callback=CallbackList([watcher, saving]))
    saving.close()

    assert len(episodes_of(tmp_path)) == len(watcher.finished) == 4
    [summary] = documents(tmp_path, "training_summary_*.json")
    assert summary["status"] == "interrupted"


def test_what_is_switched_off_is_not_written(tmp_path):
    callback = RealTimeSavingCallback(
        tmp_path,
        32,
        save_episode_data=False,
        save_environment_state=False,
        save_hyperparameters=False,
        save_checkpoints=False,
        checkpoint_frequency=32,
        verbose=0,
        record_steps=False,
    )
    ppo(robots(1)).learn(64, callback=callback)

    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"learning_metrics"}


def test_a_frequency_of_nothing_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="save_frequency is 0"):
        RealTimeSavingCallback(save_frequency=0)


def test_every_file_is_strict_json_and_no_temporary_is_left(tmp_path):
    callback = ComprehensiveSavingCallback(
        tmp_path, 32, checkpoint_frequency=32, verbose=0, record_steps=False
    )
    ppo(robots()).learn(128, callback=callback)

    files = [path for path in tmp_path.glob("**/*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".zip"}
    for path in files:
        if path.suffix == ".json":
            strict_loads(path.read_bytes())
    assert callback.status.files == len(files)


def test_a_batch_that_tells_little_is_completed_with_what_is_known(tmp_path):
    class Batch(DummyVecEnv):
        def detailed_info_columns(self):
            return {"robot_state.position.x": np.arange(float(self.num_envs))}

    callback = RealTimeSavingCallback(tmp_path, 64, verbose=0)
    ppo(Batch([ToyRobot, ToyRobot])).learn(64, callback=callback)

    _, second = snapshots_of(tmp_path)
    assert second["detailed_info"]["robot_state"] == {"position": {"x": 1.0}}
    assert second["detailed_info"]["episode_info"]["current_step"] == 2
    assert second["missing"] == ["env_config", "contact_info", "stability_metrics"]
