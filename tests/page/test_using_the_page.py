"""What people do on the page."""

import re
import time

import pytest
from tests.support.dashboard import serving
from tests.support.recorded_run import RecordedRun

from trackway.dashboard.guard import Access

DIP = "2026-01-03_10-00-00-dip"


def test_runs_are_searched_chosen_and_compared_by_keyboard_alone(visit):
    page = visit().open("", "table.runs tbody tr")
    assert page.locator("table.runs tbody tr").count() == 4

    page.keyboard.press("/")
    page.keyboard.type("walk finished")
    page.keyboard.press("Escape")
    assert page.locator("table.runs tbody tr").count() == 2
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.wait_for_selector(".whisker")

    assert page.url.endswith("#/compare?runs=2026-01-02_10-00-00-walk,2026-01-01_10-00-00-walk")
    assert "ppo.seed" not in page.inner_text("main")


def test_the_list_tells_state_progress_and_what_cannot_be_read(visit):
    window = visit()
    page = window.open("", "table.runs tbody tr")
    rows = {
        row.inner_text().split("\n")[0].strip(): row.inner_text()
        for row in page.locator("table.runs tbody tr").all()
    }
    dip, torn = rows[DIP], rows["2026-01-04_10-00-00-torn"]

    assert "finished" in dip
    assert "8k of 8k" in dip
    assert "damaged" in torn
    assert page.locator("table.runs svg.spark").count() == 3
    figure = page.locator("tr", has_text=DIP).locator(".spark-cell .num").inner_text()
    page = window.open(f"#/run/{DIP}/live", ".charts canvas")
    shown = page.locator("section.chart", has_text="Return").first.locator(".values")
    shown.get_by_text(figure).wait_for()
    assert shown.inner_text().split() == [figure, "last", "100", "episodes"]


def test_a_stretch_is_marked_with_the_mouse_explained_and_shared(visit):
    window = visit()
    page = window.open(f"#/run/{DIP}/live", ".charts canvas")
    box = page.locator(".plot .u-over").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.72, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.97, y, steps=8)
    page.mouse.up()
    page.get_by_role("button", name="Explain this stretch").click()
    page.wait_for_selector(".explain table")

    assert "Reward components" in page.inner_text(".explain")
    assert "progress" in page.inner_text(".explain")
    again = visit().open(page.url.removeprefix(window.site.url), ".explain table")
    assert again.inner_text(".explain h2") == page.inner_text(".explain h2")


def test_a_stretch_is_marked_and_zoomed_by_keyboard(visit):
    for patience_ms in (0, 1000, 5000):  # keys that come before the whole of the curves mark less
        page = visit().open(f"#/run/{DIP}/live", ".charts canvas")
        page.wait_for_timeout(patience_ms)
        page.locator(".plot").first.focus()
        page.keyboard.press("End")
        for _ in range(40):
            if "brush=6400" in page.url:
                break
            page.keyboard.press("Shift+ArrowLeft")
            page.wait_for_timeout(20)
        if "brush=6400" in page.url:
            break
    assert "brush=6400" in page.url
    page.keyboard.press("z")
    page.wait_for_selector("text=Everything")

    assert "zoom=6400" in page.url
    page.keyboard.press("u")
    assert "zoom=" not in page.url


def test_the_axis_and_the_smoothing_are_in_the_address(visit):
    page = visit().open(f"#/run/{DIP}/live", ".charts canvas")
    page.get_by_role("button", name="Wall time").click()
    page.get_by_label("Smoothing").fill("0.9")

    assert "x=time" in page.url
    assert "smooth=0.9" in page.url
    page.keyboard.press("Tab")
    page.keyboard.press("a")
    assert "x=update" in page.url


def test_a_nan_is_said_on_its_curve_and_in_the_alerts(visit):
    page = visit().open(f"#/run/{DIP}/live?more=steps:reward", ".charts canvas")
    page.wait_for_selector("text=1 not finite")

    assert "Return collapsed" in page.inner_text(".alerts")
    assert "reward: 1 " in page.inner_text(".alerts")
    assert "Not a number" in page.inner_text(".alerts")


@pytest.mark.parametrize(
    ("kind", "begins"), [("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("CSV", b"timestep,")]
)
def test_a_chart_is_saved(visit, kind, begins, tmp_path):
    page = visit().open(f"#/run/{DIP}/live", ".charts canvas")
    page.locator(".menu summary").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Save as {kind}").first.click()
    download.value.save_as(tmp_path / "chart")

    assert (tmp_path / "chart").read_bytes().startswith(begins)
    assert download.value.suggested_filename == f"Return.{kind.lower()}"


def test_language_and_theme_change_at_a_key_and_are_remembered(visit):
    window = visit()
    page = window.open("", "table.runs")
    page.keyboard.press("l")
    page.keyboard.press("t")
    assert "실행 목록" in page.inner_text("nav")

    page.reload()
    page.wait_for_selector("table.runs")
    assert page.get_attribute("html", "lang") == "ko"
    assert page.get_attribute("html", "data-theme") == "dark"
    page.keyboard.press("?")
    page.locator("dialog[open] kbd").first.wait_for()
    assert page.locator("dialog[open] kbd").count() > 10


def test_pages_of_a_run_are_reached_by_keys(visit):
    page = visit().open(f"#/run/{DIP}/live", ".charts canvas")
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    for keys, heading in (
        (("g", "h"), "Storage & health"),
        (("g", "k"), "Checkpoints"),
        (("g", "o"), "Configuration"),
    ):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_selector(f"nav a[aria-current]:has-text('{heading}')")


def test_a_spike_of_one_update_is_seen_however_smooth_the_line_is(built, visit, tmp_path):
    run = RecordedRun(tmp_path / "models" / "spike")
    run.train(1000)
    run._tell("updates", n_updates=21, **{"train/approx_kl": 0.9})
    run.train(1000)
    run.close()
    with serving(tmp_path / "models", built) as site:
        page = visit(at=site).open("#/run/spike/live?smooth=0.98", ".charts canvas")
        chart = page.locator("section.chart", has_text="KL divergence")
        chart.scroll_into_view_if_needed()
        chart.locator("canvas").wait_for()
        chart.locator("summary").click()
        with page.expect_download() as saved:
            chart.locator("button", has_text="SVG").click()
        drawn = saved.value.path().read_text()
    heights = {
        # Of the smoothed line and of the values behind it: the highest place, downwards from the top.
        bool(thin): min(float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path))
        for path, thin in re.findall(
            r'<path d="([^"]+)" fill="none" stroke="[^"]+"( stroke-opacity)?', drawn
        )
    }

    assert heights[True] < 80 < 250 < heights[False]


def test_an_empty_folder_teaches_how_to_fill_it(chromium, built, visit, tmp_path):
    with serving(tmp_path, built) as empty:
        page = visit(at=empty).open("", ".notice")
        assert "make train" in page.inner_text(".notice")


def test_before_an_episode_has_ended_its_pages_say_so(built, visit, tmp_path):
    run = RecordedRun(tmp_path / "models" / "young")
    with serving(tmp_path / "models", built) as site:
        window = visit("ko", at=site)
        for name in ("episode", "gallery", "evolution", "terminations"):
            page = window.open(f"#/run/young/{name}", "main .notice")
            assert page.inner_text(".notice h2") == "아직 끝난 에피소드가 없습니다"
        # The browser mentions that there was nothing to be answered.
        window.complaints[:] = [c for c in window.complaints if "422" not in c]
    run.close()


def test_an_exposed_page_opens_with_its_token_and_hides_it(built, visit, models):
    token = "a-token-of-some-length"
    with serving(models, built, Access(token=token, port=1)) as guarded:
        window = visit(at=guarded)
        page = window.open("", ".notice")
        assert "asks for its token" in page.inner_text(".notice")
        window.complaints.clear()

        window.open(f"#token={token}", "table.runs")
        assert token not in page.url
        page.reload()
        page.wait_for_selector("table.runs")
        assert page.evaluate("document.cookie") == ""


@pytest.mark.slow
def test_a_training_is_watched_as_it_goes(chromium, built, visit, tmp_path):
    run = RecordedRun(tmp_path / "now", planned=4000)
    run.train(200)
    try:
        with serving(tmp_path, built) as here:
            window = visit(at=here)
            page = window.open("#/run/now/live", ".charts canvas")
            page.wait_for_selector("text=running")
            assert "800 of 4k timesteps" in page.inner_text(".status")
            for _ in range(10):
                run.train(20, reward=2.0)
                time.sleep(0.05)
            page.wait_for_selector("text=1.6k of 4k timesteps")
            page.wait_for_selector(".pulse >> text=live")
            # "Return: 118 at the end, …": what is drawn, not the figure of the last 100 episodes
            label = page.get_attribute(".plot >> nth=0", "aria-label")
            assert float(label.split()[1]) > 110, label
            run.close()
            page.wait_for_selector(".run-bar >> text=finished")
    finally:
        run.close()


@pytest.mark.parametrize(
    "address", ["", f"#/run/{DIP}/live", "#/compare?runs=2026-01-01_10-00-00-walk"]
)
def test_the_first_load_is_light(visit, address):
    window, sizes = visit(), {}

    def add(response):
        if "/api/" not in response.url:
            sizes[response.url] = int(response.headers["content-length"])

    window.page.on("response", add)
    window.open(address, "main .page")
    window.page.wait_for_timeout(300)

    assert len(sizes) >= 4
    assert sum(sizes.values()) <= 60_000, sizes
