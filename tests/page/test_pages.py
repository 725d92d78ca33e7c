"""Every page in both languages and both themes: no complaint, no other host, nothing inaccessible."""

import json
import os

import pytest
from tests.support.browser import AXE

DIP = "#/run/2026-01-03_10-00-00-dip"
WALK = "#/run/2026-01-01_10-00-00-walk"
WALKS = "2026-01-01_10-00-00-walk,2026-01-02_10-00-00-walk"
PAGES = {
    "": ("table.runs tbody tr", "Runs", "실행 목록"),
    "#/runs?q=nothing": (".notice", "Nothing matches", "일치하는 것이 없습니다"),
    f"{DIP}/live": (".charts canvas", "Return", "리턴"),
    f"{DIP}/live?brush=5700..7900&explain=5700..7900": (
        ".explain table",
        "What changed",
        "달라진 것",
    ),
    f"{DIP}/terminations": (".cells li", "By environment", "환경별"),
    f"{DIP}/checkpoints": ("aside.detail", "nothing can go on from it", "이어갈 수 없습니다"),
    f"{DIP}/health": (".tiles .tile", "Rows written", "기록된 행"),
    f"{WALK}/checkpoints": ("aside .plain", "a set whose order", "순서가 다른 집합"),
    f"{WALK}/health": (".fault", "the seal is missing", "봉인이 없습니다"),
    f"{DIP}/config": (".facts dl", "Search settings", "설정, 버전"),
    "#/compare": (".notice", "Choose runs", "비교할 실행"),
    f"#/compare?runs={WALKS}&as=bands": (".whisker", "Final figures", "최종 수치"),
    "#/run/2026-01-04_10-00-00-torn/live": (
        ".notice",
        "no recorded streams",
        "기록된 스트림이 없습니다",
    ),
    "#/run/nope/live": (".notice", "no run of this name", "그런 이름의 실행이 없습니다"),
    "#/nope": (".notice", "no such page", "없는 페이지"),
}


# Words in a row, but for what is typed or was recorded so, such as a command or a setting.
ENGLISH = """(() => {
  const body = document.body.cloneNode(true)
  body.querySelectorAll('code, pre, datalist, .facts dd').forEach((part) => part.remove())
  return body.textContent.match(/[a-z]+ [a-z]+ [a-z]+ [a-z]+/g) ?? []
})()"""


# Each language and each theme; every pair of them in the soak.
LOOKS = [("en", "light"), ("ko", "dark")]
if "TRACKWAY_SOAK" in os.environ:
    LOOKS += [("en", "dark"), ("ko", "light")]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "theme"), LOOKS)
def test_every_page_is_whole_and_accessible(visit, language, theme):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: scripts/build-web, then this test runs")
    window = visit(language, theme)
    found = {}
    for address, (ready, english, korean) in PAGES.items():
        page = window.open(address, ready)
        text = page.inner_text("body") + "".join(
            box.get_attribute("placeholder") or "" for box in page.query_selector_all("input")
        )
        assert {"en": english, "ko": korean}[language] in text, address
        if language == "ko":
            assert page.evaluate(ENGLISH) == [], address
        assert page.get_attribute("html", "lang") == language
        assert page.get_attribute("html", "data-theme") == theme
        if violations := window.accessible():
            found[address] = violations
        # A run that is not there is answered with 404, which the browser mentions.
        window.complaints[:] = [c for c in window.complaints if "404" not in c]

    assert found == {}, json.dumps(found, indent=1, ensure_ascii=False)


@pytest.mark.parametrize("address", [a for a in PAGES if "nope" not in a])
def test_a_phone_shows_every_page_without_scrolling_sideways(visit, address):
    window = visit(width=390)
    page = window.open(address, PAGES[address][0])

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelector('header.bar').offsetHeight") < 50  # one line
