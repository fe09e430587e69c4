"""The static gallery: pages that open without a network, and one that lists them."""

from __future__ import annotations

import re
import runpy
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.test_readme import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.once

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


class Fetched(HTMLParser):
    """What a browser fetches for a page by itself, and where a reader can go from it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.addresses += re.findall(r"@import\s+(.*)", page)
        self.addresses += re.findall(r"url\(['\"]?(?!data:|#)(\w+:)?//", page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if tag == "a" and name == "href":
                self.links.append(value or "")
            elif name in ("src", "srcset", "href", "data", "poster") and value:
                self.addresses += [] if value.startswith("data:") else [value]


@pytest.fixture(scope="module")
def build() -> Callable[[list[str]], int]:
    main: Callable[[list[str]], int] = runpy.run_path(str(ROOT / "docs" / "gallery.py"))["main"]
    return main


@pytest.fixture(scope="module")
def gallery(
    build: Callable[[list[str]], int], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder: Path = tmp_path_factory.mktemp("gallery") / "new" / "folder"
    assert build([str(folder)]) == 0
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_notebook_has_a_page(gallery: dict[str, str]) -> None:
    assert sorted(gallery) == [*NOTEBOOKS, "index"]


def test_no_page_fetches_anything_or_has_a_script(gallery: dict[str, str]) -> None:
    for page in map(Fetched, gallery.values()):
        assert page.addresses == []
        assert page.tags.isdisjoint({"script", "link", "iframe", "object", "embed"})


def test_the_list_leads_to_every_page_by_its_title_and_says_what_it_is_for(
    gallery: dict[str, str],
) -> None:
    assert Fetched(gallery["index"]).links == [f"{name}.html" for name in NOTEBOOKS]
    assert "Ratings: find the wrong ones before they reach your app</a>" in gallery["index"]
    assert "<div>to ask a stage: who, what, when, what is missing</div>" in gallery["index"]


def test_every_page_is_titled_and_leads_back_to_the_list(gallery: dict[str, str]) -> None:
    assert "<title>Explore: ask the stage</title>" in gallery["04_explore"]
    assert all("index.html" in Fetched(gallery[name]).links for name in NOTEBOOKS)


def test_a_widget_shows_what_it_last_said_and_a_chart_is_in_the_page(
    gallery: dict[str, str],
) -> None:
    assert "0 of 96 reviewed" in gallery["03_review"]  # the panel, as it draws itself without one
    assert "staging 96 movies" not in gallery["01_stage_and_push"]  # nothing of a progress bar
    assert "data:image/png;base64," in gallery["04_explore"]
    assert not any("widget-view" in page or "model_id" in page for page in gallery.values())


def test_without_a_folder_it_says_how_it_is_called(
    build: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert build([]) == 2
    assert capsys.readouterr() == ("", "usage: python docs/gallery.py DEST\n")
