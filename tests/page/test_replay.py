"""From a training to its robot on the screen: in Chromium, with what a training has just recorded.

WebGL is drawn by the processor here; the built page is needed (`scripts/build-web`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import mujoco
import numpy as np
import pytest
from tests.support.browser import AXE, CHROMIUM, axe_violations, chromium, until
from tests.support.dashboard import serving
from tests.support.go1_runs import short_go1_run
from tests.support.sliding_ball import SlidingBall

from trackway import Recorder, read_records
from trackway.dashboard.static import BUILT, StaticFiles
from trackway.gymnasium import RecordEnv
from trackway.replay.episodes import EpisodeIndex, Window
from trackway.replay.film import posed
from trackway.replay.library import Library
from trackway.replay.share import BUILT as PLAYER
from trackway.replay.share import share_page
from trackway.run import RunFolder, new_manifest, write_manifest
from trackway.storage.places import scenes_folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium"),
    pytest.mark.skipif(not (BUILT / "index.html").exists(), reason="the page is not built"),
    pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed"),
    # Two cores that draw and train besides.
    pytest.mark.timeout(300),
]
STAGE = "document.querySelector('.viewer canvas')"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = short_go1_run(tmp_path_factory.mktemp("models") / "walk", checkpoint_every=256)
    write_manifest(RunFolder(path), new_manifest(command=["train.py"], config={}))
    return path


@pytest.fixture(scope="module")
def site(run):
    with serving(run.parent, StaticFiles(), drive="tests.support.standing:drive") as site:
        yield site


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser):
    context = browser.new_context(locale="en-GB", viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    assert page.faults == []
    context.close()


def _open(page, site, address):
    page.goto(f"{site.url}#/run/walk/{address}")
    page.wait_for_selector(".transport", timeout=60_000)
    page.wait_for_selector(".viewer canvas[data-drawn]", timeout=60_000)


def _time(page) -> float:
    found = re.match(r"([\d.]+) /", page.locator(".clock").inner_text())
    assert found
    return float(found[1])


def test_a_click_on_a_curve_leads_to_the_robot_that_moves(page, site, run):
    page.goto(f"{site.url}#/run/walk/live")
    chart = page.locator("section.chart", has_text="Return").first.locator(".u-over")
    chart.wait_for(timeout=60_000)
    chart.click(position={"x": chart.bounding_box()["width"] * 0.6, "y": 20})
    page.wait_for_selector(".viewer canvas[data-drawn]", timeout=60_000)
    drawn = int(page.locator(".viewer canvas").get_attribute("data-drawn"))
    page.wait_for_timeout(1500)

    assert "/episode/median" in page.url
    assert "from=" in page.url
    assert int(page.locator(".viewer canvas").get_attribute("data-drawn")) > drawn
    reward = page.locator(".facts dd", has_text=re.compile(r"^\D?\d")).first
    assert reward.is_visible()
    assert page.evaluate(f"{STAGE}.stage.low") is True


def test_keyboard_and_mouse_move_the_playhead(page, site, run):
    _open(page, site, "episode/0?t=0")
    read = page.get_by_role("group", name="Reward in each step").locator(".keys-of-plot b").last
    assert read.inner_text() == "\N{EN DASH}"
    page.locator("#content").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert _time(page) == pytest.approx(0.04)
    library = Library(run)
    reward = library.trajectory(library.index.find("0")).columns["reward"]
    assert float(read.inner_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(
        reward[1], abs=0.002
    )
    page.keyboard.press("ArrowLeft")
    assert _time(page) == pytest.approx(0.02)
    page.keyboard.press("+")
    assert page.locator(".transport select").input_value() == "2"
    page.keyboard.press(" ")
    assert page.get_by_role("button", name="Pause").is_visible()
    page.keyboard.press(" ")

    plot = page.locator(".columns-plot .u-over").first
    box = plot.bounding_box()
    plot.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    middle = _time(page)
    lanes = page.locator(".lanes-over")
    box = lanes.bounding_box()
    lanes.click(position={"x": box["width"] * 0.25, "y": 5})
    assert _time(page) < middle
    page.locator(".scrub").focus()
    page.keyboard.press("End")
    assert _time(page) == pytest.approx(
        float(page.locator(".scrub").get_attribute("max")), abs=0.01
    )
    # A button takes its own space; elsewhere it plays.
    page.get_by_role("button", name="Best", exact=True).focus()
    page.keyboard.press(" ")
    page.wait_for_selector(".choice button[aria-pressed=true] >> text=Best")


def test_the_address_keeps_the_view(page, site):
    _open(page, site, "episode/1?t=0.1&with=best&align=touchdown")

    assert _time(page) == pytest.approx(0.1)
    assert page.evaluate(f"{STAGE}.stage.actors.length") == 2
    assert page.locator(".labels b").first.inner_text() == "#1"
    page.get_by_role("button", name="Without ghosts").click()
    until(page, f"{STAGE}.stage.actors.length === 1")
    assert "with=" not in page.url


def test_another_checkpoints_policy_acts_beside_what_was_recorded(page, site):
    _open(page, site, "episode/worst?t=0")
    page.locator(".what-if summary").click()
    page.get_by_label("Who acts").select_option(index=1)
    page.get_by_role("button", name="Simulate").click()
    page.get_by_text("With this policy: tired after 1.00 s.").wait_for(timeout=60_000)

    assert page.evaluate(f"{STAGE}.stage.actors.length") == 2
    assert "if=policy%3Acheckpoint_" in page.url
    assert page.locator(".scrub").get_attribute("max") == "1"


POSES = f"""{STAGE}.stage.actors.map(a =>
  a.bodies.flatMap(b => [...b.position.toArray(), ...b.quaternion.toArray()]))"""


def test_what_if_from_here_coincides_with_the_robot_until_then(page, site):
    """Other friction, pushed, from the playhead on, by keyboard; the address holds the question."""
    _open(page, site, "episode/worst?t=0.2")
    page.locator("#content").focus()
    page.keyboard.press("w")
    until(page, "document.activeElement?.type === 'number'")
    assert page.get_by_label("From, s").input_value() == "0.2"
    page.get_by_label("Push along y").fill("1.5")
    page.keyboard.press("Enter")
    page.get_by_text("As recorded to the last bit until 0.20 s").wait_for(timeout=60_000)
    page.get_by_role("button", name="Pause").click()

    assert "if=from%3A0.2,push_y%3A1.5" in page.url
    for time, same in (("0.1", True), ("0.2", True), ("0.24", False)):
        page.locator(".scrub").evaluate(
            "(bar, time) => { bar.value = time; bar.dispatchEvent(new Event('input')) }", time
        )
        robot, ghost = page.evaluate(POSES)
        assert (robot == ghost) is same
    page.goto("about:blank")
    page.goto(f"{site.url}#/run/walk/episode/worst?t=0.3&if=from:0.2")
    page.get_by_text("As recorded to the last bit until 0.20 s").wait_for(timeout=60_000)
    until(page, f"{STAGE}.stage.actors.length === 2")
    robot, ghost = page.evaluate(POSES)
    assert robot == ghost


@pytest.mark.parametrize(
    ("locale", "says", "scheme"),
    [("en-GB", "Contact forces", "light"), ("ko-KR", "접촉력", "dark")],
)
def test_the_page_is_accessible_in_both_languages_and_colours(browser, site, locale, says, scheme):
    context = browser.new_context(locale=locale, color_scheme=scheme)
    page = context.new_page()
    _open(page, site, "episode/worst?t=0.2")
    page.locator(".what-if summary").click()

    assert page.get_by_text(says).first.is_visible()
    assert axe_violations(page) == []
    page.set_viewport_size({"width": 390, "height": 900})
    until(page, "document.documentElement.scrollWidth <= 390")  # once it is drawn anew
    if scheme == "light":
        for address, ready in (("gallery", ".gallery li"), ("evolution", ".evolution li")):
            page.goto(f"{site.url}#/run/walk/{address}")
            page.wait_for_selector(ready, timeout=60_000)
            assert axe_violations(page) == []
        until(page, "document.querySelectorAll('.labels span:not([hidden])').length > 1")
        named = page.locator(".labels b").all_inner_texts()
        assert named == ["100 %", "60 %", "30 %", "10 %", "1 %"]
    context.close()


def test_a_gallery_shows_those_that_ended_so(page, site, run):
    fell = len(EpisodeIndex(run).numbers(Window(), reason="fell"))
    page.goto(f"{site.url}#/run/walk/gallery?reason=fell")
    page.wait_for_selector(".gallery li", timeout=60_000)

    assert page.locator(".gallery li").count() == min(50, fell)
    until(
        page,
        "[...document.querySelectorAll('.gallery canvas')].some(c =>"
        " c.getContext('2d').getImageData(100, 80, 1, 1).data[3] > 0)",
    )
    page.locator(".gallery a").first.click()
    page.wait_for_selector(".fall h2", timeout=60_000)
    assert "fell" in page.locator(".fall h2").inner_text()


def test_a_cell_of_the_terminations_leads_to_its_gallery(page, site, run):
    records = read_records(run, "episodes")
    fell = [r for r in records if r["termination_reason"] == "fell"]
    env = fell[0]["env"]
    page.goto(f"{site.url}#/run/walk/terminations?reason=fell")
    page.locator(".cells li").nth(env).locator("a").click()
    page.wait_for_selector(".gallery li", timeout=60_000)

    assert page.locator(".gallery li").count() == sum(r["env"] == env for r in fell)
    page.get_by_role("button", name=f"environment {env}").click()
    until(page, f"document.querySelectorAll('.gallery li').length === {min(50, len(fell))}")

    shown = 0
    page.goto(f"{site.url}#/run/walk/terminations?reason=fell")
    page.wait_for_selector(".bars a")
    for way in [a.get_attribute("href") for a in page.locator(".bars").first.locator("a").all()]:
        page.goto("about:blank")  # else the gallery before may still be there
        page.goto(site.url + way)
        page.wait_for_selector(".gallery li", timeout=60_000)
        shown += page.locator(".gallery li").count()
    assert shown == len(fell)


def test_a_checkpoint_leads_to_the_episodes_it_produced(page, site, run):
    page.goto(f"{site.url}#/run/walk/checkpoints")
    page.locator("td.name button").last.click()
    row = page.locator("tr.current .num").first.inner_text()
    page.locator(".ways").get_by_text("Gallery").click()
    page.wait_for_selector(".gallery li", timeout=60_000)
    window = re.search(r"from=(\d+)&to=(\d+)", page.url)
    begin, end = int(window[1]), int(window[2])

    assert begin == int(row)
    assert end - begin == 256
    produced = EpisodeIndex(run).numbers(Window(begin, end))
    assert page.locator(".gallery li").count() == len(produced) > 0
    page.go_back()
    page.locator(".ways").get_by_text("Worst").click()
    page.wait_for_selector(".viewer canvas[data-drawn]", timeout=60_000)
    worst = EpisodeIndex(run).extremes(Window(begin, end))["worst"]
    assert worst.key in page.locator(".facts").inner_text()


def test_live_shows_the_newest_episode_as_soon_as_it_has_ended(page, site, run):
    env = RecordEnv(SlidingBall(), Recorder(run.parent / "ball"))
    write_manifest(RunFolder(run.parent / "ball"), new_manifest(command=["ball.py"], config={}))
    try:
        env.reset()
        page.goto(f"{site.url}#/run/ball/episode/latest?live=1")
        page.get_by_text("No episode has ended yet").wait_for(timeout=60_000)
        for number in range(2):
            ended = False
            while not ended:
                *_, terminated, truncated, _ = env.step(np.array([1.0], np.float32))
                ended = terminated or truncated
            env.reset()
            page.locator(".facts dd", has_text=re.compile(f"^#{number}$")).wait_for(timeout=60_000)
        assert page.get_by_role("button", name="Pause").is_visible()
    finally:
        env.close()


def test_what_stands_still_is_drawn_sharp(page, site):
    _open(page, site, "episode/0?t=0.1")
    width = page.locator(".viewer canvas").bounding_box()["width"]

    until(page, f"{STAGE}.width >= {int(width)}")
    # It may be over before somebody outside the page has looked.
    page.evaluate(
        f"() => new MutationObserver(() => window.least = Math.min(window.least ?? 1e9, {STAGE}.width))"
        f".observe({STAGE}, {{ attributes: true }})"
    )
    page.keyboard.press("ArrowRight")
    until(page, f"window.least < {int(width)}")
    until(page, f"{STAGE}.width >= {int(width)}")


def test_without_its_model_the_columns_are_shown(page, site, run, tmp_path):
    lame = run.parent / "lame"
    if not lame.exists():
        shutil.copytree(run, lame)
        shutil.rmtree(scenes_folder(lame))
    page.goto(f"{site.url}#/run/lame/episode/0")
    page.wait_for_selector(".problem", timeout=60_000)

    assert "motion cannot be shown" in page.locator(".problem").inner_text()
    assert page.locator(".columns-plot canvas").count() >= 1


@pytest.mark.skipif(not (PLAYER / "player.js").exists(), reason="the player is not built")
def test_a_shared_file_plays_offline(page, run, tmp_path):
    file = tmp_path / "shared.html"
    file.write_bytes(share_page(Library(run), "0"))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{file}")
    page.wait_for_selector(".viewer canvas[data-drawn]", timeout=60_000)
    before = page.locator(".clock").inner_text()
    until(page, f"document.querySelector('.clock').innerText !== {before!r}")

    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


def test_the_robot_looks_as_mujoco_draws_it(page, site, run):
    """The outline of a known pose, beside that of MuJoCo's own renderer."""
    number = 3
    index = EpisodeIndex(run)
    step = 5
    _open(page, site, f"episode/{number}?t={step * 0.02:.2f}")
    width, height, fovy = 320, 240, 40.0
    library = Library(run)
    qpos = library.trajectory(index[number]).qpos[step]
    for azimuth in (20, 110, 250):
        target = qpos[:3] - np.array([0.0, 0.0, 0.08])
        angle = np.deg2rad(azimuth)
        eye = target + np.array([1.0 * np.cos(angle), 1.0 * np.sin(angle), 0.45])
        view = {"eye": eye.tolist(), "target": target.tolist(), "fovy": fovy}
        drawn = page.evaluate(
            f"view => Array.from({STAGE}.stage.outline(view, {width}, {height}))", view
        )
        ours = np.array(drawn).reshape(height, width)[::-1] > 127
        theirs = _mujoco_outline(run, index[number], qpos, eye, target, fovy, width, height)
        overlap = (ours & theirs).sum() / (ours | theirs).sum()

        assert theirs.sum() > 2000
        assert overlap >= 0.97, f"{overlap:.4f} from {azimuth} degrees"


def _mujoco_outline(run: Path, episode, qpos, eye, target, fovy, width, height):
    model, _, _ = posed(Library(run), episode.key)
    model.vis.global_.fovy = fovy
    model.vis.quality.offsamples = 0
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    camera = mujoco.MjvCamera()
    offset = target - eye
    camera.lookat[:] = target
    camera.distance = np.linalg.norm(offset)
    camera.azimuth = np.rad2deg(np.arctan2(offset[1], offset[0]))
    camera.elevation = np.rad2deg(np.arcsin(offset[2] / camera.distance))
    with mujoco.Renderer(model, height, width) as renderer:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(data, camera)
        kinds = renderer.render()
    geoms = np.where(kinds[:, :, 1] == int(mujoco.mjtObj.mjOBJ_GEOM), kinds[:, :, 0], -1)
    moving = np.flatnonzero(model.geom_bodyid != 0)
    return np.isin(geoms, moving)
