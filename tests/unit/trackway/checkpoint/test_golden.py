"""Checkpoints of every format open for ever, and the page names what is tested."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import gymnasium as gym
import pytest
from stable_baselines3 import PPO
from tests.support.changing_program import Windy
from tests.support.exact_cases import CASES
from tests.support.treacherous import HiddenWorld

from trackway.checkpoint.read import read_checkpoint
from trackway.sb3 import Checkpointer

ROOT = Path(__file__).resolve().parents[4]
GOLDEN = ROOT / "tests/golden/checkpoint"
ENVIRONMENTS = {
    2: partial(gym.make, "CartPole-v1"),
    3: HiddenWorld,
    4: lambda: Windy(gym.make("CartPole-v1")),  # its slope had been changed
}


def model(number: int) -> PPO:
    network, env = {"net_arch": [4]}, ENVIRONMENTS[number]()
    return PPO("MlpPolicy", env, n_steps=64, seed=1, device="cpu", policy_kwargs=network)


@pytest.mark.parametrize("number", ENVIRONMENTS)
def test_a_checkpoint_of_every_format_opens_and_is_gone_on_with(
    number: int, tmp_path: Path
) -> None:
    path = Path(shutil.copy(GOLDEN / f"format_{number}.zip", tmp_path))
    checkpoint = read_checkpoint(path)
    assert checkpoint.manifest["format"] == number
    assert checkpoint.manifest["exact"] is True
    assert checkpoint.timestep == 64
    assert PPO.load(path, device="cpu").num_timesteps == 64

    resumed = model(number)
    resumed.learn(128, callback=Checkpointer(tmp_path / "next", resume_from=checkpoint.path))
    assert resumed.num_timesteps == 128
    assert Windy.slope == (0.5 if number == 4 else 0.0)
    Windy.slope = 0.0


def test_the_page_names_every_training_that_is_tested() -> None:
    page = (ROOT / "docs/explanation/exact-resume.md").read_text(encoding="utf-8")

    assert [name for name in CASES if f"| {name} |" not in page] == []
