"""`trackway export` and `trackway import`, as a person runs them."""

from pathlib import Path

import pytest
from tests.support.recorded import make_run, record_attempt

from trackway.cli.main import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    record_attempt(make_run(tmp_path / "models" / "walk").path, 100)
    return tmp_path


def test_what_was_exported_can_be_imported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "walk", "--to", "tensorboard"]) == 0
    (path,) = capsys.readouterr().out.split()
    assert path.startswith("walk-tensorboard/events.out.tfevents")
    assert main(["import", "walk-tensorboard", "--name", "again"]) == 0
    folder = capsys.readouterr().out.strip()
    assert folder.startswith("models/")
    assert folder.endswith("-again")
    assert main(["export", "again", "--to", "csv", "--out", "tables"]) == 0
    assert "train/loss" in (here / "tables/updates.csv").read_text().splitlines()[0]


def test_a_wrong_wish_gets_one_sentence(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, says in (
        (["export", "walk", "--to", "mcap", "--env", "x"], "--env takes numbers, or: all"),
        (["export", "nobody", "--to", "csv"], "no run in models is called 'nobody'"),
        (["import", "models"], "neither TensorBoard's event files"),
    ):
        assert main(words) == 1
        told = capsys.readouterr().err
        assert says in told
        assert told.count("\n") == 1
