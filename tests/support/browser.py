"""Chromium as the tests of the page start it; WebGL needs no graphics card."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PLAIN = ("--disable-gpu",)
WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@contextlib.contextmanager
def chromium(drawing: Sequence[str] = WEBGL) -> Iterator[Any]:
    """A browser; its WebGL is drawn by the processor, or with `PLAIN` not at all."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=[*_FLAGS, *drawing]
        )
        yield browser
        browser.close()


def axe_violations(page: Any) -> list[str]:
    """What axe finds wrong, as sentences."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run(document, {runOnly: rules})", _RULES)
    return [f"{v['id']}: {v['help']} at {v['nodes'][0]['target']}" for v in found["violations"]]


def until(page: Any, expression: str, timeout_s: float = 60.0) -> None:
    """Wait until a JavaScript expression is true; a strict policy forbids `wait_for_function`."""
    end_s = time.monotonic() + timeout_s
    while not page.evaluate(expression):
        assert time.monotonic() < end_s, f"never true: {expression}"
        page.wait_for_timeout(50)
