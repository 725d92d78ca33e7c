"""Stopped and resumed in a new process, a training goes on as if it had not been stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO
from tests.support.exact_cases import CASES

ROOT = Path(__file__).resolve().parents[2]


def run(case: str, mode: str, folder: Path) -> Any:
    out = folder / f"{mode}.json"
    command = [sys.executable, "-m", "tests.support.resumed_training", case, mode, out]
    done = subprocess.run(
        [*map(str, command), str(folder / "checkpoint.zip")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(out.read_text()) if out.exists() else None


# Two processes each; all of them in the soak.
FEW = ("PPO, Go1VecEnv", "PPO, SubprocVecEnv, VecNormalize", "SAC, gSDE, VecNormalize, noise")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES if os.environ.get("TRACKWAY_SOAK") else FEW)
def test_a_resumed_training_equals_the_one_that_went_on(case: str, tmp_path: Path) -> None:
    whole = run(case, "both", tmp_path)
    resumed = run(case, "resume", tmp_path)

    assert whole["steps"]
    assert resumed["steps"] == whole["steps"]
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["learned"] == whole["learned"]
    assert resumed == whole
    assert json.loads(manifest(tmp_path / "checkpoint.zip"))["exact"] is True


@pytest.mark.slow
def test_a_checkpoint_changes_nothing(tmp_path: Path) -> None:
    case = FEW[0]

    assert run(case, "both", tmp_path) == run(case, "full", tmp_path)


@pytest.mark.slow
def test_a_training_that_ends_within_a_rollout_goes_on_from_its_start(tmp_path: Path) -> None:
    case = "PPO, Go1VecEnv"
    whole = run(case, "full", tmp_path)
    run(case, "interrupted", tmp_path)
    resumed = run(case, "continued", tmp_path)

    facts = json.loads(manifest(tmp_path / "checkpoint.zip"))
    assert facts["exact"] is True
    assert facts["timestep"] == CASES[case].stopped_timestep
    assert resumed == whole


@pytest.mark.slow
def test_plain_stable_baselines_opens_the_checkpoint(tmp_path: Path) -> None:
    run(FEW[0], "stop", tmp_path)

    model = PPO.load(tmp_path / "checkpoint.zip", device="cpu")
    assert model.num_timesteps == CASES[FEW[0]].stopped_timestep


def manifest(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("trackway/manifest.json")
