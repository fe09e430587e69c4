"""The docs as a site: nothing is left beside it, and its search answers what a newcomer asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_readme import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(
        not find_spec("sphinx") and os.environ.get("TMDBKIT_RECIPES") != "required",
        reason="the site needs what pip install -e '.[docs]' brings",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, alone in a folder but for a page that was there before."""
    to = tmp_path_factory.mktemp("place") / "site"
    to.mkdir()
    (to / "CNAME").write_text("films.example")
    subprocess.run([sys.executable, ROOT / "docs" / "website.py", to], check=True)
    return to


@pytest.fixture(scope="module")
def index(site: Path) -> dict[str, Any]:
    """What the search looks things up in."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


def test_nothing_is_left_beside_it_and_what_was_there_stays(site: Path) -> None:
    assert os.listdir(site.parent) == ["site"]
    assert (site / "index.html").is_file()
    assert (site / "CNAME").read_text() == "films.example"


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("undo a push", "pushing"),
        ("wrong rating", "ratings"),
        ("letterboxd", "commands"),
        ("rate limit", "session"),
        ("convex key permissions", "settings"),
        ("csv", "commands"),
        ("delete", "pushing"),
        ("where is the stage", "stage"),
        ("uninstall", "leaving"),
        ("excel", "commands"),
        ("s3", "backfills"),
        ("posters", "pushing"),
        ("github actions", "automation"),
    ],
)
def test_what_a_newcomer_asks_leads_to_its_page_first(
    asked: str, page: str, index: dict[str, Any]
) -> None:
    of_it = index["indexentries"][asked]
    assert [(index["docnames"][place], is_main) for place, _, is_main in of_it] == [(page, True)]
