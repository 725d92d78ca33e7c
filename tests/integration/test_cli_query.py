"""`trackway query`, as a person runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from tests.support.recorded import make_run, record_attempt

from trackway.cli.main import main


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    record_attempt(make_run(folder / "good").path, 100)
    record_attempt(make_run(folder / "bad").path, 20)
    for segment in (folder / "bad").rglob("steps/*.seg"):
        segment.write_bytes(b"nothing of a segment")
    return folder


@pytest.fixture
def trackway(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*args: str | Path) -> Done:
        status = main([*map(str, args)])
        return Done(status, *capsys.readouterr())

    return run


def test_an_answer_is_printed_as_a_table_and_who_is_left_out_is_said(
    models: Path, trackway: Command
) -> None:
    done = trackway("query", "SELECT run, count(*) AS steps FROM steps GROUP BY run", models)

    assert done.returncode == 0
    assert "good" in done.stdout
    assert "400" in done.stdout
    assert done.stderr.startswith("trackway: bad is left out:")
    assert done.stderr.count("\n") == 1


def test_an_answer_is_written_in_the_format_of_the_files_name(
    models: Path, tmp_path: Path, trackway: Command
) -> None:
    for name in ("a.csv", "a.json", "a.parquet"):
        path = tmp_path / name
        done = trackway("query", "SELECT run, env FROM episodes", models, "--out", path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pl.read_csv(tmp_path / "a.csv").height == 8
    assert len(json.loads((tmp_path / "a.json").read_bytes())) == 8
    assert pl.read_parquet(tmp_path / "a.parquet").columns == ["run", "env"]
    refused = trackway("query", "SELECT 1", models, "--out", tmp_path / "a.txt")
    assert (refused.returncode, "--format" in refused.stderr) == (1, True)
    refused = trackway("query", "SELECT 1", models, "--out", "/proc/a.csv")
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "/proc" in refused.stderr


def test_a_wrong_question_gets_one_sentence(models: Path, trackway: Command) -> None:
    done = trackway("query", "SELECT nothing FROM runs", models)

    assert done.returncode == 1
    assert done.stderr.startswith('trackway: Referenced column "nothing" not found')
    assert done.stderr.count("\n") == 1


def test_a_folder_without_runs_is_said(tmp_path: Path, trackway: Command) -> None:
    done = trackway("query", "SELECT 1", tmp_path / "nothing")

    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a folder" in done.stderr
