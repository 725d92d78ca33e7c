import io
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from tests.support.toy_robot import ToyRobot
from tests.support.trainings import ppo

from trackway.checkpoint.archive import with_members
from trackway.checkpoint.read import Checkpoint, read_checkpoint
from trackway.errors import MismatchError
from trackway.frameworks.sb3.state import capture, model_zip, restore


def venv(normalized: bool = True):
    inner = DummyVecEnv([ToyRobot, ToyRobot])
    return VecNormalize(inner) if normalized else inner


def saved(model: PPO, folder: Path) -> Checkpoint:
    members = capture(model, {"counters": {"episode_counts": [1, 2]}, "curriculum": None})
    path = folder / "checkpoint.zip"
    manifest = {"timestep": model.num_timesteps}
    path.write_bytes(with_members(model_zip(model), members, manifest, 0.0))
    return read_checkpoint(path)


@pytest.fixture
def trained(tmp_path) -> tuple[PPO, Checkpoint]:
    model = ppo(venv())
    model.learn(128)
    return model, saved(model, tmp_path)


def test_weights_optimizer_timesteps_and_normalisation_come_back(trained):
    model, checkpoint = trained
    envs = venv()
    again = PPO.load(checkpoint.path, env=envs, device="cpu")

    restored = restore(again, checkpoint)

    assert restored.timestep == again.num_timesteps == 128
    assert restored.counters == {"episode_counts": [1, 2]}
    assert restored.curriculum is None
    for mine, theirs in zip(model.policy.parameters(), again.policy.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    before, after = (m.policy.optimizer.state_dict()["state"] for m in (model, again))
    assert torch.equal(before[0]["exp_avg_sq"], after[0]["exp_avg_sq"])
    old = model.get_env()
    assert np.array_equal(old.obs_rms.mean, envs.obs_rms.mean)
    assert (old.ret_rms.var, old.obs_rms.count) == (envs.ret_rms.var, envs.obs_rms.count)
    assert np.array_equal(old.returns, envs.returns)


def test_every_random_source_of_the_trainer_goes_on(trained):
    def draws(model: PPO) -> list[float]:
        numpy_draw = np.random.random()  # noqa: NPY002
        return [random.random(), numpy_draw, torch.rand(1).item(), *model.action_space.sample()]

    model, _ = trained
    checkpoint = saved(model, trained[1].path.parent)
    expected = draws(model)
    again = PPO.load(checkpoint.path, env=venv(), device="cpu")
    restore(again, checkpoint)

    assert draws(again) == expected


def test_resumed_environments_do_not_repeat_the_first_episodes(trained):
    _, checkpoint = trained
    envs = venv(normalized=False)
    first = ppo(envs).get_env().reset()

    again = PPO.load(checkpoint.path, env=VecNormalize(envs), device="cpu")
    restore(again, checkpoint)
    resumed = again.get_env().venv.reset()

    assert not np.allclose(first, resumed)


def test_a_missing_or_other_normaliser_is_a_mismatch_in_one_sentence(trained):
    _, checkpoint = trained
    again = PPO.load(checkpoint.path, env=venv(normalized=False), device="cpu")

    with pytest.raises(MismatchError, match="wrap the environment in VecNormalize"):
        restore(again, checkpoint)


def test_a_plain_model_restores_nothing(tmp_path):
    model = ppo(venv(normalized=False))
    buffer = io.BytesIO()
    model.save(buffer)
    (tmp_path / "plain.zip").write_bytes(buffer.getvalue())

    restored = restore(model, read_checkpoint(tmp_path / "plain.zip"))

    assert (restored.timestep, restored.counters) == (0, None)
