"""Training that stops, by whatever, and goes on: `trackway resume`, `fork`, `train.py --auto_resume`."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import orjson
import pytest
from tests.support.programs import (
    finish,
    only_run,
    start,
    trackway_command,
    train_command,
    wait_for,
)
from tests.support.trainings import records

from go1.training.main import main as train
from trackway.checkpoint.choose import list_checkpoints
from trackway.files import is_locked
from trackway.run import RunFolder, list_runs, read_manifest, status
from trackway.storage.line import find_line

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SMALL = (  # noqa: SIM905 - as it is typed
    "--run train --run_name small --num_parallel_envs 4 --n_steps 32 --batch_size 64 "
    "--physics upstream --vec_env dummy "  # which ends without an evaluation and a video
    "--save_frequency 100 --checkpoint_frequency 256 --eval_frequency 100_000 "
    "--video_interval 1_000_000 --video_duration 1"
).split()
ROLLOUT = 4 * 32
FOREVER = 10_000_000


def record_of(run: RunFolder, checkpoint: Path) -> dict:
    return orjson.loads(
        (run.realtime_data / "checkpoints" / f"{checkpoint.stem}.json").read_bytes()
    )


def saved(cwd: Path, at_least: int) -> bool:
    return len(list(cwd.glob("models/*/realtime_data/checkpoints/*.json"))) >= at_least


def assert_every_record_is_there_once(run: RunFolder) -> None:
    """Each save has one snapshot of every robot and one state, whichever attempt made it."""
    snapshots = [
        (record["timestep"], record["env_id"])
        for record in records(run.realtime_data, "episodes")
        if record["record"] == "snapshot"
    ]
    assert len(snapshots) == len(set(snapshots))
    states = [record["timestep"] for record in records(run.realtime_data, "environment_states")]
    assert sorted({timestep for timestep, _ in snapshots}) == sorted(states)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory) -> RunFolder:
    """A training that was killed after some checkpoints."""
    cwd = tmp_path_factory.mktemp("crashed")
    process = start(cwd, train_command(*SMALL, "--total_timesteps", FOREVER))
    wait_for(lambda: saved(cwd, 4))
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    run = only_run(cwd)
    wait_for(lambda: not is_locked(run.realtime_data))
    return run


def test_a_fork_is_a_new_run_from_the_newest_checkpoint_at_or_before_a_timestep(crashed):
    cwd, earlier = crashed.path.parents[1], list_checkpoints(crashed.checkpoints)[1]
    timestep = record_of(crashed, earlier)["timestep"]
    before = read_manifest(crashed)

    process = start(
        cwd,
        trackway_command(
            *("fork", crashed.path, "--at", timestep + 1, "--name", "other"),
            *("--", "--learning_rate", "1e-4"),
        ),
    )
    wait_for(lambda: list(cwd.glob("models/*-other/realtime_data/episodes/*.json")))
    process.terminate()
    finish(process)

    fork = list_runs(cwd / "models")[-1]
    manifest = read_manifest(fork)
    assert fork.name.endswith("-other")
    assert manifest["resumed_from"] == {
        "kind": "resume",
        "path": str(earlier),
        "timestep": timestep,
    }
    assert manifest["config"]["ppo"]["learning_rate"] == 0.0001
    assert find_line(fork.path, "steps")[0].begin == timestep
    assert read_manifest(crashed) == before


def test_a_killed_run_goes_on_in_its_own_folder_from_its_newest_whole_checkpoint(crashed):
    *_, before, newest = list_checkpoints(crashed.checkpoints)
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    at = record_of(crashed, before)["timestep"]
    assert status(read_manifest(crashed)) == "crashed"

    said = finish(
        start(
            crashed.path.parents[1],
            trackway_command("resume", crashed.path, "--", "--total_timesteps", at + 300),
        )
    )

    assert f"passed over: {newest}" in said
    assert f"resumes at timestep {at:,}" in said
    manifest = read_manifest(crashed)
    assert status(manifest) == "finished"
    assert at + 300 <= manifest["timesteps"] < at + 300 + ROLLOUT
    first, second = (attempt["resumed_from"] for attempt in manifest["attempts"])
    assert first is None
    assert second["timestep"] == at
    assert crashed.final_model.is_file()
    assert_every_record_is_there_once(crashed)
    # The zip that is not whole went where nobody looks for one to go on from.
    assert [path.name for path in crashed.set_aside(2).glob("checkpoints/*.zip")] == [newest.name]
    dead, living = find_line(crashed.path, "steps")
    assert (dead.end, living.begin) == (at, at)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGUSR1] if "TRACKWAY_SOAK" in os.environ else [signal.SIGUSR1],
)
def test_the_same_command_goes_on_after_a_scheduler_ended_it(tmp_path, monkeypatch, number):
    flags = [*SMALL, "--auto_resume", "--total_timesteps"]
    process = start(tmp_path, train_command(*flags, FOREVER))
    wait_for(lambda: saved(tmp_path, 1))
    process.send_signal(number)
    finish(process, 75)
    run = only_run(tmp_path)
    assert status(read_manifest(run)) == "interrupted"
    at = record_of(run, list_checkpoints(run.checkpoints)[-1])["timestep"]
    if number == signal.SIGUSR1:
        return  # how it goes on does not depend on the signal

    assert finish(start(tmp_path, train_command(*flags, at + 100)))
    assert only_run(tmp_path) == run
    assert read_manifest(run)["attempts"][1]["resumed_from"]["timestep"] == at
    assert status(read_manifest(run)) == "finished"
    assert_every_record_is_there_once(run)

    monkeypatch.chdir(tmp_path)
    assert train([*flags, str(at + 100)]) == 0
    assert len(read_manifest(run)["attempts"]) == 2
