from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from tests.stage.conftest import T0, answers, payload
from tmdbkit import ConvexSnapshot, Settings, Stage, check, plan_push, push, stage_movies
from tmdbkit.demo import sample_session
from tmdbkit.display import draw_share
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.workflows.collecting import RatingsResult

from .conftest import WHOLE, words

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

HOSTILE = "<img src=x onerror=alert(1)>"
KINDS = (
    "session",
    "stage",
    "stage result",
    "plan",
    "push result",
    "report",
    "ratings result",
    "movie card",
    "movie to decide on",
)


def drawn(kind: str, folder: Path) -> Any:
    """An object of a kind, with a movie in it whose title is markup."""
    stage = Stage(folder / "stage", settings=Settings(offline=True), now=lambda: T0)
    stage.store.add(answers((1, payload(1, HOSTILE, **{**WHOLE, "runtime": 0}), T0)))
    target = ConvexSnapshot(folder / "snapshot")
    with sample_session(folder / "cache") as session:
        made = {
            "session": lambda: session,
            "stage": lambda: stage,
            "stage result": lambda: stage_movies(session, stage, [603, 99], progress=Silent()),
            "plan": lambda: plan_push(stage, target, progress=Silent()),
            "push result": lambda: _pushed(stage, target),
            "report": lambda: check(stage),
            "ratings result": _rated,
            "movie card": lambda: stage[1],
            "movie to decide on": lambda: ReviewQueue(stage).item(1),
        }
        return made[kind]()


def _pushed(stage: Stage, target: ConvexSnapshot) -> Any:
    ReviewQueue(stage, by=HOSTILE).hold(1, note=HOSTILE)
    return push(stage, target, progress=Silent())


def _rated() -> RatingsResult:
    import polars as pl

    failures = pl.DataFrame({"provider": ["omdb"], "tmdb_id": [1], "reason": [HOSTILE]})
    return RatingsResult(1, 0, 0, 1, 3, {"imdb": 0}, failures, (f"omdb: {HOSTILE}",))


@pytest.mark.parametrize("kind", KINDS)
def test_text_and_html_say_the_same(kind: str, tmp_path: Path) -> None:
    thing = drawn(kind, tmp_path)
    # The text alone has the name of a class; a report's sums up what the HTML lists. Badges are
    # short.
    told = re.sub(r"TMDBSession|The worst:|  pass  .*", "", repr(thing)).replace("warning", "warn")
    seen = set(_essence(words(thing._repr_html_())))
    assert [word for word in _essence(told) if word not in seen] == []


def _essence(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


@pytest.mark.parametrize("kind", KINDS)
def test_html_is_escaped_and_needs_neither_styles_nor_trust(kind: str, tmp_path: Path) -> None:
    tags, attributes, styles = _parts(drawn(kind, tmp_path)._repr_html_())
    assert tags <= {"div", "details", "summary", "img", "span"}
    assert attributes <= {"style", "src", "alt"}
    assert [s for s in styles if re.search(r"var\(|hsl\(|url\(|gradient", s)] == []
    # No colour of text but on a background of its own: either theme's is readable.
    coloured = [s for s in styles if re.search(r"(^|;)color:", s)]
    assert [s for s in coloured if "background-color" not in s] == []


def _parts(html: str) -> tuple[set[str], set[str], list[str]]:
    """The tags, the attributes and the styles that a browser finds."""
    tags: set[str] = set()
    found: list[tuple[str, str | None]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            found.extend(attributes)

    Reader().feed(html)
    return tags, {name for name, _ in found}, [v or "" for name, v in found if name == "style"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_drawn_alike_each_time(kind: str, tmp_path: Path) -> None:
    thing = drawn(kind, tmp_path)
    assert (repr(thing), thing._repr_html_()) == (repr(thing), thing._repr_html_())
    assert "0x" not in repr(thing)
    assert not re.search(r"\d\d:\d\d", repr(thing))


def test_a_rating_is_drawn_alike_on_a_card_and_on_a_movie_to_decide_on(tmp_path: Path) -> None:
    for kind in ("movie card", "movie to decide on"):
        assert draw_share(0.82) in drawn(kind, tmp_path / kind)._repr_html_()


def test_a_check_of_a_stage_with_nothing_in_it_says_so_and_nothing_has_passed(
    tmp_path: Path,
) -> None:
    report = check(Stage(tmp_path / "stage", settings=Settings(offline=True)))
    assert repr(report) == "nothing is staged: no movies to check"
    assert words(report._repr_html_()) == "nothing is staged: no movies to check"


def test_the_cover_that_is_drawn_is_no_poster_of_tmdb_s(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "stage", settings=Settings(offline=True), now=lambda: T0)
    stage.store.add(answers((1, payload(1, "Alpha", **{**WHOLE, "poster_path": None}), T0)))
    assert "warn TMDB has no poster" in words(ReviewQueue(stage).item(1)._repr_html_())
