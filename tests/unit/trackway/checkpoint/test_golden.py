"""Checkpoints of every format open for ever, and the page names what is tested."""

from __future__ import annotations

import shutil
from pathlib import Path

import gymnasium as gym
from stable_baselines3 import PPO
from tests.support.exact_cases import CASES

from trackway.checkpoint.read import read_checkpoint
from trackway.sb3 import Checkpointer

ROOT = Path(__file__).resolve().parents[4]
GOLDEN = ROOT / "tests/golden/checkpoint/format_2.zip"


def model() -> PPO:
    network = {"net_arch": [4]}
    env = gym.make("CartPole-v1")
    return PPO("MlpPolicy", env, n_steps=64, seed=1, device="cpu", policy_kwargs=network)


def test_a_checkpoint_of_format_2_opens_and_is_gone_on_with(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(Path(shutil.copy(GOLDEN, tmp_path)))
    assert checkpoint.manifest["format"] == 2
    assert checkpoint.manifest["exact"] is True
    assert checkpoint.timestep == 64
    assert PPO.load(GOLDEN, device="cpu").num_timesteps == 64

    resumed = model()
    resumed.learn(128, callback=Checkpointer(tmp_path / "next", resume_from=checkpoint.path))
    assert resumed.num_timesteps == 128


def test_the_page_names_every_training_that_is_tested() -> None:
    page = (ROOT / "docs/explanation/exact-resume.md").read_text(encoding="utf-8")

    assert [name for name in CASES if f"| {name} |" not in page] == []
