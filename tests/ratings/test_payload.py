from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from tmdbkit.ratings.model import RATINGS, Cost
from tmdbkit.ratings.payload import TMDBPayload, of_rows
from tmdbkit.schema import INSTANT, POINTS, VOTES

pytestmark = pytest.mark.once

THEN = datetime(2026, 1, 2, tzinfo=UTC)


def staged(*movies: tuple[int, float | None, int | None]) -> pl.DataFrame:
    rows = [(number, {"tmdb": points}, {"tmdb": votes}, THEN) for number, points, votes in movies]
    schema = {
        "tmdb_id": pl.Int64,
        "vote_pts_system": POINTS,
        "vote_count_system": VOTES,
        "fetched_at": INSTANT,
    }
    return pl.DataFrame(rows, schema, orient="row")


def wanted(*ids: int) -> pl.DataFrame:
    schema = {"tmdb_id": pl.Int64, "imdb_id": pl.String}
    return pl.DataFrame({"tmdb_id": ids, "imdb_id": [""] * len(ids)}, schema)


def test_a_staged_movie_has_tmdbs_rating_as_of_when_it_was_fetched() -> None:
    ratings = of_rows(staged((603, 8.2, 26_000)))
    assert ratings.schema == RATINGS
    assert ratings.rows() == [(603, "tmdb", 8.2, 10.0, 82.0, 26_000, "tmdb", THEN)]


@pytest.mark.parametrize("votes", [0, None])
def test_points_without_votes_are_no_rating(votes: int | None) -> None:
    ratings = of_rows(staged((603, 8.2, votes)))
    assert ratings.select("tmdb_id", "points", "score_100", "votes").rows() == [
        (603, None, None, None)
    ]


def test_lazy_rows_stay_lazy() -> None:
    rows = staged((603, 8.2, 26_000), (550, None, None))
    assert of_rows(rows.lazy()).collect().equals(of_rows(rows))


def test_movies_are_rated_settled_without_votes_or_not_staged() -> None:
    provider = TMDBPayload(staged((603, 8.2, 26_000), (550, None, None), (680, 8.5, 27_000)))
    [came] = provider.collect(wanted(603, 550, 1))
    assert came.asked == [603, 550]
    assert came.ratings["tmdb_id"].to_list() == [603]
    assert came.failed.rows() == [(1, "is not staged")]
    assert provider.cost(wanted(603, 1)) == Cost(0)


def test_no_rows_are_no_ratings() -> None:
    [came] = TMDBPayload(staged()).collect(wanted())
    assert (came.asked, came.ratings.height, came.failed.height) == ([], 0, 0)
    assert came.ratings.schema == RATINGS
