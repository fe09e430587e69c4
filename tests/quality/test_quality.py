from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import selectors as cs

import tmdbkit
from tmdbkit import quality, transform
from tmdbkit.demo import RECORDED_AT, sample_payloads
from tmdbkit.exceptions import UsageError
from tmdbkit.quality import FINDINGS, RULES, Rule, find, withheld
from tmdbkit.quality.same_film import SAME_FILM_RULES
from tmdbkit.ratings.agreement import POINTS
from tmdbkit.ratings.model import AUDIENCE, POINTS_OF, RATINGS, STEPS
from tmdbkit.schema import SCALES, SYSTEMS
from tmdbkit.stage.card import flat
from tmdbkit.stage.tables import PAYLOADS, STAGED

pytestmark = pytest.mark.once

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FETCHED = datetime(2026, 5, 1, tzinfo=UTC)
NAMES = {rule.name for rule in RULES}
TESTED = 60  # movies in a stage of invented ratings
PROVIDERS = {"tmdb": "tmdb", "imdb": "imdb"}
LEVEL, DISPERSION = POINTS.level, POINTS.dispersion


def points_at(system: str, score: float) -> float:
    """Points in the step that the system gives, of a score in points of 100."""
    step = STEPS[system]
    return round(round(min(max(score, 1), 99) * SCALES[system] / 100 / step) * step, 3)


def rating(tmdb_id: int, system: str, points: float | None, **more: Any) -> tuple[Any, ...]:
    scale = POINTS_OF[system]
    score = None if points is None else points * 100 / scale
    provider = more.get("provider", PROVIDERS.get(system, "mdblist"))
    at = more.get("fetched_at", FETCHED)
    return (tmdb_id, system, points, scale, score, more.get("votes", 1_000), provider, at)


def frame(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, RATINGS, orient="row")


def invented(movies: int = TESTED, seed: int = 1, systems: tuple[str, ...] = SYSTEMS) -> Any:
    """Ratings that go together as the systems' do: normal, with the model's correlations."""
    draw = random.Random(seed)
    rows = []
    for tmdb_id in range(1, movies + 1):
        standard = [draw.gauss(0, 1) for _ in SYSTEMS]
        for system, weights in zip(SYSTEMS, CHOLESKY, strict=True):
            standing = sum(w * z for w, z in zip(weights, standard, strict=True))
            points = points_at(system, LEVEL[system] + DISPERSION[system] * standing)
            if system in systems:
                rows.append(rating(tmdb_id, system, points))
    return frame(*rows)


def cholesky() -> list[list[float]]:
    """The lower triangle whose product with its own transpose is the systems' correlations."""
    size = len(SYSTEMS)
    lower = [[0.0] * size for _ in range(size)]
    for i, one in enumerate(SYSTEMS):
        for j, other in enumerate(SYSTEMS[: i + 1]):
            together = POINTS.covariance(one, other) / DISPERSION[one] / DISPERSION[other]
            rest = together - sum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return lower


CHOLESKY = cholesky()


def movie(tmdb_id: int = 1, **facts: Any) -> dict[str, Any]:
    """A movie that breaks no rule, but for the facts that are given."""
    return {
        "tmdb_id": tmdb_id,
        "title": f"Film {tmdb_id}",
        "original_title": f"Film {tmdb_id}",
        "year": 2001,
        "directors": ["Ann"],
        "runtime_minutes": 90,
        "original_language": "English",
        "status": "Released",
        "release_date": "2001-05-04",
        "budget": 0,
        "imdb_id": f"tt{tmdb_id + 5_000_000}",
        "slug": f"film-{tmdb_id}",
        "main_poster": "/p.jpg",
        "synopsis": "Somebody goes somewhere.",
    } | facts


def table(*movies: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(movies), infer_schema_length=None)


def rated(ratings: pl.DataFrame, *movies: dict[str, Any]) -> pl.DataFrame:
    """What is found in ratings of movies with which nothing else is wrong."""
    ids = ratings["tmdb_id"].unique(maintain_order=True)
    films = movies or [movie(tmdb_id) for tmdb_id in ids]
    return find(table(*films) if films else table(movie(0)), ratings, now=NOW)


def broken(findings: pl.DataFrame, rule: str) -> set[tuple[Any, ...]]:
    assert rule in NAMES
    return set(findings.filter(pl.col("rule") == rule).select("tmdb_id", "system").rows())


def changed(
    ratings: pl.DataFrame, system: str, points: pl.Expr | pl.Series | float, *ids: int
) -> pl.DataFrame:
    """Other points for a system: of all movies, or of some."""
    own = (pl.col("system") == system) & (pl.col("tmdb_id").is_in(ids) if ids else True)
    if not isinstance(points, pl.Series):
        there = pl.when(own).then(points).otherwise("points")
        return ratings.with_columns(there.cast(pl.Float64).alias("points"))
    moved = ratings.filter(own).with_columns(points.alias("points"))
    return pl.concat([ratings.filter(~own), moved])


# Clean ratings.


def test_ratings_that_go_together_have_no_errors_and_few_warnings() -> None:
    ratings = invented(300)
    found = rated(ratings)
    assert found.filter(pl.col("severity") == "error").is_empty()
    assert found.height <= 0.03 * ratings.height


@pytest.mark.parametrize(("movies", "seed"), [(1, 1), (2, 2), (10, 3), (10, 4), (25, 5), (25, 6)])
def test_a_small_stage_has_no_errors_by_chance(movies: int, seed: int) -> None:
    found = rated(invented(movies, seed))
    assert found.filter(pl.col("severity") == "error").is_empty()


# One rating.

OFF_SCALE = [("letterboxd", 7.2), ("imdb", 74.0), ("metacritic", -1.0), ("tmdb", float("nan"))]


@pytest.mark.parametrize(("system", "points"), OFF_SCALE)
def test_points_off_their_system_s_scale_are_an_error(system: str, points: float) -> None:
    found = rated(frame(rating(1, system, points), rating(2, system, SCALES[system] / 2)))
    assert broken(found, "outside_scale") == {(1, system)}


# A system's points where a film stands so many of its dispersions above or below its level.
MIXED_UP = [
    ("metacritic", 8.0, 0.9),
    ("metacritic", 4.0, 0.9),
    ("rotten_tomatoes", 9.0, 0.8),
    ("imdb", 3.7, 1.0),
    ("tmdb", 3.55, 1.0),
    ("letterboxd", 3.6, -2.0),
]


@pytest.mark.parametrize(("system", "points", "standing"), MIXED_UP)
def test_points_that_fit_the_others_on_another_scale_only_are_an_error(
    system: str, points: float, standing: float
) -> None:
    fair = {s: points_at(s, LEVEL[s] + standing * DISPERSION[s]) for s in SYSTEMS}
    mixed_up = rated(frame(*(rating(1, s, p) for s, p in {**fair, system: points}.items())))
    right = rated(frame(*(rating(1, s, p) for s, p in fair.items())))
    assert broken(mixed_up, "scale_mix_up") == {(1, system)}
    assert broken(right, "scale_mix_up") == set()


def test_a_metacritic_of_8_1_that_stands_alone_is_on_another_scale() -> None:
    found = rated(frame(rating(1, "metacritic", 8.1), rating(2, "metacritic", 8.0)))
    assert broken(found, "scale_mix_up") == {(1, "metacritic")}


def test_a_film_that_all_dislike_has_its_scale_right() -> None:
    low = {"imdb": 2.2, "letterboxd": 1.0, "metacritic": 9.0, "rotten_tomatoes": 4.0, "tmdb": 3.5}
    found = rated(frame(*(rating(1, s, points) for s, points in low.items())))
    assert found.filter(pl.col("severity") == "error").is_empty()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_rating_far_from_what_the_others_say_is_a_warning(system: str) -> None:
    fair = {s: points_at(s, LEVEL[s]) for s in SYSTEMS}
    off = points_at(system, LEVEL[system] - 3 * DISPERSION[system])
    found = rated(frame(*(rating(1, s, p) for s, p in {**fair, system: off}.items())))
    assert broken(found, "far_off") == {(1, system)}
    assert broken(rated(frame(*(rating(1, s, p) for s, p in fair.items()))), "far_off") == set()


def test_it_says_what_the_others_let_one_expect() -> None:
    fair = {s: points_at(s, LEVEL[s]) for s in SYSTEMS}
    ratings = frame(*(rating(1, s, p) for s, p in {**fair, "imdb": 3.0}.items()))
    (row,) = rated(ratings).filter(pl.col("rule") == "far_off").rows(named=True)
    assert (row["value"], row["why"]) == (
        "3 of 10",
        "Letterboxd 3.02, Metacritic 56, Rotten Tomatoes 57 % and TMDB 6.22 suggest about 6.1",
    )


def test_two_systems_that_differ_accuse_neither() -> None:
    found = rated(frame(rating(1, "imdb", 3.0), rating(1, "tmdb", 8.0)))
    assert broken(found, "far_off") == set()


def test_a_rating_of_few_votes_may_be_far_off() -> None:
    fair = [rating(1, s, points_at(s, 85)) for s in SYSTEMS if s != "tmdb"]
    few = rated(frame(*fair, rating(1, "tmdb", 6.0, votes=2)))
    many = rated(frame(*fair, rating(1, "tmdb", 6.0, votes=9_000)))
    assert broken(few, "far_off") == set()
    assert broken(many, "far_off") == {(1, "tmdb")}


def test_a_rating_of_few_votes_accuses_no_other() -> None:
    ratings = [rating(1, s, points_at(s, 85)) for s in ("imdb", "letterboxd")]
    found = rated(frame(*ratings, rating(1, "tmdb", 2.0, votes=3)))
    assert broken(found, "far_off") <= {(1, "tmdb")}


@pytest.mark.parametrize(
    ("system", "points", "finer"),
    [
        ("imdb", 7.25, True),
        ("imdb", 7.2, False),
        ("metacritic", 71.5, True),
        ("tmdb", 7.123, False),
    ],
)
def test_points_finer_than_their_system_gives_are_a_warning(
    system: str, points: float, finer: bool
) -> None:
    assert bool(broken(rated(frame(rating(1, system, points))), "too_fine")) is finer


def test_points_that_went_through_float32_are_not_too_fine() -> None:
    ratings = frame(rating(1, "imdb", 7.7), rating(2, "tmdb", 7.123))
    narrow = ratings.with_columns(pl.col("points").cast(pl.Float32).cast(pl.Float64))
    assert broken(rated(narrow), "too_fine") == set()


def test_points_without_votes_are_a_warning_where_the_provider_gives_both() -> None:
    votes = {1: None, 2: 0}
    ratings = frame(*(rating(n, "imdb", 7.0 + n / 100, votes=votes.get(n, 99)) for n in range(20)))
    assert broken(rated(ratings), "points_without_votes") == {(1, "imdb"), (2, "imdb")}


def test_points_without_votes_are_none_where_the_provider_gives_none() -> None:
    ratings = frame(*(rating(n, "metacritic", 50.0 + n, votes=None) for n in range(9)))
    assert broken(rated(ratings), "points_without_votes") == set()


def test_a_film_on_which_nobody_voted_is_no_finding() -> None:
    assert rated(frame(rating(1, "tmdb", 0.0, votes=0))).is_empty()


def test_many_votes_without_points_are_a_warning() -> None:
    ratings = frame(rating(1, "imdb", None, votes=500), rating(2, "metacritic", None, votes=3))
    assert broken(rated(ratings), "votes_without_points") == {(1, "imdb")}


def test_a_perfect_score_or_0_on_few_votes_is_a_warning() -> None:
    ratings = frame(
        rating(1, "tmdb", 10.0, votes=2),
        rating(2, "tmdb", 0.0, votes=1),
        rating(3, "tmdb", 10.0, votes=90_000),
        rating(4, "tmdb", 8.0, votes=2),
        rating(5, "rotten_tomatoes", 100.0, votes=8),
    )
    found = rated(ratings)
    assert broken(found, "extreme_on_few_votes") == {(1, "tmdb"), (2, "tmdb")}
    few = found.filter(rule="extreme_on_few_votes").sort("tmdb_id")
    assert few["why"].to_list() == ["2 votes", "1 vote"]


def with_audience(equal: int, films: int = 40) -> pl.DataFrame:
    critics = [rating(n, "rotten_tomatoes", 40.0 + n) for n in range(1, films + 1)]
    audience = [rating(n, AUDIENCE, 40.0 + n + (n > equal)) for n in range(1, films + 1)]
    return frame(*critics, *audience)


def test_the_audience_s_score_as_the_critics_is_a_warning() -> None:
    found = rated(with_audience(8))
    assert broken(found, "audience_for_critics") == {(n, "rotten_tomatoes") for n in range(1, 9)}


@pytest.mark.parametrize("equal", [0, 1, 2])
def test_critics_and_audience_are_of_one_mind_by_chance(equal: int) -> None:
    assert broken(rated(with_audience(equal)), "audience_for_critics") == set()


def test_a_rating_older_than_its_film_is_a_warning_once_that_is_out() -> None:
    early = datetime(2026, 4, 1, tzinfo=UTC)
    ratings = frame(*(rating(n, "imdb", 7.0, fetched_at=early) for n in (1, 2, 3)))
    dates = {1: "2026-05-05", 2: "2026-03-05", 3: "2026-12-24"}
    films = (movie(n, release_date=date, status="") for n, date in dates.items())
    assert broken(rated(ratings, *films), "before_release") == {(1, "imdb")}


def test_a_rating_of_more_than_a_year_ago_is_stale() -> None:
    old = NOW - timedelta(days=366)
    ratings = frame(rating(1, "imdb", 7.0, fetched_at=old), rating(2, "imdb", 7.0))
    assert broken(rated(ratings), "stale") == {(1, "imdb")}


def test_a_rating_that_was_fetched_later_than_now_is_a_warning() -> None:
    ahead = NOW + timedelta(days=365)
    ratings = frame(
        rating(1, "imdb", 7.0, fetched_at=ahead),
        rating(2, "imdb", None, fetched_at=ahead),
        rating(3, "imdb", 7.0, fetched_at=NOW),
    )
    assert broken(rated(ratings), "fetched_in_future") == {(1, "imdb"), (2, "imdb")}


# A column.


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_that_is_the_same_everywhere_is_an_error(system: str) -> None:
    found = rated(changed(invented(), system, points_at(system, 70)))
    assert broken(found, "same_everywhere") == {(n, system) for n in range(1, TESTED + 1)}
    assert set(withheld(found)["system"]) == {system}


def test_two_films_of_the_same_rating_are_no_column() -> None:
    ratings = frame(*(rating(n, "imdb", 7.0) for n in (1, 2)))
    assert rated(ratings).is_empty()


@pytest.mark.parametrize(("system", "by"), list(zip(SYSTEMS, (1, 2, 7, 20, 1), strict=True)))
def test_a_column_that_is_shifted_against_the_ids_is_an_error(system: str, by: int) -> None:
    ratings = invented()
    own = ratings.filter(pl.col("system") == system)["points"].to_list()
    found = rated(changed(ratings, system, pl.Series(own[by:] + own[:by])))
    assert broken(found, "other_movies") == {(n, system) for n in range(1, TESTED + 1)}
    assert set(withheld(found)["system"]) == {system}


def test_a_provider_that_is_shifted_with_all_its_systems_does_not_vouch_for_itself() -> None:
    systems = ("letterboxd", "metacritic", "rotten_tomatoes", "tmdb")
    ratings = invented(systems=systems)
    its = pl.col("provider") == "mdblist"
    moved = pl.when(its).then(pl.col("tmdb_id") % TESTED + 1).otherwise("tmdb_id")
    found = rated(ratings.with_columns(moved.alias("tmdb_id")))
    assert {system for _, system in broken(found, "one_of_two")} == set(systems)
    assert withheld(found).is_empty()


SWAPS = [
    ("metacritic", "rotten_tomatoes"),
    ("imdb", "tmdb"),
    ("imdb", "letterboxd"),
    ("imdb", "metacritic"),
    ("letterboxd", "rotten_tomatoes"),
]


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_two_systems_that_are_swapped_are_an_error(one: str, other: str) -> None:
    ratings = invented()
    names = pl.col("system").replace({one: other, other: one})
    swapped = ratings.with_columns(names.alias("system"))
    found = rated(swapped)
    both = {(n, system) for n in range(1, TESTED + 1) for system in (one, other)}
    assert broken(found, "swapped_systems") == both
    assert set(withheld(found)["system"]) == {one, other}


def test_another_provider_s_column_of_the_same_system_stays_trusted() -> None:
    ratings = invented(160)
    first = pl.col("tmdb_id") <= 80
    provider = pl.when((pl.col("system") == "imdb") & first).then(pl.lit("omdb"))
    mixed = ratings.with_columns(provider.otherwise("provider").alias("provider"))
    wrong = mixed.with_columns(
        pl.when((pl.col("system") == "imdb") & first).then(7.3).otherwise("points").alias("points")
    )
    found = broken(rated(wrong), "same_everywhere")
    assert found == {(n, "imdb") for n in range(1, 81)}


# A movie's document.

FAULTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("imdb_id_malformed", {"imdb_id": "tt12"}, {"imdb_id": ""}),
    ("imdb_id_malformed", {"imdb_id": "nm0000123"}, {"imdb_id": "tt0000123"}),
    ("imdb_id_is_tmdb_id", {"imdb_id": "tt0000001"}, {"imdb_id": "tt0000012"}),
    ("imdb_id_is_tmdb_id", {"imdb_id": "1"}, {"imdb_id": "tt12345678"}),
    ("title_not_asked_for", {"asked_title": "Heat"}, {"asked_title": "film 1"}),
    ("year_not_asked_for", {"asked_year": 1995}, {"asked_year": 2002}),
    ("date_malformed", {"release_date": "31.12.1999"}, {"release_date": ""}),
    ("date_malformed", {"release_date": "2001-13-01"}, {"release_date": "2001-12-01"}),
    ("released_in_future", {"release_date": "2027-01-01"}, {"release_date": "2026-05-31"}),
    ("runtime_missing", {"runtime_minutes": 0}, {"runtime_minutes": 0, "status": "Planned"}),
    ("runtime_long", {"runtime_minutes": 1_201}, {"runtime_minutes": 1_200}),
    ("budget_in_millions", {"budget": 63}, {"budget": 63_000_000}),
    ("slug_empty", {"slug": ""}, {"slug": "a"}),
    ("taken_back", {"taken_back": "main_poster"}, {"taken_back": None}),
    ("not_on_tmdb", {"not_on_tmdb": True}, {"not_on_tmdb": None}),
    ("adult", {"adult": True}, {"adult": False}),
    ("softcore", {"softcore": True}, {"softcore": None}),
    ("synopsis_missing", {"synopsis": " "}, {"synopsis": "A dog waits."}),
    ("synopsis_missing", {"synopsis": None}, {"synopsis": "X"}),
    ("poster_missing", {"main_poster": None}, {"main_poster": "https://example.org/p.jpg"}),
    ("language_unknown", {"original_language": "en"}, {"original_language": "No Language"}),
    ("director_missing", {"directors": []}, {"directors": [7]}),
]


@pytest.mark.parametrize(("rule", "fault", "fine"), FAULTS)
def test_a_document_s_fault_is_found_by_its_own_rule_alone(
    rule: str, fault: dict[str, Any], fine: dict[str, Any]
) -> None:
    beside = {"imdb_id_malformed"} if fault.get("imdb_id") == "1" else set()
    wrong = find(table(movie(**fault)), frame(), now=NOW)
    assert set(wrong["rule"]) - beside == {rule}
    assert set(wrong["severity"]) == {"warning"}
    assert find(table(movie(**fine)), frame(), now=NOW).is_empty()


@pytest.mark.parametrize("runtime", [0, None])
def test_a_runtime_that_is_not_there_is_no_value_to_show(runtime: int | None) -> None:
    found = find(table(movie(runtime_minutes=runtime)), frame(), now=NOW)
    assert found["value"].to_list() == [""]


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ("amelie", "Amélie"),
        ("Star Wars", "Star Wars: Episode IV"),
        ("The Thing", "Thing"),
        ("Spider Man", "Spider-Man"),
    ],
)
def test_a_title_that_is_written_otherwise_is_the_one_asked_for(asked: str, title: str) -> None:
    found = find(table(movie(title=title, asked_title=asked)), frame(), now=NOW)
    assert found.is_empty()


def test_the_original_title_may_be_asked_for() -> None:
    film = movie(
        title="Spirited Away", original_title="千と千尋の神隠し", asked_title="千と千尋の神隠し"
    )
    assert find(table(film), frame(), now=NOW).is_empty()


@pytest.mark.parametrize(
    ("rule", "shared"), [("imdb_id_shared", "imdb_id"), ("slug_repeated", "slug")]
)
def test_what_only_one_movie_may_have_is_found_on_both(rule: str, shared: str) -> None:
    films = [movie(n, **{shared: "tt7654321"}) for n in (1, 2)]
    found = find(table(*films, movie(3), movie(4, imdb_id="")), frame(), now=NOW)
    assert broken(found, rule) == {(1, None), (2, None)}


def test_every_rule_about_movies_is_tested() -> None:
    tested = {rule for rule, _, _ in FAULTS} | {"imdb_id_shared", "slug_repeated"}
    tested |= {rule.name for rule in SAME_FILM_RULES}  # in test_same_film
    assert tested == {rule.name for rule in RULES if rule.of == "movie"}


def test_the_sample_has_no_errors() -> None:
    texts = sample_payloads().items()
    rows = [(n, text, RECORDED_AT, STAGED) for n, text in texts]
    movies = flat(transform.transform(pl.DataFrame(rows, PAYLOADS, orient="row")).rows)
    points = movies.select("tmdb_id", "tmdb_points", "tmdb_votes").drop_nulls().rows()
    ratings = frame(*(rating(n, "tmdb", p, votes=v) for n, p, v in points))
    found = find(movies, ratings, now=NOW)
    assert set(found["severity"]) == {"warning"}
    assert set(found["rule"]) >= {"poster_missing", "director_missing", "runtime_missing"}


# Findings.


def test_errors_stand_first_and_of_a_rule_the_farthest_off() -> None:
    fair = {s: points_at(s, LEVEL[s]) for s in SYSTEMS}
    rows = [rating(n, s, p) for n in (1, 2, 3) for s, p in fair.items() if s != "imdb"]
    ratings = frame(*rows, *(rating(n + 1, "imdb", p) for n, p in enumerate((4.5, 3.5, 40.0))))
    found = rated(ratings).filter(pl.col("system") == "imdb")
    assert found.select("tmdb_id", "severity").rows() == [
        (3, "error"),
        (2, "warning"),
        (1, "warning"),
    ]


def test_what_an_error_names_is_withheld_and_nothing_else_of_the_movie() -> None:
    ratings = frame(rating(1, "imdb", 74.0), rating(1, "tmdb", 10.0, votes=1))
    found = rated(ratings, movie(1, slug=""))
    assert withheld(found).rows() == [(1, "imdb")]


def test_a_rule_whose_column_is_missing_is_passed_over() -> None:
    found = find(pl.DataFrame({"tmdb_id": [1], "slug": [""]}), frame(), now=NOW)
    assert found.select("rule", "title").rows() == [("slug_empty", None)]


def test_documents_of_a_target_may_have_decimals_and_ids_for_people() -> None:
    document = movie(runtime_minutes=1_500.0, budget=63.0, directors=[5.0])
    found = find(table(document).with_columns(pl.col("tmdb_id").cast(pl.Float64)), frame(), now=NOW)
    assert set(found["rule"]) == {"runtime_long", "budget_in_millions"}
    assert found.schema == FINDINGS


def test_a_frame_may_have_names_in_one_text_and_flags_as_numbers() -> None:
    films = pl.DataFrame({"tmdb_id": [1, 2], "directors": ["Ann, Bob", ""], "adult": [0, 1]})
    found = tmdbkit.check(films).findings
    assert set(found.select("tmdb_id", "rule").rows()) == {(2, "director_missing"), (2, "adult")}


@pytest.mark.parametrize("votes", [math.nan, math.inf, 1e30])
def test_votes_of_a_frame_that_are_no_number_of_votes_are_none(votes: float) -> None:
    rated = {"tmdb_id": [1, 2], "imdb_points": [6.1, 7.2], "imdb_votes": [900.0, votes]}
    assert tmdbkit.check(pl.DataFrame(rated)).counts()["movies"] == 2


@pytest.mark.parametrize("name", ["imdb_points", "imdb_votes", "runtime_minutes", "title", "adult"])
@pytest.mark.parametrize("value", [[1], {"a": 1}])
def test_a_column_of_a_frame_with_many_values_a_movie_is_one_clear_line(
    name: str, value: object
) -> None:
    with pytest.raises(UsageError, match=f"^{name} of the frame is a .* is wanted$"):
        tmdbkit.check(pl.DataFrame({"tmdb_id": [1], name: [value]}))


def test_a_rule_takes_three_lines() -> None:
    broken_at = pl.col("budget") > 100
    rule = Rule("dear", "warning", "It is dear", broken_at, "movie", pl.col("budget"))
    found = find(table(movie(budget=101), movie(2)), frame(), [rule], now=NOW)
    said = ("It is dear", None, None, False)
    assert found.rows() == [(1, "Film 1", "dear", "warning", None, "101", *said)]


@pytest.mark.parametrize(
    "columns",
    [pl.all(), pl.exclude("title"), pl.col("budget", "year"), pl.col("^.*e$"), cs.string()],
    ids=str,
)
def test_a_rule_may_look_at_columns_of_a_stage_that_it_does_not_name(columns: pl.Expr) -> None:
    stage = tmdbkit.sample()
    lacks = pl.any_horizontal(columns.is_null())
    rule = Rule("lacks", "warning", "It lacks something", lacks, "movie", pl.struct(columns).hash())
    found = tmdbkit.check(stage, rules=[rule], now=NOW).findings
    assert found.rows() == find(*stage.store.for_rules(), [rule], now=NOW).rows() != []


@pytest.mark.parametrize(
    "wrong",
    [
        pl.col("title", "not_there").is_null(),
        pl.col("title") > 5,
        pl.col("title").str.to_date().is_null(),
        pl.col("title").str.contains("["),
        pl.col("year").str.len_chars() > 4,
    ],
    ids=str,
)
def test_a_rule_that_polars_cannot_compute_is_named_in_one_line(wrong: pl.Expr) -> None:
    rule = Rule("mine", "warning", "It is wrong", wrong, "movie", pl.lit(""))
    with pytest.raises(UsageError, match=r"^the rule mine cannot be looked at: .+$"):
        tmdbkit.check(tmdbkit.sample(), rules=[*RULES, rule])


FAR_OFF = pl.lit(2**62).cast(pl.Datetime("ms")).dt.strftime("%Y")  # of which polars panics
NO_DATE = pl.col("title").str.to_date()


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("expression", FAR_OFF == "1999"),
        *((part, NO_DATE) for part in ("value", "why", "degree", "of_column")),
        ("value", FAR_OFF),
        ("value", pl.col("genres")),
        ("value", pl.col("title").head(2)),
        ("proposal", (pl.lit("title"), NO_DATE)),
    ],
)
def test_a_rule_of_which_any_part_cannot_be_computed_is_named(part: str, wrong: Any) -> None:
    parts = {"expression": pl.col("title").is_not_null(), "value": pl.lit(""), part: wrong}
    rule = Rule("mine", "warning", "It is wrong", of="movie", **parts)
    other = replace(rule, name="other", expression=pl.col("title") > 5)
    with pytest.raises(UsageError, match=r"^the rule mine cannot be looked at: [^\n]+$"):
        tmdbkit.check(tmdbkit.sample(), rules=[*RULES, rule, other])


def test_what_is_wrong_with_a_rules_pattern_is_said() -> None:
    rule = Rule(
        "mine", "warning", "It is wrong", pl.col("title").str.contains("["), "movie", pl.lit("")
    )
    with pytest.raises(UsageError, match=r"mine cannot be looked at: .*unclosed character class"):
        tmdbkit.check(tmdbkit.sample(), rules=[rule])


def test_two_rules_of_one_name_are_one_clear_line() -> None:
    with pytest.raises(UsageError, match="far_off is the name of two rules"):
        tmdbkit.check(table(movie()), rules=[*RULES, replace(RULES[0], name="far_off")])


def test_rules_have_names_of_their_own_and_sentences() -> None:
    assert len(NAMES) == len(RULES)
    assert all(rule.sentence[0].isupper() and rule.sentence[-1] != "." for rule in RULES)
    assert quality.RULES is RULES


@pytest.mark.parametrize("films", [table(movie()), table(movie()).clear()])
def test_no_ratings_have_no_findings(films: pl.DataFrame) -> None:
    found = find(films, frame(), now=NOW)
    assert found.is_empty()
    assert found.schema == FINDINGS


def test_ratings_without_points_and_votes_have_no_findings() -> None:
    assert rated(frame(*(rating(1, s, None, votes=None) for s in POINTS_OF))).is_empty()


ANY_RATINGS = st.lists(
    st.builds(
        lambda n, system, points, votes: rating(n, system, points, votes=votes),
        st.integers(1, 4),
        st.sampled_from(sorted(POINTS_OF)),
        st.none() | st.floats(),
        st.none() | st.integers(0, 100),
    ),
    unique_by=lambda row: row[:2],
)


@settings(max_examples=12, deadline=None)
@given(ANY_RATINGS, st.randoms())
def test_any_ratings_are_judged_and_their_order_changes_nothing(rows: Any, draw: Any) -> None:
    found = rated(frame(*rows))
    draw.shuffle(rows)
    assert found.schema == FINDINGS
    assert set(withheld(found).rows()) == set(withheld(rated(frame(*rows))).rows())
    off = {r[:2] for r in rows if r[2] is not None and not 0 <= r[2] <= POINTS_OF[r[1]]}
    assert off == broken(found, "outside_scale")
