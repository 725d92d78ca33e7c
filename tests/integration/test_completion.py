"""`trackway completion`: the shell itself is asked what it would offer."""

import shutil
import subprocess

import pytest

from trackway.cli.main import main


@pytest.fixture
def offered(tmp_path, capsys):
    """What bash offers for a command line, in a folder with two runs."""
    for name in ("2025-01-01_12-00-00-walk", "2025-01-02_12-00-00 with spaces"):
        (tmp_path / "models" / name).mkdir(parents=True)
        (tmp_path / "models" / name / "run.json").touch()
    (tmp_path / "models" / "no run").mkdir()
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)

    def ask(*words):
        code = """
            shopt -s progcomp; source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            $(complete -p trackway | sed -E "s/.*-F ([^ ]+).*/\\1/") 2>/dev/null
            printf "%s\\n" "${COMPREPLY[@]}"
        """
        command = ["bash", "--norc", "-c", code, "bash", str(script), "trackway", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    return ask


def test_commands_and_options_complete(offered):
    assert offered("ver") == ["verify"]
    assert {"runs", "show", "tail", "streams", "completion"} <= set(offered(""))
    assert offered("tail", "--fo") == ["--follow"]
    assert offered("completion", "z") == ["zsh"]


def test_names_of_runs_complete_also_those_with_spaces(offered):
    assert offered("show", "2025") == [
        "2025-01-01_12-00-00-walk",
        "2025-01-02_12-00-00 with spaces",
    ]
    assert offered("verify", "la") == ["latest"]
    assert offered("tail", "mod") == ["models"]
    assert offered("runs", "mod") == ["models"]
    assert offered("tail", "latest", "--models", "mod") == ["models"]


def test_the_script_for_zsh_is_one(capsys, tmp_path):
    assert main(["completion", "zsh"]) == 0
    said = capsys.readouterr().out

    assert said.startswith("#compdef trackway")
    assert "_trackway_runs()" in said
    if shutil.which("zsh"):
        (tmp_path / "_trackway").write_text(said)
        subprocess.run(["zsh", "-n", str(tmp_path / "_trackway")], check=True)
