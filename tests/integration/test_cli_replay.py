"""`trackway share`, `render` and `replay`, on what a real training has just recorded."""

import base64
import gzip
import re

import av
import numpy as np
import pytest
from PIL import Image
from tests.support.clock import FakeClock
from tests.support.go1_runs import short_go1_run

from trackway.cli.main import main
from trackway.errors import RenderError
from trackway.replay.container import unpack
from trackway.replay.film import posed
from trackway.replay.library import Library
from trackway.replay.share import BUILT, share_page
from trackway.replay.watch import check_screen, loop


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return short_go1_run(tmp_path_factory.mktemp("runs") / "walk", num_envs=2, rows=96)


def _built(folder):
    folder.mkdir()
    (folder / "player.js").write_text("window.played = '</script>'")
    (folder / "player.css").write_text("body { margin: 0 }")
    return folder


def test_a_shared_page_holds_everything_and_asks_for_nothing(run, tmp_path):
    page = share_page(Library(run), "0", _built(tmp_path / "built")).decode()
    parts = dict(re.findall(r'<script type="text/plain" id="(\w+)">([^<]*)</script>', page))
    opened = {
        name: unpack(
            gzip.decompress(base64.b64decode(text)), b"TWSC" if name == "scene" else b"TWEP", 1
        )[0]
        for name, text in parts.items()
    }

    assert set(opened) == {"episode", "scene", "columns"}
    assert opened["episode"]["facts"]["number"] == 0
    assert {"torque", "qvel", "action"} <= {c["name"] for c in opened["columns"]["channels"]}
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=", page)
    assert "window.played = '<\\/script>'" in page


def test_what_is_not_built_is_said(run, tmp_path):
    with pytest.raises(RenderError, match="run scripts/build-web"):
        share_page(Library(run), "0", tmp_path)


@pytest.mark.skipif(not (BUILT / "player.js").exists(), reason="the player is not built")
def test_the_command_writes_a_page_of_less_than_a_megabyte(run, tmp_path, capsys):
    target = tmp_path / "page.html"

    assert main(["share", str(run), "--episode", "best", "-o", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert 100_000 < target.stat().st_size < 1_000_000


def test_an_episode_becomes_a_video_a_gif_and_a_picture_at_true_speed(run, tmp_path):
    steps = len(posed(Library(run), "0")[1])
    for name in ("a.mp4", "a.gif", "a.png"):
        arguments = ["render", str(run), "--episode", "0", "-o", str(tmp_path / name)]
        assert main([*arguments, "--size", "160x120", "--fps", "25"]) == 0
    with av.open(str(tmp_path / "a.mp4")) as video:
        video_s = float(video.streams.video[0].duration * video.streams.video[0].time_base)
    with Image.open(tmp_path / "a.gif") as gif:
        lasts_ms = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            lasts_ms.append(gif.info["duration"])
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture)

    assert video_s == pytest.approx(steps * 0.02, abs=0.05)
    assert sum(lasts_ms) / 1000 == pytest.approx(steps * 0.02, abs=0.05)
    assert pixels.shape == (120, 160, 3)
    assert pixels.std() > 10


def test_drawn_models_are_as_they_were_randomised(run):
    library = Library(run)
    start = library.trajectory(library.index[1]).start
    model, _, step_s = posed(library, "1")
    told = dict(zip(*start["overrides"]["body_mass"].values(), strict=True))

    assert step_s == pytest.approx(0.02)
    assert [model.body_mass[i] for i in told] == list(told.values())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["render", "-o", "film.avi"], "should end in one of .mp4, .gif, .png"),
        (["render", "--size", "big"], "is no size"),
        (["render", "--episode", "77777"], "there is no episode 77777"),
        (["share", "--episode", "what"], "there is no episode 'what'"),
    ],
)
def test_bad_wishes_are_answered_in_one_sentence(run, capsys, arguments, says):
    command, *rest = arguments

    assert main([command, str(run), *rest]) == 1
    assert says in capsys.readouterr().err


def test_without_a_screen_replay_says_what_would_do(run, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert main(["replay", str(run), "--episode", "0"]) == 1
    assert "there is no screen here" in capsys.readouterr().err
    check_screen({"DISPLAY": ":0"}, "linux")
    check_screen({}, "darwin")


def test_the_viewer_is_shown_every_state_at_its_time(run):
    import mujoco

    model, qpos, step_s = posed(Library(run), "0")
    data, clock, seen = mujoco.MjData(model), FakeClock(), []

    class Window:
        def is_running(self):
            return len(seen) < 4 * len(qpos) + 60

        def sync(self):
            seen.append(data.qpos.copy())

    loop(Window(), model, data, qpos, step_s, clock)
    shown = [int(np.flatnonzero((qpos == state).all(axis=1))[0]) for state in seen]

    assert shown[0] == 0
    assert set(shown) == set(range(len(qpos)))
    assert shown.index(len(qpos) - 1) < len(shown) - 1
    assert 0 in shown[len(qpos) :]
