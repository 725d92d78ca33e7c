import shlex
import sys
from pathlib import Path

from go1.training.commands import join, python, train_command


def test_an_activated_environment_needs_no_path_to_python(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert python() == "python"

    monkeypatch.delenv("VIRTUAL_ENV")
    assert shlex.split(python())[0].startswith(("/", ".venv"))


def test_paths_below_the_current_folder_are_written_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert join([tmp_path / "models" / "a b.zip"]) == "'models/a b.zip'"
    assert join([Path("/elsewhere/x.zip")]) == "/elsewhere/x.zip"


def test_a_command_survives_a_shell_with_korean_and_spaces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Path("모델 폴더/it's.zip")

    words = shlex.split(train_command("--run", "train", "--model_path", model, "--seed", 3))

    assert words[-5:] == ["train", "--model_path", str(model), "--seed", "3"]
    assert Path(words[1]).name == "train.py"
    assert (tmp_path / words[1]).is_file()
