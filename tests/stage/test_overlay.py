"""What is laid over the rows of payloads: whose rating counts, and what a person set."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.ratings.model import RATINGS
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.review import ReviewQueue
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.overlay import BY_HAND

from .conftest import T0, answers, correct, payload, reopened

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once

Rated = tuple[int, str, float | None, int | None]
LATER = T0 + timedelta(days=1)
FIRST_RATED = {"vote_average": 8.2, "vote_count": 100}


def rate(stage: Stage, provider: str, *rated: Rated, at: datetime = T0) -> Stage:
    """Let a provider have said so."""
    rows = [(*row, at) for row in rated]
    schema = {n: RATINGS[n] for n in ("tmdb_id", "system", "points", "votes", "fetched_at")}
    stage.store.add_ratings(as_ratings(pl.DataFrame(rows, schema, orient="row"), provider))
    return stage


def shown(stage: Stage, tmdb_id: int = 1) -> dict[str, tuple[Any, Any]]:
    """Points and votes of a movie's document, of the systems that have some."""
    row = stage.movies().row(by_predicate=pl.col("tmdb_id") == tmdb_id, named=True)
    points, votes = row["vote_pts_system"], row["vote_count_system"]
    both = {system: (points[system], votes[system]) for system in SYSTEMS}
    return {system: rating for system, rating in both.items() if rating != (None, None)}


def chosen(stage: Stage, tmdb_id: int = 1) -> dict[str, tuple[str, float | None]]:
    """Whose rating counts, and its points, by system."""
    rows = stage.ratings().filter(pl.col("chosen"), tmdb_id=tmdb_id)
    return {system: (by, points) for system, by, points in
            rows.select("system", "provider", "points").rows()}  # fmt: skip


@pytest.fixture
def rated(stage: Stage) -> Stage:
    """A stage of two movies; TMDB rates the first."""
    stage.store.add(answers((1, payload(1, "One", **FIRST_RATED), T0), (2, payload(2, "Two"), T0)))
    return stage


def test_without_ratings_of_others_a_document_has_tmdb_s_alone(rated: Stage) -> None:
    assert (shown(rated, 1), shown(rated, 2)) == ({"tmdb": (8.2, 100)}, {})


def test_ratings_that_were_collected_stand_in_the_document_beside_tmdb_s(rated: Stage) -> None:
    rate(rated, "imdb", (1, "imdb", 7.5, 1000), (2, "imdb", 6.0, 20))
    assert shown(rated, 1) == {"imdb": (7.5, 1000), "tmdb": (8.2, 100)}
    assert shown(rated, 2) == {"imdb": (6.0, 20)}


def test_every_view_of_a_movie_has_the_same_ratings(rated: Stage) -> None:
    rate(rated, "imdb", (1, "imdb", 7.5, 1000))
    (batch, _), *_ = rated.store.batches(size=10)
    of_batch = batch.row(by_predicate=pl.col("tmdb_id") == 1, named=True)["vote_pts_system"]
    row = rated.table().row(0, named=True)
    assert of_batch["imdb"] == row["imdb_points"] == rated[1].row["imdb_points"] == 7.5
    assert rated.store.scan_table().filter(tmdb_id=1).collect()["imdb_votes"].item() == 1000


@pytest.mark.parametrize("order", [(T0, LATER), (LATER, T0)])
def test_of_one_provider_the_rating_that_was_written_last_counts_whatever_its_clock_said(
    rated: Stage, order: tuple[datetime, datetime]
) -> None:
    for points, at in zip((7.1, 7.5), order, strict=True):
        rate(rated, "imdb", (1, "imdb", points, 1000), at=at)
    assert shown(rated)["imdb"] == (7.5, 1000)
    rated.compact()
    assert shown(rated)["imdb"] == (7.5, 1000)


def test_of_several_providers_the_first_in_the_settings_that_has_points_counts(
    rated: Stage,
) -> None:
    rate(rated, "omdb", (1, "imdb", 7.0, 10), (1, "metacritic", 60.0, None))
    rate(rated, "mdblist", (1, "imdb", 7.5, 20), (1, "metacritic", None, 5))
    ours = reopened(rated, providers=("mdblist", "omdb"))
    assert chosen(ours)["imdb"] == ("mdblist", 7.5)
    assert chosen(ours)["metacritic"] == ("omdb", 60.0)
    assert shown(ours)["metacritic"] == (60.0, None)
    theirs = reopened(rated, providers=("omdb", "mdblist"))
    assert shown(theirs)["imdb"] == (7.0, 10)


def test_points_and_votes_are_of_the_same_provider(rated: Stage) -> None:
    rate(rated, "mdblist", (1, "imdb", 7.5, None))
    rate(rated, "omdb", (1, "imdb", 7.0, 10))
    assert shown(reopened(rated, providers=("mdblist", "omdb")))["imdb"] == (7.5, None)


def test_each_system_of_a_movie_has_exactly_one_rating_that_counts(rated: Stage) -> None:
    for provider in ("mdblist", "omdb", "table"):
        rate(rated, provider, (1, "imdb", 7.0, 10), (1, "metacritic", 60.0, None))
    counted = rated.ratings().group_by("tmdb_id", "system").agg(pl.col("chosen").sum())
    assert counted["chosen"].to_list() == [1] * counted.height


@pytest.mark.parametrize("at", [T0 - timedelta(days=1), T0, LATER])
@pytest.mark.parametrize("points", [8.2, 80.0])
def test_one_rating_counts_where_tmdb_s_own_was_collected_too(
    rated: Stage, at: datetime, points: float
) -> None:
    rate(rated, "tmdb", (1, "tmdb", points if at != T0 else 8.2, 100), at=at)
    (counts,) = rated.ratings().filter("chosen", system="tmdb")["points"]
    assert {"tmdb": (counts, 100)} == shown(rated)


def test_a_rating_of_nobody_named_counts_where_it_is_the_only_one(rated: Stage) -> None:
    no_name = pl.DataFrame([(2, "imdb", 7.0, 10.0, 70.0, 9, None, T0)], RATINGS, orient="row")
    rated.store.add_ratings(no_name)
    assert (chosen(rated, 2), shown(rated, 2)) == ({"imdb": (None, 7.0)}, {"imdb": (7.0, 9)})


def test_that_a_provider_has_no_rating_is_known_and_is_no_rating(rated: Stage) -> None:
    nothing = [(2, "", None, None, None, None, "omdb", T0)]
    rated.store.add_ratings(pl.DataFrame(nothing, RATINGS, orient="row"))
    assert rated.store.asked("omdb").rows() == [(2, T0)]
    assert shown(rated, 2) == {}
    assert 2 not in rated.ratings()["tmdb_id"]


# What a person set.


def test_a_value_set_by_hand_wins_over_every_provider_and_keeps_the_votes(rated: Stage) -> None:
    rate(rated, "table", (1, "imdb", 7.0, 10))
    correct(rated, "imdb", 7.4, 1)
    assert shown(rated)["imdb"] == (7.4, 10)
    assert chosen(rated)["imdb"] == (BY_HAND, 7.4)


def test_votes_set_by_hand_keep_the_points(rated: Stage) -> None:
    rate(rated, "imdb", (1, "imdb", 7.0, 10))
    correct(rated, "imdb_votes", 12, 1)
    assert shown(rated)["imdb"] == (7.0, 12)


def test_a_value_set_by_hand_survives_refreshes_of_the_movie_and_of_its_ratings(
    rated: Stage,
) -> None:
    correct(rated, "tmdb", 8.0, 1)
    correct(rated, "title", "The One", 1)
    rated.store.add(answers((1, payload(1, "One!", vote_average=9.0, vote_count=500), LATER)))
    rate(rated, "imdb", (1, "tmdb", 9.1, 600), at=LATER)
    fresh = reopened(rated)
    assert shown(fresh)["tmdb"][0] == 8.0
    assert fresh[1].row["title"] == "The One"


def test_a_movie_that_nobody_rates_can_be_rated_by_hand(rated: Stage) -> None:
    correct(rated, "imdb", 7.4, 2)
    assert shown(rated, 2) == {"imdb": (7.4, None)}
    assert chosen(rated, 2) == {"imdb": (BY_HAND, 7.4)}


def test_votes_set_by_hand_stand_where_nobody_has_points(rated: Stage) -> None:
    correct(rated, "imdb_votes", 12, 2)
    assert shown(rated, 2) == {"imdb": (None, 12)}


@pytest.mark.parametrize("system", ["imdb", "tmdb"])
def test_a_rating_taken_away_by_hand_is_gone_whoever_has_it(rated: Stage, system: str) -> None:
    rate(rated, "imdb", (1, system, 7.0, 10))
    rate(rated, "omdb", (1, system, 7.1, 11), at=LATER)
    correct(rated, system, None, 1)
    assert system not in shown(rated)
    assert rated.ratings().filter(tmdb_id=1, system=system).is_empty()


def test_a_movie_whose_only_rating_was_taken_away_has_a_document_without_ratings(
    rated: Stage,
) -> None:
    correct(rated, "tmdb", None, 1)
    row = rated.movies().row(0, named=True)
    assert row["vote_pts_system"] == row["vote_count_system"] == dict.fromkeys(SYSTEMS)


def test_a_correction_that_is_undone_leaves_what_was_before(rated: Stage) -> None:
    review = ReviewQueue(rated, by="ann")
    review.correct("tmdb", 5.0, 1)
    review.correct("tmdb", None, 1)
    review.undo()
    assert shown(rated)["tmdb"] == (5.0, 100)
    review.undo()
    assert shown(rated)["tmdb"] == (8.2, 100)


@pytest.mark.parametrize(
    ("field", "value"),
    [("title", "Uno"), ("runtime_minutes", 99), ("popularity", 1.5), ("tagline", ""),
     ("release_date", "1999-01-02"), ("imdb_id", "tt0000001"), ("budget", 0)],
)  # fmt: skip
def test_any_plain_field_can_be_set_by_hand_and_only_there(
    rated: Stage, field: str, value: Any
) -> None:
    before = rated.movies().row(1, named=True)
    correct(rated, field, value, 1)
    one, two = rated.movies().rows(named=True)
    assert one[field] == value
    assert two == before


def test_the_year_follows_a_date_set_by_hand(rated: Stage) -> None:
    correct(rated, "release_date", "1999-01-02", 1)
    assert rated.table()["year"].to_list() == [1999, None]


def test_several_movies_may_have_values_of_one_field_set(rated: Stage) -> None:
    correct(rated, "popularity", 3, 1)
    correct(rated, "popularity", 1.5, 2)
    assert rated.movies()["popularity"].to_list() == [3.0, 1.5]


# Rated, and not staged.


def test_a_movie_that_is_rated_and_not_staged_stands_apart(rated: Stage) -> None:
    rate(rated, "imdb", (1, "imdb", 7.0, 10), (9, "imdb", 6.5, 3))
    (row,) = rated.store.rated_only().rows(named=True)
    assert (row["tmdb_id"], row["title"]) == (9, "")
    assert row["vote_pts_system"]["imdb"] == 6.5
    assert row["vote_count_system"]["imdb"] == 3
    assert rated.ids() == {1, 2}
    assert rated.store.rated_only([1, 2]).is_empty()


def test_a_correction_holds_for_a_movie_that_was_dropped_since(rated: Stage) -> None:
    rate(rated, "imdb", (1, "imdb", 7.0, 10))
    correct(rated, "imdb", 7.4, 1)
    rated.drop([1])
    (row,) = rated.store.rated_only().rows(named=True)
    assert row["vote_pts_system"]["imdb"] == 7.4
