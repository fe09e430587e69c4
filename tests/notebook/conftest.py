"""Small stages to look at, and what stands in their widgets."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import pytest

from tests.stage.conftest import T0, answers, connect, payload
from tmdbkit import Settings, Stage
from tmdbkit.review.assessment import assess

__all__ = ["connect"]

WHOLE = {
    "overview": "Somebody goes somewhere.",
    "release_date": "1999-03-31",
    "status": "Released",
    "runtime": 136,
    "original_language": "en",
    "poster_path": "/p.jpg",
    "vote_average": 8.2,
    "vote_count": 900,
    "credits": {"cast": [], "crew": [{"id": 1, "name": "Ann", "job": "Director"}]},
}


def words(html: str) -> str:
    """What a reader without styles sees."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def opened(folder: Path) -> Stage:
    """A stage in a folder; its present is that of its payloads."""
    return Stage(folder, settings=Settings(offline=True), now=lambda: T0)


@pytest.fixture(scope="session")
def _looked_through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = opened(tmp_path_factory.mktemp("looked") / "stage")
    movies = {
        1: payload(1, "Alpha", **WHOLE),
        2: payload(2, "Beta", **{**WHOLE, "runtime": 0, "release_date": "2004-05-06"}),
        3: payload(3, "Gamma", **{**WHOLE, "credits": {"cast": [], "crew": []}, "runtime": 0}),
    }
    stage.store.add(answers(*((number, text, T0) for number, text in movies.items())))
    assess(stage)
    return stage.store.root.folder


@pytest.fixture
def stage(tmp_path: Path, _looked_through: Path) -> Stage:
    """Alpha, with nothing to say against it; Beta without a runtime; Gamma without a director.

    It has been looked through before, so that a test need not wait for that.
    """
    return opened(Path(shutil.copytree(_looked_through, tmp_path / "stage")))
