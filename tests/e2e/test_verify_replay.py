"""`trackway verify --replay`: a stretch of a training, simulated again and compared with the record."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
from tests.support.programs import only_run

from go1.training.main import main as train
from trackway.cli.main import main as trackway
from trackway.run import read_manifest, write_manifest

SMALL = (  # noqa: SIM905 - as it is typed
    "--run train --run_name small --num_parallel_envs 2 --n_steps 16 --batch_size 32 "
    "--physics upstream --vec_env dummy --checkpoint_frequency 32 "
    "--eval_frequency 100_000 --video_interval 1_000_000 --total_timesteps 160"
).split()
pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    cwd = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        assert train(SMALL) == 0
    return cwd


def again(capsysbinary, *words: object) -> tuple[int, dict]:
    status = trackway(["verify", *map(str, words), "--replay", "--json"])
    return status, orjson.loads(capsysbinary.readouterr().out)


def test_steps_that_are_simulated_again_equal_the_record(trained, capsysbinary):
    run = only_run(trained)
    before = sorted(run.path.rglob("*"))

    status, told = again(capsysbinary, run.path, "--at", 70, "--steps", 64)

    assert status == 0
    assert (told["from"], told["equal_steps"], told["same"]) == (64, 64, True)
    assert told["inexact_because"] == []
    assert sorted(run.path.rglob("*")) == before
    assert only_run(trained) == run


def test_a_training_that_is_not_as_it_was_is_found(trained, tmp_path, capsysbinary):
    shutil.copytree(trained / "models", tmp_path / "models")
    run = only_run(tmp_path)
    manifest = read_manifest(run)
    manifest["program"]["again"] += ["--learning_rate", "0.1"]
    write_manifest(run, manifest)

    status, told = again(capsysbinary, run.path, "--at", 70, "--steps", 64)

    assert status == 3
    # A rollout of the same policy, then one of what another update made of it.
    assert (told["from"], told["equal_steps"]) == (64, 32)
    assert told["difference"]["field"] == "action"


def test_without_a_checkpoint_before_it_nothing_can_be_simulated(trained, capsys):
    assert trackway(["verify", str(only_run(trained).path), "--replay", "--at", "3"]) == 1
    assert "no whole checkpoint before" in capsys.readouterr().err
