from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import transform
from tmdbkit.demo import RECORDED_AT, sample_payloads
from tmdbkit.display import cover, draw_bar, draw_facts, draw_share
from tmdbkit.quality import FINDINGS
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.card import MovieCard, flat

from .conftest import T0, answers, payload, people

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once


def table(*payloads: str) -> pl.DataFrame:
    rows = ((number, text, T0) for number, text in enumerate(payloads, 1))
    return flat(transform.transform(answers(*rows)).rows)


def card(picture: Path | None = None, **more: Any) -> MovieCard:
    return MovieCard(table(payload(1, "Alpha", **more)).row(0, named=True), picture)


# The flat table.


def test_a_row_is_flat_and_has_points_and_votes_of_all_systems() -> None:
    frame = table(payload(1))
    nested = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Struct)]
    assert nested == []
    assert {f"{system}_{what}" for system in SYSTEMS for what in ("points", "votes")} < set(
        frame.columns
    )


@pytest.mark.parametrize(
    ("date", "year"), [("1999-03-31", 1999), ("", None), ("soon", None), ("2031", 2031)]
)
def test_the_year_is_that_of_the_release_or_null(date: str, year: int | None) -> None:
    assert table(payload(1, release_date=date))["year"].to_list() == [year]


def test_a_movie_without_votes_has_no_points() -> None:
    frame = table(
        payload(1, vote_average=7.5, vote_count=4), payload(2, vote_average=0, vote_count=0)
    )
    assert frame.select("tmdb_points", "tmdb_votes").rows() == [(7.5, 4), (None, None)]


def test_the_sample_s_table_has_a_director_and_a_genre_for_almost_all() -> None:
    rows = answers(*((n, text, RECORDED_AT) for n, text in sample_payloads().items()))
    frame = flat(transform.transform(rows).rows)
    assert frame.height == rows.height
    assert frame.filter(pl.col("directors").list.len() > 0).height > 0.9 * frame.height
    assert frame.filter(pl.col("genres").list.len() > 0).height > 0.9 * frame.height


# Cards.


def test_a_card_tells_what_is_known_in_order() -> None:
    full = card(
        release_date="1999-03-31",
        runtime=136,
        genres=[{"id": 1, "name": "Action"}],
        credits=people("Ann", "Bob", director="Cid"),
        original_language="fr",
        imdb_id="tt1",
        vote_average=8.25,
        vote_count=12345,
    )
    assert repr(full) == (
        "Alpha (1999)\n"
        "  directed by: Cid\n"
        "  with: Ann, Bob\n"
        "  about: Action\n"
        "  runs: 136 min\n"
        "  language: French\n"
        "  tmdb: 1\n"
        "  imdb: tt1\n"
        "  TMDB: 8.25 of 10, 12,345 votes"
    )


def test_a_card_passes_over_what_nobody_knows() -> None:
    assert repr(card()) == "Alpha\n  tmdb: 1"


def test_a_card_s_html_has_the_facts_of_its_text() -> None:
    full = card(runtime=136, credits=people("Ann"))
    html = full._repr_html_()
    assert all(value in html for fact in [("", full.heading()), *full.facts()] for value in fact)


def test_a_card_shows_the_stage_s_own_picture_before_an_address(tmp_path: Path) -> None:
    picture = tmp_path / "1.png"
    picture.write_bytes(b"\x89PNG")
    html = card(picture, poster_path="/p.jpg")._repr_html_()
    assert "data:image/png;base64," + base64.b64encode(picture.read_bytes()).decode() in html
    assert "p.jpg" not in html


def test_a_card_shows_the_poster_s_address_or_no_picture_at_all() -> None:
    assert 'src="https://image.tmdb.org/t/p/w500/p.jpg"' in card(poster_path="/p.jpg")._repr_html_()
    assert "<img" not in card()._repr_html_()


@pytest.mark.parametrize("address", ["/p.jpg", "javascript:alert(1)", "http://example.org/p.jpg"])
def test_a_card_shows_no_picture_that_is_not_on_https(address: str) -> None:
    row = {**card().row, "main_poster": address}
    assert "<img" not in MovieCard(row)._repr_html_()


def test_a_card_has_a_bar_for_each_rating_as_long_as_its_share_of_the_scale() -> None:
    rated = {**card().row, "imdb_points": 8.25, "letterboxd_points": 2.0, "metacritic_points": 0.0}
    html = MovieCard(rated)._repr_html_()
    assert re.findall(r"width:(\d+\.\d%)", html) == ["82.5%", "40.0%", "0.0%"]


# How HTML is made.


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (0.0, "width:0.0%;min-width:0px"),
        (1e-6, "width:0.0%;min-width:2px"),
        (0.5, "width:50.0%;min-width:2px"),
        (7.2, "width:100.0%;min-width:2px"),
    ],
)
def test_a_bar_stays_in_its_frame_and_what_is_not_nothing_is_seen(share: float, drawn: str) -> None:
    assert drawn in draw_bar(share, "#2e7d32")


def test_a_share_is_drawn_on_the_whole_of_its_scale() -> None:
    track, bar = re.findall('style="([^"]*)"', draw_share(0.82))
    assert "width" not in track
    assert "background-color:#88888844" in track
    assert "width:82.0%" in bar


def test_a_cover_of_any_width_keeps_its_shape_and_its_colour() -> None:
    small, large = cover("Spirited Away", 129, width=44), cover("Spirited Away", 129)
    assert "width:44px;height:66px" in small
    assert "width:110px;height:165px" in large
    assert re.findall(r"#\w{6}", small) == re.findall(r"#\w{6}", large)
    assert cover("", 1).endswith("></div>")


def test_facts_are_escaped_and_readable_in_every_theme() -> None:
    html = draw_facts("<b>", [("<i>", "& \"'")])
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&amp; &quot;&#x27;" in html
    assert set(re.findall(r"<(\w+)", html)) == {"div"}
    assert not re.search(r"[;\"\s](background|color)[-\w]*:", html)


def test_of_a_card_that_nobody_judges_the_findings_are_a_table_of_none() -> None:
    findings = card().findings
    assert findings.schema == FINDINGS
    assert findings.filter(severity="error")["rule"].to_list() == []
