"""Where `train.py` begins, settled before anything is made or changed."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from tests.support.programs import only_run
from tests.support.trainings import records

from go1.training.arguments import parse
from go1.training.main import main
from go1.training.start import Finished, Start, find_start, make_room
from trackway.cli.main import main as trackway
from trackway.errors import RunError, TrackwayError
from trackway.run import RunFolder, hold, read_manifest, status, write_manifest

SMALL = (  # noqa: SIM905 - as it is typed
    "--run train --run_name small --num_parallel_envs 2 --n_steps 16 --batch_size 32 "
    "--physics upstream --vec_env dummy --save_frequency 16 --checkpoint_frequency 32 "
    "--eval_frequency 100_000 --video_interval 1_000_000"
).split()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a run that ended at timestep 128."""
    cwd = tmp_path_factory.mktemp("trained")
    assert main([*SMALL, "--total_timesteps", "128", "--models", str(cwd / "models")]) == 0
    return cwd


@pytest.fixture
def run(trained, tmp_path, monkeypatch) -> RunFolder:
    """A copy of it that calls itself running: a run that crashed."""
    shutil.copytree(trained / "models", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    run = RunFolder(Path("models") / only_run(tmp_path).name)
    manifest = read_manifest(run)
    manifest |= {"status": "running", "process": {"pid": 1, "started_unix": 0.0}}
    write_manifest(run, manifest)
    return run


def settle(*flags: object) -> Start | Finished:
    argv = [*SMALL, "--total_timesteps", "1000", *map(str, flags)]
    return find_start(parse(argv), argv, Path("models"), None)


def test_a_run_goes_on_from_its_newest_checkpoint(run):
    found = settle("--resume", run.path)

    assert status(read_manifest(run)) == "crashed"
    assert found.run == run
    assert found.origin.timestep == 128
    # The code under test may well differ from the last commit.
    assert {d.what for d in found.differences} <= {"train.total_timesteps", "code"}


def test_the_earlier_systems_layout_is_gone_on_with_and_said_to_be_inexact(run):
    folder = run.path / "checkpoints" / "checkpoint_20250101_120000"
    folder.mkdir()
    with (
        zipfile.ZipFile(run.final_model) as ours,
        zipfile.ZipFile(folder / "model.zip", "w") as plain,
    ):
        for name in ours.namelist():
            if not name.startswith("trackway/"):
                plain.writestr(name, ours.read(name))
    (folder / "checkpoint_meta.json").write_text('{"timestep": 96}')

    found = settle("--model_path", folder)

    assert (found.origin.resumes, found.origin.timestep) == (True, 96)
    assert "Stable-Baselines3 alone" in found.origin.inexact_because[0]
    assert found.differences == []  # of what it does not tell nothing is said


def test_a_final_model_goes_on_and_is_said_to_be_inexact(run):
    found = settle("--model_path", run.final_model)

    assert found.origin.timestep == 128
    assert "holds the policy" in found.origin.inexact_because[0]


def test_auto_resume_finds_the_newest_run_of_that_name_or_begins_one(run):
    assert settle("--auto_resume").run == run
    assert settle("--auto_resume", "--run_name", "other").run is None
    assert settle("--auto_resume", "--run_name", "mall").run is None


def test_auto_resume_of_a_finished_run_has_nothing_left_to_do(run):
    write_manifest(run, read_manifest(run) | {"status": "finished", "timesteps": 1000})

    assert settle("--auto_resume") == Finished(run, 1000)
    with pytest.raises(RunError, match="larger --total_timesteps"):
        settle("--resume", run.path)
    assert settle("--resume", run.path, "--total_timesteps", 2000).run == run


def test_auto_resume_wants_a_name(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["--run", "train", "--auto_resume"]) == 1
    assert "--run_name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--learning_rate", "1e-4"), "ppo.learning_rate was [0.001, 0.0005], is 0.0001"),
        (("--num_parallel_envs", 3), "running episodes are given up"),
        (("--seed", 7), "train.seed was 0, is 7"),
    ],
)
def test_another_training_is_refused_in_the_same_run_unless_forced(run, flags, says):
    with pytest.raises(RunError, match="--force") as refusal:
        settle("--resume", run.path, *flags)

    assert says in str(refusal.value)
    assert "trackway fork" in str(refusal.value)
    found = settle("--resume", run.path, "--force", *flags)
    assert any(says in str(difference) for difference in found.differences)


def test_in_a_run_of_its_own_a_change_is_said_and_not_refused(run):
    checkpoint = max(run.checkpoints.glob("*.zip"))

    found = settle("--model_path", checkpoint, "--learning_rate", "1e-4")

    assert found.run is None
    assert "ppo.learning_rate" in [difference.what for difference in found.differences]


def test_versions_processor_and_code_that_changed_are_said_and_do_not_stop(run):
    manifest = read_manifest(run)
    manifest["attempts"][-1] |= {
        "versions": {"torch": "1.0.0"},
        "machine": {"cpu": "Abacus"},
        "git": {"commit": "0" * 40, "dirty": False},
    }
    write_manifest(run, manifest)

    found = settle("--resume", run.path)

    assert {"torch", "cpu"} <= {difference.what for difference in found.differences}


def test_a_run_that_trains_is_left_alone(run):
    held = hold(run)
    try:
        with pytest.raises(RunError, match="is being trained by process 1"):
            settle("--resume", run.path)
    finally:
        held.release()
    assert settle("--resume", run.path).run == run


def test_without_a_whole_checkpoint_it_begins_anew_in_the_same_folder(run):
    for path in run.checkpoints.glob("*.zip"):
        path.write_bytes(path.read_bytes()[:-50])

    found = settle("--resume", run.path)

    assert found.origin is None
    assert len(found.damaged) == len(list(run.checkpoints.glob("*.zip"))) > 2
    assert make_room(found, run, 2) > 0
    assert records(run.realtime_data, "learning_metrics") == []
    assert list(run.checkpoints.iterdir()) == []
    assert list(run.set_aside(2).glob("checkpoints/*.zip"))


def test_show_prints_the_command_that_goes_on(run, capsys):
    assert trackway(["show", str(run.path), "--json"]) == 0

    assert f'"resume": "trackway resume {run.path}"' in capsys.readouterr().out


def test_a_run_that_does_not_say_how_it_is_started_is_refused(run, capsys):
    manifest = read_manifest(run)
    del manifest["program"]
    write_manifest(run, manifest)

    assert trackway(["resume", str(run.path)]) == 1
    assert "--resume RUN" in capsys.readouterr().err


def test_a_fork_before_the_first_checkpoint_is_refused(run, capsys):
    assert trackway(["fork", str(run.path), "--at", "1"]) == 1
    assert "no whole checkpoint at or before timestep 1" in capsys.readouterr().err


def test_the_settings_are_the_runs_own_whatever_became_of_the_file(run, tmp_path):
    config = tmp_path / "edited.toml"
    config.write_text("[ppo]\ngamma = 0.5\n")

    found = settle("--resume", run.path, "--config", config)

    assert found.settings.ppo["gamma"] == 0.99
    with pytest.raises(TrackwayError, match="is called"):
        settle("--resume", "nowhere")
