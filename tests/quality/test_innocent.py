"""Ratings as those of real films: nobody is accused who is right, and what is wrong is found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.ratings.drawn import AT_LARGE, BEST, OLD, POPULAR, WORST, draw
from tmdbkit.quality import RULES, find

if TYPE_CHECKING:
    from tests.ratings.drawn import Kind

pytestmark = pytest.mark.once

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = {
    id(AT_LARGE): "large",
    id(POPULAR): "popular",
    id(OLD): "old",
    id(BEST): "best",
    id(WORST): "worst",
}
COLUMN_RULES = ("swapped_systems", "other_movies")


def errors(ratings: pl.DataFrame) -> pl.DataFrame:
    movies = ratings.select("tmdb_id").unique(maintain_order=True)
    rules = [rule for rule in RULES if rule.of == "rating"]
    return find(movies, ratings, rules, now=NOW).filter(severity="error")


@pytest.mark.parametrize(
    ("kind", "films"),
    [
        *((kind, 30) for kind in (AT_LARGE, POPULAR, OLD, BEST, WORST)),
        *(
            pytest.param(kind, 100, marks=pytest.mark.large)
            for kind in (AT_LARGE, POPULAR, OLD, BEST)
        ),
    ],
    ids=lambda given: given if isinstance(given, int) else NAMES[id(given)],
)
def test_columns_of_right_ratings_are_accused_of_nothing(kind: Kind, films: int) -> None:
    stages = [draw(kind, films, seed) for seed in range(6)]
    found = pl.concat(map(errors, stages)).filter(pl.col("rule").is_in(COLUMN_RULES))
    assert found.is_empty()


def test_of_a_thousand_popular_films_no_column_is_withheld() -> None:
    found = errors(draw(POPULAR, 1_000, seed=1))
    assert found.filter(pl.col("rule").is_in(COLUMN_RULES)).is_empty()
    assert found.height <= 2  # some of those that were drawn to go with no other


@pytest.mark.parametrize(("one", "other"), [("imdb", "tmdb"), ("metacritic", "rotten_tomatoes")])
def test_two_columns_that_changed_their_names_are_not_taken_for_other_movies(
    one: str, other: str
) -> None:
    ratings = draw(POPULAR, 300, seed=2)
    names = pl.col("system").replace({one: other, other: one})
    found = errors(ratings.with_columns(names))
    assert "other_movies" not in found["rule"].to_list()


def test_a_column_that_moved_by_a_row_is_found_and_no_other_one_accused() -> None:
    ratings = draw(POPULAR, 300, seed=3)
    moved = ratings.filter(system="letterboxd").sort("tmdb_id")
    moved = moved.with_columns(pl.col("points", "score_100", "votes").shift(1).fill_null(0))
    found = errors(pl.concat([ratings.filter(pl.col("system") != "letterboxd"), moved]))
    of_columns = found.filter(rule="other_movies")
    assert of_columns["system"].unique().to_list() == ["letterboxd"]
    assert of_columns.height > 200
