"""A saved policy acts as the model did, and nothing of its file is unpickled."""

import base64
import contextlib
import io
import json
import os
import pickle
import zipfile

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from trackway.checkpoint.archive import with_members
from trackway.errors import MismatchError
from trackway.frameworks.sb3.state import capture
from trackway.sb3 import load_policy


def _net(**more):
    return {"net_arch": [8], **more}  # a new one each time: Stable-Baselines3 writes into it


def _env():
    return gym.make("Pendulum-v1")


def _rewritten(path, change):
    """The model with another `data`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(members["data"])
    change(told)
    members["data"] = json.dumps(told).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("algorithm", "kwargs"),
    [
        (PPO, _net(activation_fn=torch.nn.ELU)),
        (SAC, _net()),
    ],
)
def test_it_acts_as_the_model_did(tmp_path, algorithm, kwargs):
    model = algorithm("MlpPolicy", _env(), policy_kwargs=kwargs, seed=0, device="cpu")
    model.save(tmp_path / "model.zip")
    policy = load_policy(tmp_path / "model.zip", model.observation_space, model.action_space)
    obs = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)

    np.testing.assert_array_equal(policy(obs), model.predict(obs, deterministic=True)[0])
    np.testing.assert_allclose(policy(obs[0]), policy(obs)[0], rtol=1e-6)


def test_statistics_of_the_checkpoint_are_applied(tmp_path):
    envs = VecNormalize(DummyVecEnv([_env]))
    model = PPO("MlpPolicy", envs, n_steps=64, policy_kwargs=_net(), seed=0, device="cpu")
    model.learn(64)
    plain = io.BytesIO()
    model.save(plain)
    path = tmp_path / "checkpoint.zip"
    path.write_bytes(with_members(plain.getvalue(), capture(model, {}), {"timestep": 64}, 0.0))
    obs = np.random.default_rng(0).normal(size=(5, 3)) * 3
    policy = load_policy(path, model.observation_space, model.action_space)

    wanted = model.predict(envs.normalize_obs(obs).astype(np.float32), deterministic=True)[0]
    np.testing.assert_array_equal(policy(obs), wanted)


class _Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_pickle_in_it_is_opened(tmp_path):
    model = PPO("MlpPolicy", _env(), policy_kwargs=_net(), seed=0, device="cpu")
    path, trace = tmp_path / "model.zip", tmp_path / "ran"
    model.save(path)
    bomb = base64.b64encode(pickle.dumps(_Bomb(trace))).decode()

    def lay(told):
        for value in told.values():
            if isinstance(value, dict) and ":serialized:" in value:
                value[":serialized:"] = bomb

    _rewritten(path, lay)
    load_policy(path, model.observation_space, model.action_space)

    assert not trace.exists()
    with contextlib.suppress(Exception):
        PPO.load(path)
    assert trace.exists()  # it would have gone off


@pytest.mark.parametrize(
    ("member", "words", "says"),
    [
        ("policy_class", {"__init__": "<function Mine.__init__ at 0x1>"}, "MlpPolicy"),
        ("policy_class", {"__module__": "mine"}, "none that could be built"),
        ("policy_kwargs", {"features_extractor_class": "<class 'mine'>"}, "setting"),
        ("policy_kwargs", {"net_arch": [9]}, "size mismatch"),
    ],
)
def test_what_only_a_pickle_would_tell_is_refused(tmp_path, member, words, says):
    model = PPO("MlpPolicy", _env(), policy_kwargs=_net(), seed=0, device="cpu")
    model.save(tmp_path / "model.zip")
    _rewritten(tmp_path / "model.zip", lambda told: told[member].update(words))

    with pytest.raises(MismatchError, match=says):
        load_policy(tmp_path / "model.zip", model.observation_space, model.action_space)
