"""Names instead of ids: who and what the payloads name, and in how many movies."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.stage.conftest import T0, answers, payload, people
from tmdbkit.exceptions import UsageError
from tmdbkit.transform import names

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once

ACTION, DRAMA = {"id": 28, "name": "Action"}, {"id": 18, "name": "Drama"}
KINDS = ("genres", "keywords", "studios", "collections")


def put(stage: Stage, *movies: dict[str, Any], day: int = 0) -> Stage:
    """Stage movies with ids from 1."""
    at = T0 + timedelta(days=day)
    stage.store.add(answers(*((n, payload(n, **movie), at) for n, movie in enumerate(movies, 1))))
    return stage


def test_things_are_named_and_counted_over_movies_the_most_frequent_first(stage: Stage) -> None:
    put(stage, {"genres": [ACTION, DRAMA]}, {"genres": [DRAMA]}, {"genres": []})
    assert stage.names("genres").rows() == [(18, "Drama", 2), (28, "Action", 1)]


def test_of_equal_counts_the_names_are_in_order(stage: Stage) -> None:
    put(stage, {"genres": [DRAMA, ACTION]})
    assert stage.names("genres")["name"].to_list() == ["Action", "Drama"]


def test_each_kind_is_found_where_tmdb_has_it(stage: Stage) -> None:
    put(
        stage,
        {
            "keywords": {"keywords": [{"id": 310, "name": "artificial intelligence"}]},
            "production_companies": [{"id": 79, "name": "Village Roadshow"}],
            "belongs_to_collection": {"id": 2344, "name": "The Matrix Collection"},
        },
        {"belongs_to_collection": None},
    )
    assert stage.names("keywords").rows() == [(310, "artificial intelligence", 1)]
    assert stage.names("studios").rows() == [(79, "Village Roadshow", 1)]
    assert stage.names("collections").rows() == [(2344, "The Matrix Collection", 1)]


@pytest.mark.parametrize("kind", ["nonsense", "Genres", "", None, 5, ["genres"]])
def test_names_of_anything_else_are_one_line(stage: Stage, kind: Any) -> None:
    said = "no names of .*; there are" if isinstance(kind, str) else "of is .*; one of"
    with pytest.raises(UsageError, match=f"{said} '?genres'?, '?keywords'?, '?studios"):
        stage.names(kind)


@pytest.mark.parametrize("text", [None, 5, ["a"]])
def test_people_are_looked_for_by_a_text(stage: Stage, text: Any) -> None:
    with pytest.raises(UsageError, match=r"text is .*; a text is wanted"):
        stage.people(text)


def test_a_movie_that_names_a_thing_twice_counts_once(stage: Stage) -> None:
    put(stage, {"genres": [ACTION, ACTION]})
    assert stage.names("genres").rows() == [(28, "Action", 1)]


def test_a_movie_that_was_fetched_again_counts_once_as_it_is_now(stage: Stage) -> None:
    put(stage, {"genres": [ACTION], "credits": people("Ann")})
    put(stage, {"genres": [DRAMA], "credits": people("Bea")}, day=1)
    assert stage.names("genres").rows() == [(18, "Drama", 1)]
    assert stage.people().select("crew_name", "movies").rows() == [("Bea", 1)]


def test_a_dropped_movie_names_nothing_any_more(stage: Stage) -> None:
    put(stage, {"genres": [ACTION], "credits": people("Ann")})
    stage.drop([1])
    assert stage.names("genres").is_empty()
    assert stage.people().is_empty()


def test_people_have_a_row_for_each_job_with_their_movies(stage: Stage) -> None:
    put(
        stage,
        {"credits": people("Ann", "Bea", director="Dee")},
        {"credits": people("Ann", director="Dee")},
    )
    assert stage.people().rows() == [
        (1, "Ann", "Actor", 2),
        (99, "Dee", "Director", 2),
        (2, "Bea", "Actor", 1),
    ]


def test_counts_add_up_over_the_parts_that_are_read_at_a_time() -> None:
    some = [
        pl.DataFrame({"tmdb_id": ids, "payload": [payload(n, genres=[ACTION]) for n in ids]})
        for ids in ([1, 2], [3])
    ]
    assert names.named(some, "genres").rows() == [(28, "Action", 3)]


def test_a_stage_of_any_size_is_read_a_few_movies_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.stage.store.READ_AT_ONCE", 2)
    put(stage, *({"genres": [ACTION], "credits": people("Ann")} for _ in range(5)))
    assert stage.names("genres")["movies"].to_list() == stage.people()["movies"].to_list() == [5]


@pytest.mark.filterwarnings("ignore:nothing is staged")
@pytest.mark.parametrize("kind", [*KINDS, "people"])
def test_an_empty_stage_has_the_schemas_of_a_full_one(stage: Stage, kind: str) -> None:
    def read(some: Stage) -> pl.DataFrame:
        return some.people() if kind == "people" else some.names(kind)

    empty = read(stage)
    full = put(
        stage,
        {
            "genres": [ACTION],
            "keywords": {"keywords": [ACTION]},
            "production_companies": [ACTION],
            "belongs_to_collection": ACTION,
            "credits": people("Ann"),
        },
    )
    assert empty.is_empty()
    assert read(full).height == 1
    assert read(full).schema == empty.schema


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"genres": None, "keywords": None, "production_companies": None},
        {"genres": [None], "keywords": {"keywords": None}, "production_companies": [{"id": None}]},
        {"genres": [{"name": "Nobody"}], "keywords": {}, "belongs_to_collection": {"name": "N"}},
        {"production_companies": [{"id": 1, "name": 5, "logo_path": {}}]},
        {"keywords": {"keywords": [{"id": 1, "name": None}]}},
    ],
    ids=json.dumps,
)
def test_whatever_a_movie_lacks_the_others_are_named(stage: Stage, odd: dict[str, Any]) -> None:
    put(stage, odd, {"genres": [ACTION]})
    assert stage.names("genres").rows() == [(28, "Action", 1)]
    for kind in KINDS:
        assert stage.names(kind)["id"].null_count() == 0


def test_credits_are_a_row_for_each_part_that_somebody_had(stage: Stage) -> None:
    put(
        stage,
        {
            "credits": {
                "cast": [
                    {"id": 1, "name": "Ann", "character": "A dog", "order": 0},
                    {"id": 1, "name": "Ann", "character": "A cat", "order": 1},
                    {"id": 2, "name": None},
                ],
                "crew": [{"id": 1, "name": "Ann", "department": "Directing", "job": "Director"}],
            }
        },
        {"credits": {"cast": None}},
    )
    assert stage.credits().drop("tmdb_id").rows() == [
        (1, "Ann", "Acting", "Actor", "A dog", 0),
        (1, "Ann", "Acting", "Actor", "A cat", 1),
        (1, "Ann", "Directing", "Director", None, None),
    ]


@pytest.mark.filterwarnings("ignore:nothing is staged")
def test_a_stage_without_credits_has_the_same_columns(stage: Stage) -> None:
    assert stage.credits().is_empty()
    assert stage.credits().schema == put(stage, {}).credits().schema


@pytest.mark.parametrize(("text", "found"), [("ANN", ["Ann"]), ("b", ["Bob"]), ("x", [])])
def test_people_are_found_by_a_part_of_their_name(
    stage: Stage, text: str, found: list[str]
) -> None:
    put(stage, {"credits": people("Ann", "Bob")})
    assert stage.people(text)["crew_name"].to_list() == found


def test_the_table_names_writers_keywords_and_studios(stage: Stage) -> None:
    jobs = ("Writer", "Story", "Grip")
    crew = [{"id": n, "name": f"N{n}", "job": job} for n, job in enumerate(jobs)]
    movie = {
        "credits": {"cast": [], "crew": crew},
        "keywords": {"keywords": [ACTION]},
        "production_companies": [ACTION, {"id": None, "name": "Nobody"}],
    }
    table = put(stage, movie).table()
    assert table.select("writers", "keywords", "studios").row(0) == (
        ["N0", "N1"],
        ["Action"],
        ["Action"],
    )
