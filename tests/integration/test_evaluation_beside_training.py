"""The two callbacks of evaluation and video in real trainings."""

import json
import logging
from pathlib import Path

import gymnasium as gym
import pytest
import torch
from stable_baselines3 import A2C, PPO, SAC, TD3
from stable_baselines3.common.callbacks import CallbackList, CheckpointCallback, EvalCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize
from tests.support.sliding_ball import SlidingBall
from tests.support.videos import decode

from trackway.errors import RunError
from trackway.legacy.evaluation import EnhancedVisualCallback
from trackway.legacy.video import VideoRecordingCallback

AS_MUCH_AS_IT_TAKES = {"time_share": 1.0, "finish_within_s": 60.0}


def ppo(env=None, **arguments) -> PPO:
    env = env or DummyVecEnv([SlidingBall] * 2)
    return PPO("MlpPolicy", env, **({"n_steps": 64, "batch_size": 32, "seed": 1} | arguments))


def enhanced(folder: Path, env=None, **arguments) -> EnhancedVisualCallback:
    options = {"eval_freq": 200, "save_videos": False, "verbose": 0, "output_dir": folder}
    return EnhancedVisualCallback(
        env or SlidingBall(), **(AS_MUCH_AS_IT_TAKES | options | arguments)
    )


def weights(model) -> list[torch.Tensor]:
    return list(model.policy.state_dict().values())


def same(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.slow
def test_training_learns_bit_for_bit_the_same_with_and_without(tmp_path):
    # The ball draws from NumPy's global generator, in training and in evaluation.
    alone = ppo()  # seeds the global generators, as the next one does
    alone.learn(512)

    watched = ppo()
    watched.learn(
        512,
        callback=[
            enhanced(tmp_path / "a", best_model_save_path=tmp_path / "best", eval_freq=100),
            VideoRecordingCallback(
                SlidingBall(), 150, video_folder=tmp_path / "b", verbose=0, **AS_MUCH_AS_IT_TAKES
            ),
        ],
    )

    assert json.loads((tmp_path / "a" / "training_history.json").read_bytes())["rewards_history"]
    assert same(alone, watched)


@pytest.mark.slow
def test_history_best_model_figure_and_videos_are_there_after_training(tmp_path):
    model = ppo()
    callback = EnhancedVisualCallback(
        SlidingBall(),
        eval_freq=250,
        n_eval_episodes=2,
        verbose=0,
        best_model_save_path=tmp_path,
        **AS_MUCH_AS_IT_TAKES,
    )

    model.learn(600, callback=callback)

    history = json.loads((tmp_path / "training_history.json").read_bytes())
    assert history["timesteps_history"] == [250, 500]
    assert {len(v) for v in history.values() if isinstance(v, list)} == {2}
    assert history["best_mean_reward"] == max(history["rewards_history"])
    assert history["stability_metrics"] == [{"lean": 0.25}] * 2
    assert history["reward_components_history"][0]["speed"] == pytest.approx(
        history["rewards_history"][0], rel=1e-4
    )
    assert (tmp_path / "training_progress.png").stat().st_size > 1000
    best = history["timesteps_history"][
        history["rewards_history"].index(max(history["rewards_history"]))
    ]
    assert PPO.load(tmp_path / "best_model.zip").num_timesteps == best
    for timestep in (250, 500):
        pictures, instants = decode(tmp_path / "eval_videos" / f"eval_{timestep}.mp4")
        assert pictures.shape[1:] == (480, 640, 3)
        assert instants[1] == pytest.approx(0.05)


def test_the_best_model_has_the_weights_that_were_evaluated(tmp_path):
    taken = {}

    class Watching(EnhancedVisualCallback):
        def evaluation_begins(self, env):
            super().evaluation_begins(env)
            taken[self.num_timesteps] = [tensor.clone() for tensor in weights(self.model)]

    callback = Watching(
        SlidingBall(),
        128,
        save_videos=False,
        verbose=0,
        best_model_save_path=tmp_path,
        n_eval_episodes=1,
        **AS_MUCH_AS_IT_TAKES,
    )
    ppo().learn(512, callback=callback)

    best = PPO.load(tmp_path / "best_model.zip")
    assert len(taken) >= 3
    assert all(map(torch.equal, weights(best), taken[best.num_timesteps]))


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [PPO, A2C, SAC, TD3])
def test_both_work_beside_the_callbacks_of_stable_baselines3(algorithm, tmp_path):
    options = {PPO: {"n_steps": 64, "batch_size": 32}, A2C: {}}
    model = algorithm(
        "MlpPolicy",
        DummyVecEnv([lambda: Monitor(SlidingBall())] * 2),
        **options.get(algorithm, {"learning_starts": 40, "buffer_size": 1000}),
    )
    enhanced_callback = enhanced(tmp_path, DummyVecEnv([SlidingBall] * 3), eval_freq=100)
    video_callback = VideoRecordingCallback(
        DummyVecEnv([SlidingBall]),
        150,
        video_folder=tmp_path / "videos",
        verbose=0,
        show_duration_seconds=0.2,
        **AS_MUCH_AS_IT_TAKES,
    )

    model.learn(
        200,
        callback=CallbackList(
            [
                EvalCallback(Monitor(SlidingBall()), eval_freq=50, n_eval_episodes=1, verbose=0),
                CheckpointCallback(60, str(tmp_path / "checkpoints")),
                enhanced_callback,
                video_callback,
            ]
        ),
    )

    assert enhanced_callback.history.timesteps_history == [100, 200]
    assert (enhanced_callback.evaluations.failed, video_callback.recordings.failed) == (0, 0)
    table = json.loads((tmp_path / "videos" / "terminations.json").read_bytes())
    assert [video["video"] for video in table["videos"]] == ["video_150.mp4"]
    assert sum(table["termination_reasons"].values()) == 1
    _, instants = decode(tmp_path / "videos" / "video_150.mp4")
    assert instants == pytest.approx([0.0, 0.05, 0.1, 0.15])


@pytest.mark.slow
def test_a_normalised_training_in_other_processes_is_evaluated_in_this_one(tmp_path):
    training = VecNormalize(SubprocVecEnv([SlidingBall] * 2, start_method="forkserver"))
    callback = enhanced(tmp_path)
    model = ppo(training)

    model.learn(256, callback=callback)
    training.close()

    assert callback.history.timesteps_history == [200]
    assert callback.evaluations.failed == 0


def test_evaluation_is_as_hard_as_the_training_is_when_asked(tmp_path):
    env, training = SlidingBall(), DummyVecEnv([SlidingBall] * 2)
    training.env_method("set_rand_power", 0.75)

    ppo(training).learn(256, callback=enhanced(tmp_path, env, use_curriculum=True))

    assert env.rand_power == 0.75


def test_a_history_goes_on_where_an_earlier_training_left_it(tmp_path):
    first = enhanced(tmp_path / "one")
    ppo().learn(256, callback=first)

    second = enhanced(tmp_path / "two", load_history_from=tmp_path / "one/training_history.json")
    ppo().learn(256, callback=second)

    history = json.loads((tmp_path / "two" / "training_history.json").read_bytes())
    assert history["timesteps_history"] == [200, 200]
    with pytest.raises(RunError, match="leave load_history_from out"):
        enhanced(tmp_path, load_history_from=tmp_path / "nowhere.json")


def test_a_folder_that_cannot_be_written_is_said_once_and_training_goes_on(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    callback = enhanced(tmp_path / "file" / "output", eval_freq=100)
    model = ppo()

    with caplog.at_level(logging.WARNING):
        model.learn(512, callback=callback)

    assert model.num_timesteps == 512
    assert len(callback.history.rewards_history) >= 4
    said = [record.message for record in caplog.records]
    assert len([line for line in said if "could not be written" in line and "goes on" in line]) == 1
    assert f"{len(callback.history.rewards_history)} files could not be written." in said


def test_an_environment_that_does_not_fit_is_said_once_and_training_goes_on(tmp_path, caplog):
    callback = enhanced(tmp_path, gym.make("CartPole-v1"), eval_freq=100)
    model = ppo()

    with caplog.at_level(logging.WARNING):
        model.learn(512, callback=callback)

    assert model.num_timesteps == 512
    assert callback.evaluations.failed >= 4
    assert len([r for r in caplog.records if "its observation_space is" in r.message]) == 1


def test_nothing_but_an_evaluation_is_said_and_only_when_asked(tmp_path, capsys):
    ppo().learn(256, callback=enhanced(tmp_path / "a"))
    silent = capsys.readouterr().out
    ppo().learn(256, callback=enhanced(tmp_path / "b", verbose=1))

    assert silent == ""
    assert capsys.readouterr().out.startswith("Evaluation at 200: 3 episodes, return ")
