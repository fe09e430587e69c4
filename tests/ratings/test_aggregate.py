from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tmdbkit.ratings.aggregate import CONSENSUS, MIDDLE, consensus, prefer, vote_objects, wide
from tmdbkit.ratings.agreement import POINTS as MODEL
from tmdbkit.ratings.model import AUDIENCE, POINTS_OF, RATINGS
from tmdbkit.schema import POINTS, SCALES, SYSTEMS, VOTES

pytestmark = pytest.mark.once

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = datetime(2026, 1, 2, tzinfo=UTC)
LEVEL, DISPERSION = MODEL.level, MODEL.dispersion


def rating(
    system: str,
    points: float | None,
    votes: int | None = 1_000,
    tmdb_id: int = 1,
    provider: str = "mdblist",
    at: datetime = T0,
) -> tuple[Any, ...]:
    scale = POINTS_OF[system]
    score = None if points is None else points * 100 / scale
    return (tmdb_id, system, points, scale, score, votes, provider, at)


def frame(*ratings: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(ratings, RATINGS, orient="row")


def usual(deviations: float, *systems: str, **more: Any) -> list[tuple[Any, ...]]:
    """Ratings so many dispersions above each system's level."""
    return [
        rating(s, (LEVEL[s] + deviations * DISPERSION[s]) * SCALES[s] / 100, **more)
        for s in systems
    ]


# Which provider's rating it is.


def chosen(*ratings: tuple[Any, ...], order: tuple[str, ...] = ("imdb", "omdb")) -> Any:
    return prefer(frame(*ratings), order).select("provider", "points", "votes").rows()


def test_the_first_provider_in_the_order_is_preferred() -> None:
    omdb, imdb = rating("imdb", 7.0, provider="omdb"), rating("imdb", 7.1, provider="imdb")
    assert chosen(omdb, imdb) == [("imdb", 7.1, 1_000)]
    assert chosen(omdb, imdb, order=("omdb", "imdb")) == [("omdb", 7.0, 1_000)]


def test_a_provider_without_points_gives_way_with_its_votes() -> None:
    silent = rating("imdb", None, 5_000, provider="imdb")
    assert chosen(silent, rating("imdb", 7.0, None, provider="omdb")) == [("omdb", 7.0, None)]


def test_points_on_which_nobody_voted_give_way() -> None:
    empty = rating("imdb", 0.0, 0, provider="imdb")
    assert chosen(empty, rating("imdb", 7.0, provider="omdb")) == [("omdb", 7.0, 1_000)]


def test_votes_alone_stand_where_nobody_has_points() -> None:
    nothing = rating("metacritic", None, None, provider="imdb")
    assert chosen(nothing, rating("metacritic", None, 3)) == [("mdblist", None, 3)]


def test_a_provider_that_is_not_in_the_order_comes_last() -> None:
    other = rating("imdb", 6.0, provider="table", at=T1)
    assert chosen(other, rating("imdb", 7.0, provider="omdb")) == [("omdb", 7.0, 1_000)]


def test_of_one_provider_the_newest_counts() -> None:
    old, new = rating("imdb", 7.0, provider="omdb"), rating("imdb", 7.2, provider="omdb", at=T1)
    assert chosen(new, old) == chosen(old, new) == [("omdb", 7.2, 1_000)]


ROWS = st.builds(
    rating,
    st.sampled_from(sorted(POINTS_OF)),
    st.none() | st.floats(0, 5),
    st.none() | st.integers(0, 9),
    st.integers(1, 3),
    st.sampled_from(["imdb", "omdb", "table"]),
    st.sampled_from([T0, T1]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS))
def test_what_is_preferred_is_one_whole_row_of_each_movie_and_system(rows: list[Any]) -> None:
    ratings = frame(*rows)
    found = prefer(ratings, ["omdb", "imdb"])
    assert found.height == ratings.select("tmdb_id", "system").n_unique()
    assert set(found.rows()) <= set(ratings.rows())


# The document's two objects.


def test_a_document_has_the_five_systems_points_and_votes_on_their_own_scales() -> None:
    row = vote_objects(frame(rating("imdb", 8.1, 9), rating("letterboxd", 4.2, None))).row(
        0, named=True
    )
    nothing = dict.fromkeys(SYSTEMS)
    assert row["vote_pts_system"] == {**nothing, "imdb": 8.1, "letterboxd": 4.2}
    assert row["vote_count_system"] == {**nothing, "imdb": 9}


def test_the_audience_of_rotten_tomatoes_is_no_system_of_a_document() -> None:
    row = vote_objects(frame(rating(AUDIENCE, 80.0))).row(0, named=True)
    assert set(row["vote_pts_system"].values()) == {None}


def test_no_votes_are_no_rating_of_0() -> None:
    row = vote_objects(frame(rating("tmdb", 0.0, 0))).row(0, named=True)
    assert (row["vote_pts_system"]["tmdb"], row["vote_count_system"]["tmdb"]) == (None, None)


def test_a_rating_of_0_by_somebody_stays_0() -> None:
    row = vote_objects(frame(rating("tmdb", 0.0, 3))).row(0, named=True)
    assert (row["vote_pts_system"]["tmdb"], row["vote_count_system"]["tmdb"]) == (0.0, 3)


def test_points_are_rounded_as_finely_as_tmdb_rounds() -> None:
    row = vote_objects(frame(rating("imdb", 7.700000000000001))).row(0, named=True)
    assert row["vote_pts_system"]["imdb"] == 7.7


def test_no_ratings_make_no_objects_of_the_contract_s_types() -> None:
    found = vote_objects(frame())
    assert found.is_empty()
    assert found.schema["vote_count_system"] == VOTES
    assert found.schema["vote_pts_system"] == POINTS


# One row a movie.


def test_a_movie_s_row_has_points_votes_and_score_of_each_system() -> None:
    row = wide(frame(rating("imdb", 8.0, 9), rating("tmdb", None, 4))).row(0, named=True)
    assert (row["imdb_points"], row["imdb_votes"], row["imdb_score"]) == (8.0, 9, 80.0)
    assert (row["tmdb_points"], row["tmdb_votes"], row["tmdb_score"]) == (None, 4, None)
    assert row["metacritic_points"] is None


@pytest.mark.parametrize("points", [7.2, -1.0, float("nan"), float("inf")])
def test_points_that_are_on_no_scale_have_no_score(points: float) -> None:
    assert wide(frame(rating("letterboxd", points)))["letterboxd_score"].to_list() == [None]


# What they say together.


def test_a_movie_that_is_average_everywhere_has_no_spread() -> None:
    row = consensus(frame(*usual(0.5, *SYSTEMS))).row(0, named=True)
    assert row["spread"] < 0.1  # 1,000 votes are nearly, not quite, enough
    assert row["systems"] == 5


def test_a_system_that_always_rates_lower_or_wider_says_nothing_by_that() -> None:
    for system in SYSTEMS:
        at_level, above = (frame(*usual(d, system, votes=None)) for d in (0, 1))
        assert consensus(at_level)["consensus"].item() == pytest.approx(MIDDLE, abs=0.1)
        assert MIDDLE + 9 < consensus(above)["consensus"].item() < MIDDLE + 17


def test_systems_that_disagree_have_a_spread() -> None:
    row = consensus(frame(*usual(-2, "imdb"), *usual(1, "metacritic"))).row(0, named=True)
    assert row["spread"] > 20


def test_few_votes_are_drawn_to_their_system_s_level() -> None:
    few, many = (
        consensus(frame(*usual(2, "tmdb", votes=votes)))["consensus"].item() for votes in (1, 9_999)
    )
    middle = sum(LEVEL.values()) / len(LEVEL)
    assert middle < few < middle + (many - middle) / 5


def test_few_reviews_say_more_than_as_few_votes_of_the_audience() -> None:
    critics, audience = (
        consensus(frame(*usual(1, system, votes=10)))["certainty"].item()
        for system in ("metacritic", "tmdb")
    )
    assert critics > audience


def test_more_systems_and_more_votes_make_a_consensus_surer() -> None:
    one_vote, one, five = (
        consensus(frame(*rows))["certainty"].item()
        for rows in (usual(0, "imdb", votes=1), usual(0, "imdb"), usual(0, *SYSTEMS))
    )
    assert 0 < one_vote < one < five < 1


def test_a_consensus_is_less_sure_where_systems_disagree() -> None:
    agree, disagree = (
        consensus(frame(*usual(0, "imdb"), *usual(away, "metacritic", "rotten_tomatoes")))
        for away in (-0.3, -1.8)
    )
    assert disagree["certainty"].item() < agree["certainty"].item() - 0.2


def test_which_systems_there_are_makes_no_offset() -> None:
    usual_films = [
        consensus(frame(*usual(0, *known, votes=None)))["consensus"].item()
        for known in (("imdb",), ("metacritic",), ("letterboxd", "rotten_tomatoes"), SYSTEMS)
    ]
    assert usual_films == pytest.approx([MIDDLE] * 4, abs=0.1)


def test_one_system_has_a_consensus_and_no_spread() -> None:
    row = consensus(frame(*usual(0, "imdb"))).row(0, named=True)
    assert row["consensus"] is not None
    assert row["spread"] is None


def test_a_movie_without_ratings_has_no_consensus() -> None:
    row = consensus(frame(rating("tmdb", None, None))).row(0, named=True)
    assert (row["consensus"], row["spread"], row["systems"]) == (None, None, 0)


def test_no_movies_have_no_consensus_of_the_same_types() -> None:
    assert consensus(frame()).schema == CONSENSUS


@settings(max_examples=25, deadline=None)
@given(st.lists(ROWS, min_size=1))
def test_a_consensus_is_within_the_scale_and_depends_on_no_other_movie(rows: list[Any]) -> None:
    ratings = prefer(frame(*rows), [])
    together = consensus(ratings)
    alone = [consensus(one) for one in ratings.partition_by("tmdb_id", maintain_order=True)]
    assert_frame_equal(together, pl.concat(alone))
    assert together["consensus"].drop_nulls().is_between(0, 100).all()
    assert together["certainty"].is_between(0, 1).all()


# What the others let one expect.


def expected(system: str, **scores: float) -> tuple[float, float]:
    row = {f"{s}_score": scores.get(s) for s in SYSTEMS} | {f"{s}_votes": None for s in SYSTEMS}
    told = MODEL.compare(pl.DataFrame([row], dict.fromkeys(row, pl.Float64)))
    return told[f"{system}_score_expected"].item(), told[f"{system}_score_deviation"].item()


def test_without_others_a_system_s_level_and_dispersion_are_expected() -> None:
    assert expected("imdb") == pytest.approx((LEVEL["imdb"], DISPERSION["imdb"]), rel=1e-3)


def test_one_other_gives_the_textbook_s_regression_line() -> None:
    slope = MODEL.covariance("imdb", "tmdb") / DISPERSION["tmdb"] ** 2
    line = LEVEL["imdb"] + slope * (80 - LEVEL["tmdb"])
    assert expected("imdb", tmdb=80)[0] == pytest.approx(line, rel=1e-3)


def test_each_other_that_is_known_makes_it_surer() -> None:
    deviations = [
        expected("metacritic", **dict.fromkeys(SYSTEMS[:count], 70.0))[1] for count in (0, 1, 2)
    ]
    both = expected("metacritic", imdb=70.0, rotten_tomatoes=70.0)[1]
    assert deviations[0] > deviations[1] > deviations[2] > both


def test_a_rating_is_not_expected_by_itself() -> None:
    low, high = (expected("imdb", imdb=own, tmdb=80.0) for own in (10.0, 90.0))
    assert low == pytest.approx(high)
