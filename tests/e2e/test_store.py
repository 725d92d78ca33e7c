"""A training that ships itself, and goes on on another machine: here, in another folder."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.support.programs import finish, start, trackway_command, train_command, wait_for
from tests.support.trainings import records

from trackway.run import RunFolder, list_runs, read_manifest
from trackway.sync import layout, lease
from trackway.sync.holdings import Holdings
from trackway.sync.left import read_left
from trackway.sync.mirror import Mirror
from trackway.sync.opening import open_store

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SMALL = (
    *("--num_parallel_envs", "4", "--n_steps", "32", "--batch_size", "64"),
    *("--physics", "upstream", "--vec_env", "dummy"),  # ends without an evaluation and a video
    *("--eval_frequency", "100_000", "--video_interval", "10_000_000"),
    *("--save_frequency", "1_024", "--checkpoint_frequency", "512"),
)


def test_a_training_goes_on_elsewhere_and_the_one_before_is_fenced(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    url = f"file://{tmp_path / 'store'}"
    flags = ("--run", "train", "--total_timesteps", "10_000_000", *SMALL)
    first = start(here, train_command(*flags, "--store", url, "--run_name", "걷기"))
    store = open_store(url)
    # Nobody watches, so the first minute brings one shipment: a watcher makes it hurry. Meanwhile
    # the training hangs, or nobody could say how far it gets.
    (prefix,) = _wait_for_runs(store)
    (run,) = list_runs(here / "models")
    # Somebody kills the shipper: another takes its place.
    killed = _shipper_of(first)
    killed.kill()
    wait_for(lambda: _shipper_of(first) not in (None, killed))
    wait_for(lambda: len(list((run.realtime_data / "checkpoints").glob("*.json"))) >= 2, 90.0)
    first.send_signal(signal.SIGSTOP)
    newest = max(run.checkpoints.glob("*.zip")).relative_to(run.path).as_posix()

    def is_shipped() -> bool:
        store.put(layout.watched_key(prefix), os.urandom(8).hex().encode())
        return newest in Holdings(store, prefix).files

    wait_for(is_shipped, 90.0)
    again = trackway_command("resume", url, run.name, "--", "--total_timesteps", "4_096")
    last = start(there, again)
    wait_for(lambda: len(lease.epochs(store, prefix)) == 2, 90.0)
    first.send_signal(signal.SIGCONT)

    first_said = finish(first)
    assert "Another machine has taken this run over" in first_said
    assert read_manifest(run)["status"] == "interrupted"
    said = finish(last)
    assert "First step " in said
    assert " s after this machine took the run over" in said
    assert "after this machine" not in first_said
    manifest = read_manifest(RunFolder(there / "models" / run.name))
    assert manifest["status"] == "finished"
    assert manifest["attempts"][-1]["resumed_from"]["timestep"] > 0
    # What it did not wait for has come meanwhile, and nothing is there twice.
    resumed = RunFolder(there / "models" / run.name)
    wait_for(lambda: not read_left(resumed).coming)
    saves = [record["timestep"] for record in records(resumed.realtime_data, "environment_states")]
    assert saves == list(range(1_024, 4_097, 1_024))
    assert [epoch.number for epoch in lease.epochs(store, prefix)] == [1, 2]
    wait_for(lambda: _shipped_status(store, tmp_path, run.name) == "finished", 90.0)


def _shipper_of(training) -> psutil.Process | None:
    for child in psutil.Process(training.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "sync" in child.cmdline():
                return child
    return None


def _wait_for_runs(store) -> list[str]:
    wait_for(lambda: store.folders("runs/"), 90.0)
    return [f"runs/{name}/0/" for name in store.folders("runs/")]


def _shipped_status(store, tmp_path: Path, name: str) -> str:
    mirror = Mirror(store, name, tmp_path / "mirror")
    mirror.poll()
    return str(read_manifest(RunFolder(mirror.path))["status"])
