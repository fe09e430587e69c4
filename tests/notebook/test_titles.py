"""The panel in which films are chosen for the rows of a list that are not sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.servers.titles import film
from tests.servers.tmdb import TMDBServer
from tmdbkit import match_titles
from tmdbkit import notebook as nb
from tmdbkit.progress import Silent

from .conftest import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.stage.conftest import Connect
    from tmdbkit.notebook.titles import MatchPanel

pytestmark = pytest.mark.once

FILMS = [
    film(401, "Emma", "2020-02-13", votes=1500, director="Autumn <de> Wilde", runtime=125)
    | {"poster_path": "/p.jpg"},
    film(402, "Emma", "2020-05-01", votes=900),
    film(1091, "The Thing", "1982-06-25", votes=7000),
    film(60935, "The Thing", "2011-10-12", votes=3500),
]


@pytest.fixture
def server() -> Iterator[TMDBServer]:
    with TMDBServer(films={one["id"]: one for one in FILMS}) as server:
        yield server


@pytest.fixture
def panel(server: TMDBServer, connect: Connect, tmp_path: Path) -> MatchPanel:
    session, out = connect(server), tmp_path / "m.csv"
    titles = pl.DataFrame({"title": ["Emma (2020)", "The Thing"]})
    found = match_titles(session, titles, out=out, progress=Silent())
    return nb.match(session, found, out)


def seen(panel: MatchPanel) -> str:
    films = "".join(one.children[1].value for one in panel._films.children)
    return words(panel._row.value + films)


def test_a_row_s_candidates_are_shown_with_poster_year_director_length_and_votes(
    panel: MatchPanel,
) -> None:
    assert "1 of 2: Emma (2020)" in seen(panel)
    assert "2020 · Autumn <de> Wilde · 125 min · 1,500 votes" in seen(panel)
    assert "w92/p.jpg" in panel._films.children[0].children[1].value


def test_a_button_takes_a_film_and_writes_it_at_once(panel: MatchPanel, tmp_path: Path) -> None:
    panel._films.children[1].children[0].click()
    assert pl.read_csv(tmp_path / "m.csv").select("tmdb_id", "how", "sure").row(0) == (
        (402, "id", True)
    )
    assert "2 of 2: The Thing" in seen(panel)


def test_none_and_skip_go_on_to_the_end(panel: MatchPanel, tmp_path: Path) -> None:
    panel._none.click()
    panel._skip.click()
    rows = pl.read_csv(tmp_path / "m.csv").select("tmdb_id", "how", "sure").rows()
    assert rows == [(None, "none", True), (1091, "exact", False)]
    assert "all rows were gone through" in seen(panel)
    assert panel._skip.disabled


def test_another_title_can_be_searched_for(panel: MatchPanel) -> None:
    panel._words.value = "thing"
    panel._search.click()
    assert "The Thing 1982" in seen(panel)
    panel._films.children[0].children[0].click()
    assert panel.picking.frame["tmdb_id"][0] == 1091


def test_what_cannot_be_asked_for_is_one_line(panel: MatchPanel, server: TMDBServer) -> None:
    server.script = {"/3/search/movie": ["401"]}
    panel._words.value = "heat"
    panel._search.click()
    assert "the key was refused" in words(panel._said.value)
