import fcntl
import os
import subprocess
import sys

import orjson
import pytest

from trackway.errors import RenderError
from trackway.replay import child
from trackway.replay.job import RenderJob, new_folder


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job's folder, named on the command line as in a child process; nobody's niceness changes."""
    folder = tmp_path / "job"
    folder.mkdir()
    content = {"path": str(tmp_path / "out" / "drawing"), "in_turn": True}
    (folder / child.JOB).write_bytes(orjson.dumps(content))
    monkeypatch.setattr(sys, "argv", ["child", str(folder)])
    monkeypatch.setattr(child, "step_back", lambda niceness: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return folder


def test_what_was_drawn_is_published_and_the_folder_removed(job, tmp_path):
    assert child.run(lambda folder: folder.name.encode()) == 0

    assert (tmp_path / "out" / "drawing").read_bytes() == b"job"
    assert not job.exists()


def test_a_failure_is_a_sentence_and_no_file(job, tmp_path, capsys):
    def draw(_):
        raise RenderError("the pencil is broken")

    assert child.run(draw) == 1

    assert capsys.readouterr().err.endswith("\nthe pencil is broken\n")
    assert not (tmp_path / "out").exists()
    assert not job.exists()


def test_one_drawing_at_a_time(job, tmp_path):
    def draw(_):
        handle = os.open(tmp_path / f"trackway-drawing-{os.getuid()}.lock", os.O_RDWR)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(handle)
        return b""

    assert child.run(draw) == 0


def test_a_job_of_another_kind_does_not_wait_for_it(job):
    asked = []

    def draw(folder):
        again = job.parent / "again"
        again.mkdir()
        (again / child.JOB).write_bytes((job / child.JOB).read_bytes())
        sys.argv[1] = str(again)
        asked.append(child.run(lambda _: b"answer", "question"))
        return b""

    assert child.run(draw) == 0
    assert asked == [0]


def test_a_child_that_dies_at_once_is_reported_and_its_folder_removed(tmp_path):
    folder = new_folder()
    job = RenderJob(tmp_path / "a.mp4", folder, "trackway.no_such_module")

    with pytest.raises(RenderError, match=r"a\.mp4 was not drawn: .*no_such_module"):
        job.wait(60)
    assert not folder.exists()


def test_a_child_steps_back_behind_everybody():
    # A process of its own: nobody can become less nice and then nicer again.
    program = """
import os
from trackway.recorder.child import step_back
step_back(19)
print(os.getpriority(os.PRIO_PROCESS, 0))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "19"
