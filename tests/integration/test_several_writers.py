"""Processes that record into one run at once, as the how-to page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
from tests.support.programs import trackway_command
from tests.support.recorded import make_run, record_attempt

import trackway
from trackway.query.run_view import RunView

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "record-from-several-processes.md"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def record(*places: Path) -> None:
    """The page's example, once for each rank, all at the same time."""
    for place in places:
        place.mkdir(exist_ok=True)
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", EXAMPLE], cwd=place, env=os.environ | {"RANK": str(rank)}
        )
        for rank, place in enumerate(places)
    ]
    assert [rank.wait(timeout=60) for rank in ranks] == [0] * len(places)


def rewards(runs: Path | str) -> list[tuple[float, int, int]]:
    """Of each rank its reward, how many steps it made, and its last timestep."""
    steps = trackway.open(runs)["my_run"].steps
    told = steps.group_by("reward").agg(pl.len(), pl.col("timestep").max()).sort("reward")
    return told.collect().rows()


EXPECTED = [(0.0, 400, 400), (1.0, 400, 400)]


def test_ranks_on_one_machine_are_one_run(tmp_path):
    record(tmp_path, tmp_path)

    assert rewards(tmp_path / "models") == EXPECTED
    curve = RunView(tmp_path / "models" / "my_run").curve("steps", "reward", buckets=4)
    assert set(curve.attempt) == {0, 1}


def test_ranks_on_several_machines_are_one_run_in_a_store(tmp_path, monkeypatch):
    url = f"file://{tmp_path / 'store'}"
    machines = [tmp_path / "first", tmp_path / "second"]
    record(*machines)
    for rank, machine in enumerate(machines):
        sync = trackway_command("sync", "models/my_run", url, "--rank", rank)
        subprocess.run(sync, cwd=machine, check=True, stdout=subprocess.DEVNULL)
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))

    assert rewards(url) == EXPECTED


def test_a_rank_that_goes_on_replaces_its_own_steps_only(tmp_path):
    run = make_run(tmp_path / "a").path
    record_attempt(run, 60)
    record_attempt(run, 50, rank=1)
    record_attempt(run, 40, rank=1, begin=80)
    record_attempt(run, 30, begin=120)

    found = trackway.open(tmp_path)["a"]

    assert steps_by_attempt(found) == [120, 80, 160, 120]
    assert steps_by_attempt(found.abandoned) == [120, 120]


def steps_by_attempt(run) -> list[int]:
    return run.steps.group_by("attempt").len().sort("attempt").collect()["len"].to_list()
