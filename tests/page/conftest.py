"""The built page in a real Chromium; without either, these tests are skipped and say so."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator

import pytest
from tests.support import browser
from tests.support.dashboard import serving
from tests.support.recorded_run import RecordedRun

from trackway.checkpoint.archive import MANIFEST
from trackway.dashboard.static import BUILT, StaticFiles


@pytest.fixture(scope="module")  # Playwright runs once at a time, and other modules have their own
def chromium():
    if not browser.CHROMIUM.exists():
        pytest.skip("there is no chromium: apt-get install chromium, then these tests run")
    if not (BUILT / "index.html").exists():
        pytest.skip("the page is not built: scripts/build-web, then these tests run")
    with browser.chromium(browser.PLAIN) as started:
        yield started


@pytest.fixture(scope="session")
def built():
    if not (BUILT / "index.html").exists():
        pytest.skip("the page is not built: scripts/build-web, then these tests run")
    return StaticFiles()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACKWAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Two seeds of a training, one that goes wrong, and one that cannot be read."""
    models = tmp_path_factory.mktemp("page") / "models"
    for name, reward in (("2026-01-01_10-00-00-walk", 1.0), ("2026-01-02_10-00-00-walk", 1.1)):
        run = RecordedRun(models / name)
        run.train(1000, reward=reward)
        run.event("checkpoint", path="checkpoint_1.zip")
        run.close()
    _leave_faults(models / "2026-01-01_10-00-00-walk")
    run = RecordedRun(models / "2026-01-03_10-00-00-dip", planned=8000)
    run.train(1400, reward=1.0)
    run.train(600, reward=0.2, nan_at=1600)
    run.event("not_finite", where="reward", env=1)
    run.close()
    (models / "2026-01-03_10-00-00-dip" / "checkpoints").mkdir()
    (models / "2026-01-03_10-00-00-dip" / "checkpoints" / "checkpoint_2.zip").write_bytes(b"torn")
    (models / "2026-01-04_10-00-00-torn").mkdir()
    (models / "2026-01-04_10-00-00-torn" / "run.json").write_text("{")
    return models


@pytest.fixture(scope="session")
def site(models, built):
    with serving(models, built) as site:
        yield site


def _leave_faults(run):
    """Some of what a server has to say in sentences: a checkpoint that lacks something, a segment cut short."""
    facts = {"timestep": 4000, "sha256": {}, "exact": ["env.rng is a set whose order is another one in another process"]}  # fmt: skip
    (run / "checkpoints").mkdir()
    with zipfile.ZipFile(run / "checkpoints" / "checkpoint_1.zip", "w") as archive:
        for name, data in (("data", "{}"), ("policy.pth", ""), (MANIFEST, json.dumps(facts))):
            archive.writestr(name, data)
    (segment,) = next(run.rglob("system")).glob("*.seg")
    segment.write_bytes(segment.read_bytes()[:-10])


class Visit:
    """A browser window that fails its test when the page complains or asks another host."""

    def __init__(self, context, site) -> None:
        self.page, self.site = context.new_page(), site
        self.complaints: list[str] = []
        self.page.set_default_timeout(15_000)
        self.page.on("console", lambda m: m.type == "error" and self.complaints.append(m.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _asked(self, request) -> None:
        if not request.url.startswith((self.site.url, "blob:", "data:")):
            self.complaints.append(f"another host was asked: {request.url}")

    def open(self, address: str = "", ready: str = "main .page, main .notice"):
        self.page.goto("about:blank")
        self.page.goto(self.site.url + address)
        self.page.wait_for_selector(ready)
        return self.page

    def accessible(self) -> list[str]:
        """What axe finds wrong, as sentences."""
        self.page.evaluate(browser.AXE.read_text())
        # Fading in would be judged half way.
        found = self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        return [
            f"{v['id']}: {v['help']} at {[n['target'] for n in v['nodes']][:3]}"
            for v in found["violations"]
        ]


@pytest.fixture
def visit(chromium, site) -> Iterator[object]:
    with contextlib.ExitStack() as stack:
        visits = []

        def begin(language="en", theme="light", width=1280, at=site):
            context = chromium.new_context(
                viewport={"width": width, "height": 900},
                locale={"en": "en-GB", "ko": "ko-KR"}[language],
                color_scheme=theme,
                reduced_motion="reduce",
                accept_downloads=True,
            )
            stack.callback(context.close)
            visits.append(Visit(context, at))
            return visits[-1]

        yield begin
        complaints = [c for visit in visits for c in visit.complaints]
        assert complaints == []
