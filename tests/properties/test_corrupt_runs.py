"""A damaged run among good ones: it is named or tells less, never something wrong; the rest answers.

TRACKWAY_MUTATIONS=100000 tries so many damages (`make soak`).
"""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.support.recorded import make_run, record_attempt, step_columns

import trackway
from trackway.errors import TrackwayError
from trackway.query.run_view import RunView
from trackway.query.runs import TABLES
from trackway.query.sql import ask
from trackway.storage.archive.compact import compact_run

MUTATIONS = int(os.environ.get("TRACKWAY_MUTATIONS", "25"))
ROWS = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in journals, and the same in parts."""
    folder = tmp_path_factory.mktemp("whole")
    run = make_run(folder / "journals")
    record_attempt(run.path, ROWS)
    run.checkpoints.mkdir()
    shutil.make_archive(str(run.checkpoints / "checkpoint_20250101_120000"), "zip", run.path)
    shutil.copytree(run.path, folder / "parts")
    compact_run(folder / "parts")
    return folder


@pytest.fixture(scope="module")
def expected() -> dict[tuple[int, int], float]:
    return {
        (row, env): float(step_columns(row, 4)["reward"][env])
        for row in range(ROWS)
        for env in range(4)
    }


def damage(run: Path, rng: np.random.Generator) -> str:
    """Change one file at one place; what was done."""
    path = rng.choice(sorted(str(p) for p in run.rglob("*") if p.is_file() and p.stat().st_size))
    data = bytearray(Path(path).read_bytes())
    at = int(rng.integers(len(data)))
    kind = str(rng.choice(["flip", "cut", "overwrite", "insert", "empty"]))
    match kind:
        case "flip":
            data[at] ^= 1 << int(rng.integers(8))
        case "cut":
            del data[at:]
        case "overwrite":
            length = min(int(rng.integers(1, 200)), len(data) - at)
            data[at : at + length] = rng.bytes(length)
        case "insert":
            data[at:at] = rng.bytes(int(rng.integers(1, 50)))
        case "empty":
            data.clear()
    Path(path).write_bytes(data)
    return f"{kind} at {at} of {path}"


@pytest.mark.timeout(max(120, MUTATIONS))
def test_one_damaged_file_never_changes_an_answer(
    whole: Path,
    expected: dict[tuple[int, int], float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    models = tmp_path / "models"
    shutil.copytree(whole / "parts", models / "good")
    rng = np.random.default_rng(int(os.environ.get("TRACKWAY_SEED", "0")))
    lessened = 0
    for number in range(MUTATIONS):
        bad = models / "bad"
        shutil.copytree(whole / ("parts" if number % 2 else "journals"), bad)
        done = damage(bad, rng)

        runs = trackway.open(models)
        assert {run.name for run in runs} >= {"good"}, done
        for name in TABLES:
            runs.table(name).collect()
        steps = runs.steps.select("run", "row", "env", "reward").collect()
        assert steps.filter(pl.col("run") == "good").height == 4 * ROWS, done
        told = steps.filter(pl.col("run") == "bad").select("row", "env", "reward").rows()
        assert all(expected.get((row, env)) == reward for row, env, reward in told), done
        assert len(told) == len(set(told)) <= 4 * ROWS, done
        lessened += len(told) < 4 * ROWS
        count = "SELECT count(*) FROM episodes WHERE run = 'good'"
        assert ask(runs, count).item() == 4 * (ROWS // 50), done
        try:
            curve = RunView(bad).curve("steps", "reward", buckets=10)
            assert np.isfinite(curve.buckets.min).all(), done
        except TrackwayError:
            pass
        shutil.rmtree(bad)
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    assert MUTATIONS < 20 or lessened
