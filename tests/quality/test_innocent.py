"""Ratings as those of real films: nobody is accused who is right, and what is wrong is found."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.benchmarks.accuracy import share
from tests.benchmarks.planted import RESCALED, on_scale, shifted, swapped, with_votes
from tests.ratings.drawn import AT_LARGE, BEST, OLD, POPULAR, WORST, draw, twin
from tmdbkit.quality import RULES, find, withheld
from tmdbkit.ratings.aggregate import wide
from tmdbkit.ratings.agreement import POINTS
from tmdbkit.ratings.columns import explain
from tmdbkit.ratings.scales import put_on_scale, without_others
from tmdbkit.schema import SYSTEMS

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


# A twin of the fitted model: what accuses the innocent or overlooks a fault fails here in seconds.


def judged(ratings: pl.DataFrame) -> pl.DataFrame:
    movies = ratings.select("tmdb_id").unique(maintain_order=True)
    return find(movies, ratings, [rule for rule in RULES if rule.of == "rating"], now=NOW)


def accused(severity: str, stages: list[pl.DataFrame]) -> float:
    """Which part of the ratings of right stages is found."""
    found = sum(
        judged(ratings).filter(severity=severity).select("tmdb_id", "system").n_unique()
        for ratings in stages
    )
    return found / sum(ratings.height for ratings in stages)


@pytest.mark.parametrize(("films", "stages"), [(30, 12), (100, 10), (1_000, 2)])
def test_of_a_twin_of_real_ratings_few_are_accused(films: int, stages: int) -> None:
    drawn = [twin(films, seed) for seed in range(stages)]
    assert accused("error", drawn) <= 0.005
    assert accused("warning", drawn) <= 0.03


@pytest.mark.parametrize("system", ["imdb", "metacritic", "rotten_tomatoes", "tmdb"])
def test_a_twin_s_column_that_moved_by_a_row_is_withheld_and_no_other(system: str) -> None:
    case = shifted(twin(200, seed=4), system)
    kept_back = withheld(judged(case.ratings))
    assert case.wrong.join(kept_back, on=["tmdb_id", "system"], how="anti").is_empty()
    assert kept_back.filter(pl.col("system") != system).height <= 3


@pytest.mark.parametrize(("one", "other"), [*combinations(SYSTEMS, 2)])
def test_a_twin_s_columns_that_changed_their_names_are_withheld(one: str, other: str) -> None:
    case = swapped(twin(200, seed=5), one, other)
    assert share(judged(case.ratings).filter(rule="swapped_systems"), case.wrong) == 1


@pytest.mark.parametrize("seed", [6, 7, 10])
def test_the_steps_of_a_column_tell_whose_it_is_where_forty_films_tell_too_little(
    seed: int,
) -> None:
    case = swapped(twin(40, seed), "imdb", "letterboxd")
    assert share(judged(case.ratings).filter(rule="swapped_systems"), case.wrong) == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_column_that_somebody_rounded_has_its_own_name_still(seed: int) -> None:
    in_tenths = pl.col("points").round(1)
    rounded = pl.col("system").is_in(["letterboxd", "tmdb"])
    points = pl.when(rounded).then(in_tenths).otherwise("points")
    assert judged(twin(40, seed).with_columns(points=points)).filter(of_column=True).is_empty()


@pytest.mark.parametrize(("system", "scale"), RESCALED)
def test_a_twin_s_column_on_another_scale_is_withheld_and_no_other(
    system: str, scale: float
) -> None:
    case = on_scale(twin(100, seed=6), system, scale, None)
    kept_back = withheld(judged(case.ratings))
    assert case.wrong.join(kept_back, on=["tmdb_id", "system"], how="anti").is_empty()
    assert kept_back.filter(pl.col("system") != system).height <= 2


@pytest.mark.parametrize("factor", [0.001, 1_000.0])
@pytest.mark.parametrize("system", ["imdb", "tmdb"])
def test_a_twin_s_votes_in_thousands_are_withheld(system: str, factor: float) -> None:
    ratings = twin(200, seed=7)
    case = with_votes(ratings, system, factor, range(1, 21))
    counted = ratings.filter(pl.col("system") != system).filter(
        ~pl.col("system").is_in(["metacritic", "rotten_tomatoes"])
    )
    told = case.wrong.join(counted, on="tmdb_id", how="semi")
    assert share(judged(case.ratings).filter(rule="votes_scale"), told) >= 0.95


def test_one_vote_a_thousand_times_is_withheld() -> None:
    ratings = twin(200, seed=7)
    tmdb = ratings.filter(system="tmdb").sort("votes").head(10)["tmdb_id"].to_list()
    few = ratings.with_columns(
        votes=pl.when(pl.col("tmdb_id").is_in(tmdb) & (pl.col("system") == "tmdb"))
        .then(1)
        .otherwise("votes")
    )
    case = with_votes(few, "tmdb", 1_000.0, tmdb)
    assert share(judged(case.ratings).filter(rule="votes_scale"), case.wrong) >= 0.8


@pytest.mark.parametrize("part", [0.05, 0.2])
@pytest.mark.parametrize(
    ("system", "scale"), [("imdb", 5.0), ("letterboxd", 10.0), ("metacritic", 10.0), ("tmdb", 5.0)]
)
def test_a_part_of_a_twin_s_column_on_another_scale_is_withheld_and_hardly_another_value(
    system: str, scale: float, part: float
) -> None:
    ratings = twin(400, seed=8)
    rated = ratings.filter(system=system)["tmdb_id"].to_list()
    case = on_scale(ratings, system, scale, rated[: round(part * len(rated))])
    kept_back = withheld(judged(case.ratings))
    assert share(kept_back, case.wrong) >= (0.8 if scale == 5 else 0.95)
    right = kept_back.join(case.wrong, on=["tmdb_id", "system"], how="anti")
    assert right.height <= 0.01 * ratings.height


def test_the_worst_films_whose_voters_are_angry_are_taken_for_no_mix_of_scales() -> None:
    stages = [draw(WORST, 200, seed) for seed in range(3)]
    found = pl.concat(map(errors, stages))
    rated = sum(stage.height for stage in stages)
    assert found.filter(rule="scale_mix_up").height <= 0.005 * rated


@pytest.mark.parametrize("part", [0.1, 0.2])
def test_wrong_values_widen_none_of_what_a_stage_is_judged_by(part: float) -> None:
    ratings = twin(1_000, seed=9)
    wrong = pl.col("tmdb_id") <= part * 1_000
    moved = pl.when(pl.col("points") > pl.col("scale") / 2).then(0.1).otherwise(0.9)
    bad = ratings.with_columns(
        points=pl.when(wrong & (pl.col("system") == "tmdb"))
        .then(moved * pl.col("scale"))
        .otherwise("points")
    )
    before, after = (
        columns.select("system", "score_width").drop_nulls().unique("system").sort("system")
        for columns in (explain(ratings), explain(bad))
    )
    wider = (after["score_width"] / before["score_width"]).to_list()
    assert wider == pytest.approx([1.0] * 5, abs=0.15)


def test_of_two_providers_parts_on_another_scale_neither_tells_what_a_stage_is_like() -> None:
    ratings = twin(600, seed=10)
    is_even = pl.col("tmdb_id") % 2 == 0
    wrong = (pl.col("system") == "metacritic") & (pl.col("tmdb_id") % 5 == 0)
    bad = ratings.with_columns(
        points=pl.when(wrong).then(pl.col("points") / 10).otherwise("points"),
        provider=pl.when(is_even).then(pl.lit("another")).otherwise("provider"),
    )
    gains, table = put_on_scale(wide(bad), POINTS)
    kept = without_others(table, POINTS, gains).filter(pl.col("metacritic_raw").is_not_null())
    of_wrong = kept.filter(pl.col("tmdb_id") % 5 == 0)
    left = of_wrong.group_by(is_even).agg(pl.col("metacritic_score").is_not_null().mean())
    assert left.height == 2
    assert left["metacritic_score"].max() <= 0.2  # type: ignore[operator]
