import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image
from tests.support.sliding_ball import BALL
from tests.support.videos import decode

from trackway.errors import RenderError
from trackway.replay.render import FrameFile, render_video

WAIT_S = 100


@pytest.fixture
def model():
    return mujoco.MjModel.from_xml_string(BALL)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where drawings keep what they need."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def left_behind(temporary: Path) -> list[str]:
    return [path.name for path in temporary.iterdir() if not path.name.endswith(".lock")]


def red(picture: np.ndarray) -> np.ndarray:
    """Columns in which the red ball is seen."""
    strongly = (picture[..., 0] > 60) & (picture[..., 1] < 0.5 * picture[..., 0])
    return np.flatnonzero(strongly.any(axis=0))


def test_a_video_shows_the_recorded_motion_at_its_speed(model, tmp_path, temporary):
    qpos = np.linspace(-0.5, 0.5, 10)[:, None]
    path = tmp_path / "videos" / "ball.mp4"

    job = render_video(model, qpos, path, step_s=0.05, width=96, height=64, camera="aside")

    assert job.wait(WAIT_S)
    pictures, instants = decode(path)
    centres = [red(picture).mean() for picture in pictures]
    assert instants == pytest.approx(np.arange(10) * 0.05)
    assert np.all(np.diff(centres) > 0)
    assert centres[0] < 48 < centres[-1]
    assert (job.poll(), job.error) == (True, None)
    assert left_behind(temporary) == []


def test_a_picture_tells_its_own_time(model, tmp_path, temporary):
    pictures = []
    for begin_s in (0.0, 1.5):
        path = tmp_path / f"{begin_s}.png"
        size = {"width": 320, "height": 240}
        job = render_video(model, np.zeros((1, 1)), path, step_s=0.05, begin_s=begin_s, **size)
        assert job.wait(WAIT_S)
        with Image.open(path) as picture:
            pictures.append(np.asarray(picture, int))
    rows, columns = np.nonzero(np.abs(pictures[1] - pictures[0]).sum(axis=2))

    assert len(rows) > 0
    assert rows.min() > 200
    assert columns.max() < 100


def test_an_odd_size_loses_a_pixel_and_captions_are_drawn(model, tmp_path, temporary):
    qpos = np.full((2, 1), 50.0)  # out of sight
    plain = render_video(model, qpos, tmp_path / "a.mp4", step_s=0.04, width=161, height=81)
    text = render_video(
        model,
        qpos,
        tmp_path / "b.mp4",
        step_s=0.04,
        width=161,
        height=81,
        captions=["fast", "slow"],
    )
    plain.wait(WAIT_S)
    text.wait(WAIT_S)

    without, with_text = decode(tmp_path / "a.mp4")[0], decode(tmp_path / "b.mp4")[0]

    assert without.shape == (2, 80, 160, 3)
    assert np.abs(without.astype(int) - with_text).max() > 60


@pytest.mark.parametrize(
    ("qpos", "arguments", "sentence"),
    [
        (np.zeros((3, 2)), {}, r"give \[T, 1\]"),
        (np.zeros((0, 1)), {}, r"give \[T, 1\]"),
        (np.zeros((3, 1)), {"step_s": 0.0}, "greater than 0"),
        (np.zeros((3, 1)), {"captions": ["a", "b"]}, "2 captions for 3 states"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_once(model, tmp_path, qpos, arguments, sentence):
    with pytest.raises(RenderError, match=sentence):
        render_video(model, qpos, tmp_path / "a.mp4", **({"step_s": 0.05} | arguments))


def test_without_opengl_the_job_fails_with_one_sentence(model, tmp_path, temporary, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "off")

    job = render_video(model, np.zeros((2, 1)), tmp_path / "a.mp4", step_s=0.05)

    with pytest.raises(RenderError, match=r"there is no OpenGL to draw with .*MUJOCO_GL"):
        job.wait(WAIT_S)
    assert "\n" not in str(job.error)
    assert not (tmp_path / "a.mp4").exists()
    assert left_behind(temporary) == []


def test_an_unknown_camera_is_answered_with_those_there_are(model, tmp_path, temporary):
    job = render_video(model, np.zeros((2, 1)), tmp_path / "a.mp4", step_s=0.05, camera="above")

    with pytest.raises(RenderError, match=r"no camera 'above'; it has \['aside'\]"):
        job.wait(WAIT_S)


def test_a_folder_that_cannot_be_made_fails_the_job_alone(model, tmp_path, temporary):
    (tmp_path / "file").write_bytes(b"")

    job = render_video(model, np.zeros((2, 1)), tmp_path / "file" / "a.mp4", step_s=0.05)

    with pytest.raises(RenderError, match="was not drawn"):
        job.wait(WAIT_S)


def test_frames_become_a_video_and_their_file_is_gone(tmp_path, temporary):
    frames = FrameFile()
    for grey in (0, 100, 200):
        assert frames.append(np.full((33, 48, 3), grey, dtype=np.uint8))

    job = frames.encode(tmp_path / "a.mp4", step_s=0.1)

    assert job.wait(WAIT_S)
    pictures, instants = decode(tmp_path / "a.mp4")
    assert instants == pytest.approx([0.0, 0.1, 0.2])
    assert pictures.shape == (3, 32, 48, 3)
    assert pictures.mean(axis=(1, 2, 3)) == pytest.approx([0, 100, 200], abs=6)
    assert left_behind(temporary) == []


def test_frames_beyond_the_bound_are_refused_and_take_no_room(temporary):
    picture = np.zeros((10, 10, 3), dtype=np.uint8)
    frames = FrameFile(max_bytes=2 * picture.nbytes + 10)

    kept = [frames.append(picture) for _ in range(4)]

    assert kept == [True, True, False, False]
    frames.discard()
    assert left_behind(temporary) == []


def test_a_drawing_outlives_the_process_that_asked_for_it(tmp_path, temporary):
    path = tmp_path / "ball.mp4"
    script = f"""
        import os, mujoco, numpy as np
        from pathlib import Path
        from trackway.replay.render import render_video
        model = mujoco.MjModel.from_xml_string({BALL!r})
        render_video(model, np.zeros((3, 1)), Path({str(path)!r}), step_s=.05, width=64, height=48)
        os._exit(9)
    """

    asked = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    end_s = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < end_s:
        time.sleep(0.05)

    assert asked.returncode == 9
    assert len(decode(path)[0]) == 3


def test_a_job_dropped_while_it_draws_warns_of_nothing_and_finishes(model, tmp_path, temporary):
    path = tmp_path / "a.mp4"

    render_video(model, np.zeros((2, 1)), path, step_s=0.05, width=64, height=48)

    end_s = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < end_s:
        time.sleep(0.05)
    assert path.exists()
