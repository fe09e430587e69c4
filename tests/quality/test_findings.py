"""What a finding says: by what it was made, what should rather be there, whom it accuses."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from tests.benchmarks.planted import on_scale, shifted, swapped, with_votes
from tests.ratings.drawn import BEST, WORST, draw, twin
from tmdbkit.quality import find
from tmdbkit.ratings.columns import explain

from .test_quality import NOW, broken, frame, movie, rated, rating, table

pytestmark = pytest.mark.once

FAIR = {"imdb": 6.4, "letterboxd": 3.1, "metacritic": 57.0, "rotten_tomatoes": 60.0, "tmdb": 6.3}


def one_film(**points: float) -> pl.DataFrame:
    """What is found of a film of usual ratings, but for those given."""
    return rated(frame(*(rating(1, s, p) for s, p in {**FAIR, **points}.items())))


def proposed(found: pl.DataFrame, rule: str) -> list[tuple[str | None, str | None]]:
    return found.filter(rule=rule).select("proposal_field", "proposal_value").rows()


# What it should rather be.


@pytest.mark.parametrize(
    ("rule", "system", "points", "value"),
    [
        ("outside_scale", "letterboxd", 6.2, "3.1"),
        ("outside_scale", "imdb", 64.0, "6.4"),
        ("outside_scale", "tmdb", 63.0, "6.3"),
        ("scale_mix_up", "metacritic", 5.7, "57"),
        ("scale_mix_up", "rotten_tomatoes", 6.0, "60"),
    ],
)
def test_points_that_fit_another_scale_have_a_proposal(
    rule: str, system: str, points: float, value: str
) -> None:
    assert proposed(one_film(**{system: points}), rule) == [(system, value)]


def test_points_that_fit_no_scale_have_none() -> None:
    assert proposed(one_film(letterboxd=32.0), "outside_scale") == [(None, None)]


def test_of_a_column_on_another_scale_every_value_has_one() -> None:
    case = on_scale(twin(80, seed=1), "tmdb", 5.0, None)
    found = rated(case.ratings).filter(rule="column_scale")
    own = case.ratings.filter(system="tmdb").select("tmdb_id", "points")
    both = found.join(own, on="tmdb_id").select(pl.col("proposal_value").cast(float), "points")
    assert both.height == own.height
    assert both.select((pl.col("proposal_value") - 2 * pl.col("points")).abs().max()).item() < 0.01


def test_what_is_stale_is_to_be_asked_for() -> None:
    old = rated(frame(rating(1, "imdb", 7.0, fetched_at=NOW - timedelta(days=400))))
    assert proposed(old, "stale") == [("imdb", "ask")]


def test_votes_in_thousands_are_proposed_whole() -> None:
    votes = {"imdb": 60, "letterboxd": 45_000, "tmdb": 2_100}
    ratings = frame(*(rating(1, s, FAIR[s], votes=count) for s, count in votes.items()))
    assert proposed(rated(ratings), "votes_scale") == [("imdb_votes", "60000")]


# By what it was made.


def test_who_suggests_what_is_said_in_each_system_s_own_points() -> None:
    ratings = frame(
        rating(1, "imdb", 5.3), rating(1, "rotten_tomatoes", 18.0), rating(1, "tmdb", 9.9)
    )
    (why,) = rated(ratings).filter(rule="far_off", system="tmdb")["why"]
    assert why.startswith("IMDb 5.3 and Rotten Tomatoes 18 % suggest about 5.")


def test_a_value_that_is_itself_to_blame_suggests_nothing() -> None:
    found = one_film(imdb=2.0)
    assert broken(found, "far_off") == {(1, "imdb")}


@pytest.mark.parametrize(
    ("rule", "shared"), [("slug_repeated", "slug"), ("imdb_id_shared", "imdb_id")]
)
def test_which_movies_share_something_is_said(rule: str, shared: str) -> None:
    films = [movie(n, **{shared: "tt7654321"}) for n in (1, 2)]
    found = find(table(*films, movie(3)), frame(), now=NOW).filter(rule=rule)
    assert set(found["why"]) == {"Film 1 (1) and Film 2 (2)"}


def test_of_many_that_share_something_a_few_are_named() -> None:
    films = [movie(n, slug="a") for n in range(1, 8)]
    found = find(table(*films), frame(), now=NOW).filter(rule="slug_repeated")
    assert set(found["why"]) == {"Film 1 (1) and Film 2 (2) and Film 3 (3) and 4 more"}


# Columns.


def faults(ratings: pl.DataFrame) -> dict[str, str]:
    """What is said of each column that is not right."""
    told = explain(ratings).drop_nulls("fault")
    return dict(told.select("system", "fault").rows())


def test_right_columns_have_no_fault() -> None:
    assert faults(twin(300, seed=2)) == {}


@pytest.mark.parametrize("films", [30, 300])
def test_a_column_has_one_explanation_and_those_beside_it_none(films: int) -> None:
    right = twin(films, seed=3)
    assert faults(on_scale(right, "rotten_tomatoes", 10.0, None).ratings) == {
        "rotten_tomatoes": "scale"
    }
    assert faults(shifted(right, "imdb").ratings) == {"imdb": "others"}
    assert faults(swapped(right, "imdb", "rotten_tomatoes").ratings) == {
        "imdb": "swapped",
        "rotten_tomatoes": "swapped",
    }


def test_points_that_moved_without_their_votes_are_of_other_movies() -> None:
    right = twin(300, seed=4)
    own = right.filter(system="imdb").sort("tmdb_id")
    moved = own.with_columns(points=pl.col("points").shift(1, fill_value=7.0))
    wrong = pl.concat([right.filter(pl.col("system") != "imdb"), moved])
    assert faults(wrong) == {"imdb": "others"}


def test_two_columns_that_contradict_each_other_are_warned_of_and_not_withheld() -> None:
    two = pl.col("system").is_in(["imdb", "tmdb"])
    wrong = shifted(twin(300, seed=5).filter(two), "imdb").ratings
    assert faults(wrong) == {"imdb": "one_of_two", "tmdb": "one_of_two"}
    assert set(rated(wrong).filter(rule="one_of_two")["severity"]) == {"warning"}


def test_a_column_of_votes_in_thousands_is_no_other_fault() -> None:
    case = with_votes(twin(200, seed=6), "imdb", 0.001, None)
    assert faults(case.ratings) == {"imdb": "votes"}


def test_films_that_are_all_alike_accuse_nobody() -> None:
    for kind in (BEST, WORST):
        assert faults(draw(kind, 100, seed=7)) == {}


def test_another_film_s_rating_with_its_votes_is_a_warning() -> None:
    ratings = frame(
        rating(1, "imdb", 7.4, votes=150_000),
        rating(1, "letterboxd", 2.8, votes=1_500),
        rating(1, "tmdb", 5.6, votes=60),
        rating(1, "rotten_tomatoes", 30.0, votes=None),
    )
    assert broken(rated(ratings), "votes_off") == {(1, "imdb")}


def test_votes_that_are_lost_in_a_third_of_a_column_are_missed() -> None:
    lost = dict.fromkeys(range(0, 21, 3))
    ratings = frame(*(rating(n, "imdb", 6 + n / 10, votes=lost.get(n, 90 + n)) for n in range(21)))
    assert broken(rated(ratings), "points_without_votes") == {(n, "imdb") for n in lost}
