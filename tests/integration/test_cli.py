import json
import subprocess
import sys
from pathlib import Path

import pytest

from trackway import Recorder, files
from trackway.cli.main import main
from trackway.run import RunFolder, create_run, new_manifest, write_manifest


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name, how in (("first", "finished"), ("[bold]둘째", "running")):
        run = create_run(tmp_path / "models", name)
        manifest = new_manifest(command=["train.py", "--run", "train"], config={"seed": 3})
        write_manifest(run, manifest | {"status": how, "timesteps": 1200})
        files.publish(run.checkpoints / "checkpoint_20250101_120000.zip", b"a model")
        files.publish(run.realtime_data / "episodes" / "episodes_20250101_120000.json", b"[]")
    return tmp_path / "models"


def test_the_command_is_installed_and_tells_its_version():
    said = subprocess.run(
        [Path(sys.executable).with_name("trackway"), "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.startswith("trackway 0.")


def test_runs_lists_every_run_with_its_status(models, capsys):
    assert main(["runs", str(models)]) == 0

    said = capsys.readouterr().out
    assert "first" in said
    assert "finished" in said
    assert "[bold]둘째" in said
    assert "1,200" in said


def test_runs_as_json_is_for_programs(models, capsys):
    assert main(["runs", str(models), "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    assert {row["status"] for row in rows} == {"running", "finished"}
    assert all(row["checkpoints"] == 1 for row in rows)


def test_of_many_runs_the_newest_are_shown_and_the_others_counted(tmp_path, capsys):
    for number in range(103):
        run = create_run(tmp_path, f"run{number:03d}")
        write_manifest(run, new_manifest(command=[], config={}) | {"status": "finished"})

    assert main(["runs", str(tmp_path)]) == 0
    newest = capsys.readouterr().out
    assert main(["runs", str(tmp_path), "--all"]) == 0
    everything = capsys.readouterr().out

    assert "3 older runs are not shown: --all shows them" in " ".join(newest.split())
    assert "run002" not in newest
    assert "run003" in newest
    assert "run102" in newest
    assert "run002" in everything
    assert "not shown" not in everything


def test_a_run_that_a_recorder_made_alone_answers_to_its_name(tmp_path, capsys):
    with Recorder(tmp_path / "my_run") as recorder:
        recorder.records("events").append({"event": "start"})

    for command in (["streams"], ["tail"], ["show"], ["note", "--tag", "good"], ["pin"]):
        stream = ["events"] if command == ["tail"] else []
        assert main([*command, "my_run", *stream, "--models", str(tmp_path)]) == 0, command
    assert "finished" in capsys.readouterr().out


def test_show_tells_what_one_run_left(models, capsys):
    assert main(["show", "first", "--models", str(models), "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["records"] == {"episodes": 1}
    assert told["newest_checkpoint"].endswith("checkpoint_20250101_120000.zip")
    assert told["manifest"]["config"] == {"seed": 3}


def test_show_counts_the_files_of_each_kind(models, capsys):
    assert main(["show", "first", "--models", str(models)]) == 0

    assert "JSON files  1 episodes" in capsys.readouterr().out


def test_a_list_of_runs_fits_a_terminal_of_eighty_columns(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    run = tmp_path / "2025-01-01_12-00-00-resumed_experiment"
    write_manifest(RunFolder(run), new_manifest(command=[], config={}) | {"status": "interrupted"})

    assert main(["runs", str(tmp_path)]) == 0

    said = capsys.readouterr().out
    assert "…" not in said
    assert "return success" in said
    assert "interrupted" in said


def test_a_damaged_manifest_is_one_row_and_hides_no_other_run(models, capsys):
    next(models.glob("*first")).joinpath("run.json").write_text("{")

    assert main(["runs", str(models)]) == 0

    said = capsys.readouterr().out
    assert "damaged" in said
    assert "running" in said


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["runs", "no/such/folder"], "is not a folder"),
        (["show", "latest", "--models", "no/such/folder"], "is not a folder"),
        (["plot", "latest", "--models", "no/such/folder"], "is not a folder"),
        (["clean", "no/such/folder", "--full_days", "1"], "is not a folder"),
        (["show", "third"], "no run in"),
        (["show", "../../etc/passwd"], "no run in"),
    ],
)
def test_what_cannot_be_found_is_one_sentence_and_status_1(models, capsys, argv, sentence):
    if argv[0] == "show":
        argv = ["show", "--models", str(models), *argv[1:]]

    assert main(argv) == 1

    said = capsys.readouterr()
    assert sentence in " ".join(said.err.split())
    assert said.out == ""
