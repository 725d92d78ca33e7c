"""Stopped and resumed in a new process, a training goes on as if it had not been stopped."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stable_baselines3 import PPO
from tests.support.exact_cases import CASES, table
from tests.support.forked import Forks

ROOT = Path(__file__).resolve().parents[2]


PROGRAM = "tests.support.resumed_training"


def run(case: str, mode: str, folder: Path, forks: Forks | None = None) -> Any:
    """Train in a fork, or in a process that was started anew."""
    out, said = folder / f"{mode}.json", folder / f"{mode}.txt"
    arguments = [case, mode, str(out), str(folder / "checkpoint.zip")]
    if forks is not None:
        status = forks.run(said, PROGRAM, *arguments)
    else:
        with said.open("wb") as file:
            status = subprocess.run(
                [sys.executable, "-m", PROGRAM, *arguments],
                cwd=ROOT,
                stdout=file,
                stderr=file,
                timeout=100,
            ).returncode

    assert status == 0, said.read_text()
    return json.loads(out.read_text()) if out.exists() else None


# Two processes each; all of them in the soak. SAC is killed and resumed in tests/crash.
FEW = (
    "PPO, Go1VecEnv",
    "PPO, SubprocVecEnv, VecNormalize",
    "PPO, what a program gives, and changes while it trains, DummyVecEnv",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Any]]:
    """A training that writes a checkpoint and goes on: its folder, and what came out. Once a case."""

    @functools.cache
    def once(case: str) -> tuple[Path, Any]:
        folder = tmp_path_factory.mktemp("whole")
        return folder, run(case, "both", folder)

    return once


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came out of the same training without a checkpoint."""
    return run(FEW[0], "full", tmp_path_factory.mktemp("untouched"))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES if os.environ.get("TRACKWAY_SOAK") else FEW)
def test_a_resumed_training_equals_the_one_that_went_on(
    case: str, whole: Any, forks: Forks
) -> None:
    folder, expected = whole(case)
    resumed = run(case, "resume", folder, forks)

    assert expected["steps"]
    assert resumed["steps"] == expected["steps"]
    assert resumed["metrics"] == expected["metrics"]
    assert resumed["learned"] == expected["learned"]
    assert resumed == expected
    assert json.loads(manifest(folder / "checkpoint.zip"))["exact"] is True


def test_the_page_tells_what_these_tests_show() -> None:
    page = (ROOT / "docs/explanation/exact-resume.md").read_text()

    assert f"\n\n{table()}\n\n" in page, "python -m tests.support.exact_cases prints the table"


@pytest.mark.slow
def test_a_checkpoint_changes_nothing(whole: Any, untouched: Any) -> None:
    _, with_checkpoint = whole(FEW[0])

    assert with_checkpoint == untouched


@pytest.mark.slow
def test_a_training_that_ends_within_a_rollout_goes_on_from_its_start(
    untouched: Any, tmp_path: Path, forks: Forks
) -> None:
    case = FEW[0]
    run(case, "interrupted", tmp_path, forks)
    resumed = run(case, "continued", tmp_path, forks)

    facts = json.loads(manifest(tmp_path / "checkpoint.zip"))
    assert (facts["exact"], facts["timestep"]) == (True, CASES[case].stopped_timestep)
    assert resumed == untouched


@pytest.mark.slow
def test_plain_stable_baselines_opens_the_checkpoint(whole: Any) -> None:
    folder, _ = whole(FEW[0])

    model = PPO.load(folder / "checkpoint.zip", device="cpu")
    assert model.num_timesteps == CASES[FEW[0]].stopped_timestep


def manifest(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("trackway/manifest.json")
