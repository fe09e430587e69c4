"""The static gallery in a browser: every page, wide and narrow, in light and in dark."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.test_readme import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
# What cannot be reached: it makes the page itself wide, or a box that does not scroll cuts it off.
OUT_OF_REACH = """() => {
    const cut = [...document.querySelectorAll('body *')].filter(part =>
        part.clientWidth && part.scrollWidth > part.clientWidth + 1
        && ['hidden', 'clip'].includes(getComputedStyle(part).overflowX))
    const wide = document.documentElement.scrollWidth > innerWidth ? ['the page'] : []
    return [...wide, ...cut.map(part => `${part.className}: ${part.textContent.slice(0, 60)}`)]
}"""
BRIGHTNESS = """() => ['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name]
    .match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3)"""


@pytest.fixture(scope="module")
def folder(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("static")
    subprocess.run([sys.executable, ROOT / "docs" / "gallery.py", to], check=True)
    return to


@pytest.mark.parametrize("width", [1280, 480])
def test_every_page_opens_without_a_request_elsewhere_an_error_or_a_part_out_of_reach(
    width: int, folder: Path, browser: Browser, pictures: Path
) -> None:
    asked: list[str] = []
    errors: list[str] = []
    out_of_reach = {}
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="light")
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
    for path in sorted(folder.glob("*.html")):
        page.goto(path.as_uri(), wait_until="networkidle")
        page.screenshot(path=pictures / f"static_{path.stem}_{width}.png", full_page=True)
        out_of_reach[path.name] = page.evaluate(OUT_OF_REACH)
    page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []
    assert out_of_reach == {path.name: [] for path in folder.glob("*.html")}


def test_every_page_is_dark_where_the_reader_s_screen_is(
    folder: Path, browser: Browser, pictures: Path
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    for path in sorted(folder.glob("0*.html")):
        page.goto(path.as_uri())
        page.screenshot(path=pictures / f"static_{path.stem}_dark.png")
        paper, ink = page.evaluate(BRIGHTNESS)
        assert paper < 60 < 180 < ink
    page.close()
