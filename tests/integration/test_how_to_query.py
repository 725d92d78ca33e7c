"""What docs/how-to/ask-your-runs.md shows works as it stands."""

import re
import shlex
from pathlib import Path

import pytest
from tests.support.recorded import make_run, record_attempt

from trackway.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs/how-to/ask-your-runs.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACKWAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    record_attempt(make_run(tmp_path / "models" / "a").path, 100)
    return tmp_path


def test_every_question_of_the_page_is_answered(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = [line for _, block in BLOCKS for line in block.splitlines()]
    questions = [line for line in lines if line.startswith("trackway query")]

    assert len(questions) > 3
    for question in questions:
        # The ball of these runs has no feet.
        words = shlex.split(question.replace("foot_force_0", "torque_0"))
        assert main(words[1:]) == 0, capfd.readouterr().err
    assert (here / "returns.csv").read_text().startswith("run,timestep,mean\n")


def test_the_programs_of_the_page_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    programs = [b for kind, b in BLOCKS if kind == "python" or b.startswith("import polars")]

    assert len(programs) == 2
    for program in programs:
        exec(compile(program, "ask-your-runs.md", "exec"), {})
    told = capsys.readouterr().out
    assert told.startswith("a finished")
    assert "9.0 1230000" in told
