import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.clock import FakeClock

from trackway.probes.system import ProcessProbe, git_state, program_folder, resume_command, versions


def test_memory_and_processor_are_of_this_process():
    clock = FakeClock()
    probe = ProcessProbe(clock)
    sum(range(3_000_000))
    clock.advance(1.0)

    found = probe.read()

    assert 10 < found["memory_usage_mb"] < 100_000
    assert found["cpu_percent"] > 0


def test_versions_name_what_is_installed_and_nothing_else():
    found = versions()

    assert found["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert {"trackway", "numpy", "torch"} <= found.keys()


def test_the_resume_command_names_interpreter_and_script_and_survives_a_shell(
    tmp_path, monkeypatch
):
    script = tmp_path / "my project" / "train.py"
    script.parent.mkdir()
    script.write_text("import sys; print(sys.argv[1:])")
    monkeypatch.setattr(sys, "argv", [str(script)])

    command = resume_command(Path("/runs/it's mine/checkpoint.zip"), 5_000_000)

    said = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout
    model_path = "/runs/it's mine/checkpoint.zip"
    expected = ["--run", "train", "--model_path", model_path, "--total_timesteps", "5000000"]
    assert said.strip() == str(expected)
    assert shlex.split(command)[0] == sys.executable


def test_without_a_train_script_the_instructions_say_what_to_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["-c"])

    assert "PPO.load('/a.zip'" in resume_command(Path("/a.zip"), None)


def test_the_program_lies_where_its_script_does(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    script = tmp_path / "elsewhere" / "mine.py"
    script.touch()
    monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program_folder() == script.parent
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert program_folder() == tmp_path


def test_git_state_tells_commit_and_changes(tmp_path):
    def git(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    assert git_state(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "x")
    clean = git_state(tmp_path)
    (tmp_path / "file").write_text("2")
    dirty = git_state(tmp_path)

    assert clean is not None
    assert dirty is not None
    assert (len(clean["commit"]), clean["dirty"], dirty["dirty"]) == (40, False, True)
