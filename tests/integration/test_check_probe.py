"""`trackway check-probe`, and the how-to that leads there."""

import re
from pathlib import Path

import pytest

from trackway.cli.main import main

HOW_TO = Path(__file__).parents[2] / "docs/how-to/add-a-probe.md"


@pytest.fixture
def the_how_tos_probe(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)[1]
    (tmp_path / "pole_probe_of_the_how_to.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "pole_probe_of_the_how_to:PoleProbe"


def test_the_probe_of_the_how_to_is_good_and_ten_lines_long(the_how_tos_probe, capsys, tmp_path):
    assert main(["check-probe", the_how_tos_probe, "--env", "CartPole-v1"]) == 0
    assert "is good" in capsys.readouterr().out
    code = (tmp_path / "pole_probe_of_the_how_to.py").read_text()
    assert len([line for line in code.splitlines() if line]) <= 10


@pytest.mark.parametrize(
    ("probe", "env", "said"),
    [
        ("tests.contracts.test_probes:_Faulty", "CartPole-v1", "raises TypeError"),
        ("tests.contracts.test_probes:_Lonely", "CartPole-v1", "cannot be loaded"),
        ("nowhere.to_be_found:X", "CartPole-v1", "No module named"),
        ("nothing", "CartPole-v1", "write it as package.module:Name"),
        ("tests.integration.test_check_probe:bad_probe", "CartPole-v1", "'half' is not written"),
        ("tests.integration.test_check_probe:bad_probe", "NoSuch-v1", "no environment"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(probe, env, said, capsys):
    assert main(["check-probe", probe, "--env", env]) == 1
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def bad_probe(env):
    from tests.contracts.test_probes import _Faulty

    return _Faulty()
