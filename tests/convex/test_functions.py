"""tmdbkit's Convex functions, called over the wire as the importer calls them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from .backend import ConvexBackend, ConvexFunctionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .backend import Document

pytestmark = pytest.mark.once

SYSTEMS = ("imdb", "letterboxd", "metacritic", "rotten_tomatoes", "tmdb")
OPTIONAL = {"main_poster", "main_backdrop", "screenshot_id_list", "screenshot_url", "crew"}
DIRECTOR = {"crew_id": 9340, "crew_name": "Lana Wachowski", "crew_type": "Director"}
WRITER = {"crew_id": 9340, "crew_name": "Lana Wachowski", "crew_type": "Writer"}


@pytest.fixture(params=["_our_backend", "_older_backend"])
def backend(request: pytest.FixtureRequest) -> ConvexBackend:
    """A deployment of an app with today's convex, and with one of before."""
    backend: ConvexBackend = request.getfixturevalue(request.param)
    backend.reset()
    return backend


def movie(tmdb_id: int = 603, **fields: Any) -> Document:
    """A whole document, as small as the schema allows."""
    return {
        "title": "The Matrix",
        "tmdb_id": tmdb_id,
        "imdb_id": "tt0133093",
        "slug": f"the-matrix-{tmdb_id}",
        "original_title": "The Matrix",
        "original_language": "English",
        "synopsis": "Set in the 22nd century.",
        "tagline": "",
        "status": "Released",
        "release_date": "1999-03-31",
        "runtime_minutes": 136,
        "budget": 63_000_000,
        "revenue": 463_517_383,
        "popularity": 83.25,
        "mpaa_rating": "R",
        "screenshots": [],
        "trailer_url": "",
        "cast": [6384, 2975],
        "directors": [9340, 9339],
        "genres": [28, 878],
        "keywords": [],
        "production_studio": [],
        "country": ["United States of America"],
        "language": ["English"],
        "mood": [],
        "belong_to_collection": {
            "id": 2344,
            "name": "The Matrix Collection",
            "poster_path": None,
            "backdrop_path": None,
        },
        "vote_count_system": dict.fromkeys(SYSTEMS),
        "vote_pts_system": dict.fromkeys(SYSTEMS),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "tmdb_data_imported_at": "2026-01-01T00:00:00Z",
    } | fields


def create(tmdb_id: int = 603, **fields: Any) -> Document:
    return {"tmdb_id": tmdb_id, "create": movie(tmdb_id, **fields)}


def apply(backend: ConvexBackend, *changes: Document) -> list[Document]:
    results: list[Document] = backend.mutation("applyMovies", changes=changes)
    return results


def fields_of(document: Document) -> Document:
    return {name: value for name, value in document.items() if not name.startswith("_")}


def outcomes(results: Iterable[Document]) -> list[str]:
    return [result["outcome"] for result in results]


# The contract


def test_the_contract_says_what_our_tables_accept(backend: ConvexBackend) -> None:
    contract = backend.query("contract")
    assert contract["version"] == 2
    fields = contract["tables"]["movies"]["value"]
    assert {name for name, field in fields.items() if not field["optional"]} == set(movie())
    assert {name for name, field in fields.items() if field["optional"]} == OPTIONAL
    assert fields["crew"] == {
        "fieldType": {"type": "array", "value": {"type": "number"}},
        "optional": True,
    }
    assert fields["title"] == {"fieldType": {"type": "string"}, "optional": False}
    assert set(contract["tables"]["crew"]["value"]) == set(DIRECTOR)
    assert set(contract["tables"]["genres"]["value"]) == {"genre_id", "name"}


def test_the_contract_of_an_older_app_lacks_what_its_schema_lacks(
    app_backend: ConvexBackend,
) -> None:
    tables = app_backend.query("contract")["tables"]
    assert set(tables["movies"]["value"]) == set(movie()) | OPTIONAL - {"crew"}
    assert set(tables["crew"]["value"]) == set(DIRECTOR)
    assert tables["genres"] is None


# Creating


def test_a_new_movie_is_created_whole(backend: ConvexBackend) -> None:
    (result,) = apply(backend, create(crew=[9340]))
    (stored,) = backend.dump("movies")
    assert result == {"tmdb_id": 603, "outcome": "created", "id": stored["_id"], "differs": []}
    assert fields_of(stored) == movie(crew=[9340])


def test_creating_again_after_a_lost_answer_is_unchanged(backend: ConvexBackend) -> None:
    (first,) = apply(backend, create())
    (second,) = apply(backend, create())
    assert second == {**first, "outcome": "unchanged"}
    assert len(backend.dump("movies")) == 1


def test_creating_ignores_fields_that_only_the_document_has(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(main_poster="/poster.jpg"))
    assert outcomes(apply(backend, create())) == ["unchanged"]


def test_the_order_of_keys_makes_no_difference(backend: ConvexBackend) -> None:
    votes = dict.fromkeys(reversed(SYSTEMS))
    backend.insert("movies", movie())
    assert outcomes(apply(backend, create(vote_pts_system=votes))) == ["unchanged"]


def test_the_order_of_a_list_does(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    (result,) = apply(backend, create(cast=[2975, 6384]))
    assert (result["outcome"], result["differs"]) == ("conflict", ["cast"])


def test_creating_over_another_document_is_a_conflict_and_changes_nothing(
    backend: ConvexBackend,
) -> None:
    (existing,) = backend.insert("movies", movie(title="Matrix", budget=1))
    (result,) = apply(backend, create())
    assert result == {
        "tmdb_id": 603,
        "outcome": "conflict",
        "id": existing,
        "differs": ["budget", "title"],
    }
    assert backend.dump("movies")[0]["title"] == "Matrix"


def test_a_field_that_is_absent_there_differs(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    (result,) = apply(backend, create(main_poster="/poster.jpg"))
    assert (result["outcome"], result["differs"]) == ("conflict", ["main_poster"])


def test_an_older_app_takes_a_movie_without_crew(app_backend: ConvexBackend) -> None:
    assert outcomes(apply(app_backend, create())) == ["created"]


def test_an_older_app_refuses_a_field_that_it_does_not_know(app_backend: ConvexBackend) -> None:
    with pytest.raises(
        ConvexFunctionError, match=r"ArgumentValidationError: .* extra field `crew`"
    ):
        apply(app_backend, create(crew=[9340]))
    assert app_backend.dump("movies") == []


# Updating


def test_a_field_is_set_where_the_document_is_as_planned(backend: ConvexBackend) -> None:
    (existing,) = backend.insert("movies", movie())
    change = {"tmdb_id": 603, "expected": {"popularity": 83.25}, "set": {"popularity": 90.5}}
    (result,) = apply(backend, change)
    assert result == {"tmdb_id": 603, "outcome": "updated", "id": existing, "differs": []}
    assert fields_of(backend.dump("movies")[0]) == movie(popularity=90.5)


def test_an_update_made_again_is_unchanged(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    change = {"tmdb_id": 603, "expected": {"popularity": 83.25}, "set": {"popularity": 90.5}}
    assert outcomes(apply(backend, change)) == ["updated"]
    assert outcomes(apply(backend, change)) == ["unchanged"]


def test_a_document_that_someone_changed_is_a_conflict_and_left_alone(
    backend: ConvexBackend,
) -> None:
    backend.insert("movies", movie())
    assert backend.patch("movies", 603, title="Matrix", tagline="Free your mind") == 1
    change = {
        "tmdb_id": 603,
        "expected": {"title": "The Matrix", "tagline": "", "budget": 63_000_000},
        "set": {"title": "The Matrix!", "tagline": "?", "budget": 1},
    }
    (result,) = apply(backend, change)
    assert (result["outcome"], result["differs"]) == ("conflict", ["tagline", "title"])
    (stored,) = backend.dump("movies")
    assert fields_of(stored) == movie(title="Matrix", tagline="Free your mind")


def test_fields_that_were_not_expected_may_have_changed(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(tagline="Free your mind"))
    change = {"tmdb_id": 603, "expected": {"budget": 63_000_000}, "set": {"budget": 1}}
    assert outcomes(apply(backend, change)) == ["updated"]


def test_objects_are_compared_by_value(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    old, new = dict.fromkeys(reversed(SYSTEMS)), dict.fromkeys(SYSTEMS) | {"imdb": 8.7}
    change = {"tmdb_id": 603, "expected": {"vote_pts_system": old}, "set": {"vote_pts_system": new}}
    assert outcomes(apply(backend, change)) == ["updated"]
    assert backend.dump("movies")[0]["vote_pts_system"] == new


def test_a_field_expected_to_be_absent_is_added(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    change = {"tmdb_id": 603, "absent": ["crew"], "set": {"crew": [9340]}}
    assert outcomes(apply(backend, change)) == ["updated"]
    assert backend.dump("movies")[0]["crew"] == [9340]


def test_a_field_expected_to_be_absent_that_is_there_is_a_conflict(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(crew=[1]))
    change = {"tmdb_id": 603, "absent": ["crew"], "set": {"crew": [9340]}}
    (result,) = apply(backend, change)
    assert (result["outcome"], result["differs"]) == ("conflict", ["crew"])
    assert backend.dump("movies")[0]["crew"] == [1]


def test_a_field_is_removed(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(main_poster="/poster.jpg"))
    change = {
        "tmdb_id": 603,
        "expected": {"main_poster": "/poster.jpg"},
        "unset": ["main_poster"],
    }
    assert outcomes(apply(backend, change, change)) == ["updated", "unchanged"]
    assert "main_poster" not in backend.dump("movies")[0]


def test_a_field_that_changed_is_not_removed(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(main_poster="/other.jpg"))
    change = {
        "tmdb_id": 603,
        "expected": {"main_poster": "/poster.jpg"},
        "unset": ["main_poster"],
    }
    (result,) = apply(backend, change)
    assert (result["outcome"], result["differs"]) == ("conflict", ["main_poster"])
    assert backend.dump("movies")[0]["main_poster"] == "/other.jpg"


def test_a_half_made_change_is_a_conflict(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(budget=1))
    change = {
        "tmdb_id": 603,
        "expected": {"budget": 63_000_000, "revenue": 463_517_383},
        "set": {"budget": 1, "revenue": 2},
    }
    (result,) = apply(backend, change)
    assert (result["outcome"], result["differs"]) == ("conflict", ["budget"])


def test_updating_a_movie_that_is_gone_is_a_conflict(backend: ConvexBackend) -> None:
    (result,) = apply(backend, {"tmdb_id": 603, "set": {"budget": 1}})
    assert result == {"tmdb_id": 603, "outcome": "conflict", "id": None, "differs": ["tmdb_id"]}
    assert backend.dump("movies") == []


def test_an_id_never_changes(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    results = apply(
        backend,
        {"tmdb_id": 603, "set": {"tmdb_id": 604}},
        {"tmdb_id": 605, "create": movie(606)},
    )
    assert [result["differs"] for result in results] == [["tmdb_id"], ["tmdb_id"]]
    assert [stored["tmdb_id"] for stored in backend.dump("movies")] == [603]


# Movies that are there twice, and batches


@pytest.mark.parametrize("change", [create(), {"tmdb_id": 603, "set": {"budget": 1}}])
def test_a_movie_stored_twice_is_never_touched(backend: ConvexBackend, change: Document) -> None:
    backend.insert("movies", movie(), movie())
    (result,) = apply(backend, change)
    assert result == {"tmdb_id": 603, "outcome": "conflict", "id": None, "differs": ["tmdb_id"]}
    assert [fields_of(stored) for stored in backend.dump("movies")] == [movie(), movie()]


def test_results_come_in_the_order_of_the_changes(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(2), movie(3, title="Another"))
    results = apply(backend, create(3), create(1), create(2))
    assert [(result["tmdb_id"], result["outcome"]) for result in results] == [
        (3, "conflict"),
        (1, "created"),
        (2, "unchanged"),
    ]


def test_two_changes_to_a_movie_in_one_batch_see_each_other(backend: ConvexBackend) -> None:
    results = apply(
        backend,
        create(),
        create(),
        {"tmdb_id": 603, "expected": {"budget": 63_000_000}, "set": {"budget": 1}},
        {"tmdb_id": 603, "expected": {"budget": 63_000_000}, "set": {"budget": 2}},
    )
    assert outcomes(results) == ["created", "unchanged", "updated", "conflict"]
    assert backend.dump("movies")[0]["budget"] == 1


def test_sixty_movies_pass_in_one_batch(backend: ConvexBackend) -> None:
    made = apply(backend, *(create(n, synopsis="x" * 2_000) for n in range(60)))
    changed = apply(
        backend,
        *(
            {"tmdb_id": n, "expected": {"budget": 63_000_000}, "set": {"budget": 1}}
            for n in range(60)
        ),
    )
    assert set(outcomes(made)) == {"created"}
    assert set(outcomes(changed)) == {"updated"}


def test_a_batch_costs_one_index_range_a_movie(backend: ConvexBackend) -> None:
    backend.reset(databaseQueries=10)
    assert outcomes(apply(backend, *(create(n) for n in range(10)))) == ["created"] * 10


def test_a_batch_that_is_too_large_is_refused_whole(backend: ConvexBackend) -> None:
    backend.reset(databaseQueries=9)
    with pytest.raises(ConvexFunctionError, match="Too many reads in a single function execution"):
        apply(backend, *(create(n) for n in range(10)))
    assert backend.dump("movies") == []


def test_four_callers_at_once_never_store_a_movie_twice(backend: ConvexBackend) -> None:
    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: apply(backend, *map(create, range(20))), range(8)))
    assert sum(outcomes(batch).count("created") for batch in batches) == 20
    assert len(backend.dump("movies")) == 20


# What the schema refuses


def test_a_movie_that_lacks_a_field_is_refused_with_its_batch(backend: ConvexBackend) -> None:
    incomplete = movie(604)
    del incomplete["title"]
    with pytest.raises(
        ConvexFunctionError, match=r"ArgumentValidationError: .* required field `title`"
    ):
        apply(backend, create(603), {"tmdb_id": 604, "create": incomplete})
    assert backend.dump("movies") == []


def test_null_is_not_absent(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    with pytest.raises(ConvexFunctionError, match="ArgumentValidationError"):
        apply(backend, {"tmdb_id": 603, "set": {"main_poster": None}})


def test_a_field_that_the_schema_needs_cannot_be_removed(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    with pytest.raises(
        ConvexFunctionError, match='table "movies" because it does not match the schema'
    ):
        apply(backend, {"tmdb_id": 603, "unset": ["title"]})
    assert fields_of(backend.dump("movies")[0]) == movie()


# Reading


def test_movies_are_found_by_id_with_all_their_copies(backend: ConvexBackend) -> None:
    ids = backend.insert("movies", movie(603), movie(603), movie(604))
    found = backend.query("moviesByTmdbIds", tmdb_ids=[603, 603, 9])
    assert [document["_id"] for document in found] == ids[:2]
    assert all(document["_creationTime"] > 0 for document in found)
    assert fields_of(found[0]) == movie(603)


def test_numbers_come_back_as_floats_as_convex_sends_them(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    (found,) = backend.query("moviesByTmdbIds", tmdb_ids=[603])
    assert isinstance(found["tmdb_id"], float)


def test_slugs_name_their_owners(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(1, slug="dune"), movie(2, slug="dune"), movie(3, slug="heat"))
    owners = backend.query("slugOwners", slugs=["dune", "heat", "alien"])
    assert owners == [
        {"slug": "dune", "tmdb_id": 1},
        {"slug": "dune", "tmdb_id": 2},
        {"slug": "heat", "tmdb_id": 3},
    ]


def test_pages_hold_every_document_once_and_in_order(backend: ConvexBackend) -> None:
    backend.insert("movies", *map(movie, range(7)))
    pages: list[list[int]] = []
    cursor = None
    for _ in range(3):
        page = backend.query("page", table="movies", cursor=cursor, size=3)
        pages.append([document["tmdb_id"] for document in page["page"]])
        cursor = page["cursor"]
    assert pages == [[0, 1, 2], [3, 4, 5], [6]]
    assert page["done"]


@pytest.mark.parametrize("table", ["movies", "crew", "genres"])
def test_an_empty_table_is_one_empty_page(backend: ConvexBackend, table: str) -> None:
    page = backend.query("page", table=table, cursor=None, size=3)
    assert (page["page"], page["done"]) == ([], True)


def test_a_table_that_the_app_lacks_is_one_empty_page(app_backend: ConvexBackend) -> None:
    page = app_backend.query("page", table="genres", cursor=None, size=3)
    assert (page["page"], page["done"]) == ([], True)


def test_other_tables_of_the_app_cannot_be_paged(backend: ConvexBackend) -> None:
    with pytest.raises(ConvexFunctionError, match="ArgumentValidationError"):
        backend.query("page", table="users", cursor=None, size=3)


# People and genres


def test_new_people_are_added_one_row_a_job(backend: ConvexBackend) -> None:
    counts = backend.mutation("addPeople", people=[DIRECTOR, WRITER])
    assert counts == {"created": 2, "updated": 0, "unchanged": 0}
    assert [fields_of(row) for row in backend.dump("crew")] == [DIRECTOR, WRITER]


def test_known_people_are_left_alone(backend: ConvexBackend) -> None:
    backend.insert("crew", DIRECTOR)
    counts = backend.mutation("addPeople", people=[DIRECTOR, WRITER])
    assert counts == {"created": 1, "updated": 0, "unchanged": 1}


def test_a_person_who_was_renamed_keeps_the_row(backend: ConvexBackend) -> None:
    (row_id,) = backend.insert("crew", {**DIRECTOR, "crew_name": "Larry Wachowski"})
    counts = backend.mutation("addPeople", people=[DIRECTOR])
    assert counts == {"created": 0, "updated": 1, "unchanged": 0}
    (row,) = backend.dump("crew")
    assert (row["_id"], row["crew_name"]) == (row_id, "Lana Wachowski")


def test_a_rename_reaches_only_the_jobs_that_were_sent(backend: ConvexBackend) -> None:
    backend.insert("crew", *({**row, "crew_name": "Larry"} for row in (DIRECTOR, WRITER)))
    backend.mutation("addPeople", people=[WRITER])
    assert [row["crew_name"] for row in backend.dump("crew")] == ["Larry", "Lana Wachowski"]


def test_a_person_sent_twice_is_stored_once(backend: ConvexBackend) -> None:
    renamed = {**DIRECTOR, "crew_name": "L. Wachowski"}
    counts = backend.mutation("addPeople", people=[DIRECTOR, DIRECTOR, renamed, renamed])
    assert counts == {"created": 1, "updated": 1, "unchanged": 2}
    assert [fields_of(row) for row in backend.dump("crew")] == [renamed]


def test_of_rows_that_are_there_twice_only_the_first_is_renamed(backend: ConvexBackend) -> None:
    old = {**DIRECTOR, "crew_name": "Larry Wachowski"}
    backend.insert("crew", old, old)
    counts = backend.mutation("addPeople", people=[DIRECTOR])
    assert counts == {"created": 0, "updated": 1, "unchanged": 0}
    names = [row["crew_name"] for row in backend.dump("crew")]
    assert names == ["Lana Wachowski", "Larry Wachowski"]


def test_a_person_is_read_once_however_many_jobs_are_sent(backend: ConvexBackend) -> None:
    backend.reset(databaseQueries=1)
    jobs = [{**DIRECTOR, "crew_type": job} for job in ("Director", "Writer", "Producer")]
    assert backend.mutation("addPeople", people=jobs)["created"] == 3


def test_five_hundred_people_pass_in_one_batch(backend: ConvexBackend) -> None:
    people = [{"crew_id": n, "crew_name": f"P{n}", "crew_type": "Actor"} for n in range(500)]
    assert backend.mutation("addPeople", people=people)["created"] == 500
    assert backend.mutation("addPeople", people=people)["unchanged"] == 500


def test_an_older_app_takes_people(app_backend: ConvexBackend) -> None:
    assert app_backend.mutation("addPeople", people=[DIRECTOR])["created"] == 1


def test_genres_are_added_and_renamed(backend: ConvexBackend) -> None:
    backend.insert("genres", {"genre_id": 878, "name": "SF"}, {"genre_id": 28, "name": "Action"})
    genres = [{"genre_id": 18, "name": "Drama"}, {"genre_id": 28, "name": "Action"}]
    counts = backend.mutation("addGenres", genres=[*genres, {"genre_id": 878, "name": "Sci-Fi"}])
    assert counts == {"created": 1, "updated": 1, "unchanged": 1}
    assert [row["name"] for row in backend.dump("genres")] == ["Sci-Fi", "Action", "Drama"]


def test_genres_without_a_table_are_an_error_that_says_so(app_backend: ConvexBackend) -> None:
    with pytest.raises(ConvexFunctionError) as caught:
        app_backend.mutation("addGenres", genres=[{"genre_id": 18, "name": "Drama"}])
    assert caught.value.data["code"] == "MissingTable"
    assert caught.value.data["table"] == "genres"


# What points at movies


def test_the_contract_names_every_field_that_holds_ids_of_movies_and_an_index_that_leads_there(
    watched: ConvexBackend,
) -> None:
    references = watched.query("contract")["references"]
    assert [(one["table"], one["field"], one["index"]) for one in references] == [
        ("movies", "sequel", "by_sequel"),
        ("watchlist", "movie", "by_movie"),
        ("reviews", "about.movie", "by_about_movie"),
        ("lists", "movies[]", None),
    ]


def test_what_points_at_movies_is_counted_by_table_and_field_up_to_so_many(
    watched: ConvexBackend,
) -> None:
    one, two, _ = watched.insert("movies", movie(1), movie(2), movie(3))
    watched.insert("movies", movie(4, sequel=one))
    watched.insert("watchlist", *({"user": str(n), "movie": one} for n in range(5)))
    watched.insert("reviews", {"about": {"movie": two, "stars": 5}})
    watched.insert("reviews", {"about": {"movie": None, "stars": 1}})
    found = watched.query("pointingAt", tmdb_ids=[1, 2, 3, 9], most=3)
    told = [(one["tmdb_id"], one["table"], one["field"], one["documents"]) for one in found]
    assert told == [
        (1, "movies", "sequel", 1),
        (1, "watchlist", "movie", 3),
        (2, "reviews", "about.movie", 1),
    ]


def test_in_an_app_whose_tables_hold_no_ids_nothing_points_at_movies(
    backend: ConvexBackend,
) -> None:
    backend.insert("movies", movie())
    assert backend.query("contract")["references"] == []
    assert backend.query("pointingAt", tmdb_ids=[603], most=3) == []


# Keys, and functions that are not there


def test_a_key_tells_what_it_may_do(backend: ConvexBackend) -> None:
    full = backend.request("GET", "/api/check_admin_key").json()
    reading = backend.request("GET", "/api/check_admin_key", key=backend.read_only_key).json()
    assert (full["success"], full["isReadOnly"]) == (True, False)
    assert (reading["success"], reading["isReadOnly"]) == (True, True)


def test_a_read_only_key_reads(backend: ConvexBackend) -> None:
    call = {"path": "tmdbkit:contract", "args": {}, "format": "json"}
    answer = backend.request("POST", "/api/query", call, key=backend.read_only_key)
    assert answer.json()["status"] == "success"


def test_a_read_only_key_does_not_write(backend: ConvexBackend) -> None:
    change = {"tmdb_id": 603, "expected": movie(), "delete": True}
    call = {"path": "tmdbkit:applyMovies", "args": {"changes": [change]}, "format": "json"}
    backend.insert("movies", movie())
    answer = backend.request("POST", "/api/mutation", call, key=backend.read_only_key)
    assert (answer.status_code, answer.json()["code"]) == (403, "OperationNotPermitted")
    assert len(backend.dump("movies")) == 1


@pytest.mark.parametrize("key", ["", "dev:tmdbkit-tests|wrong"])
def test_nobody_else_gets_in(backend: ConvexBackend, key: str) -> None:
    call = {"path": "tmdbkit:contract", "args": {}, "format": "json"}
    answer = backend.request("POST", "/api/query", call, key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "BadAdminKey")


def test_several_queries_go_in_one_request(backend: ConvexBackend) -> None:
    backend.insert("movies", movie(slug="the-matrix"))
    queries = [
        {"path": "tmdbkit:slugOwners", "args": {"slugs": ["the-matrix"]}, "format": "json"},
        {"path": "tmdbkit:nothing", "args": {}, "format": "json"},
    ]
    answer = backend.request("POST", "/api/query_batch", {"queries": queries}).json()
    assert [result["status"] for result in answer["results"]] == ["success", "error"]


def test_a_missing_function_is_named(backend: ConvexBackend) -> None:
    with pytest.raises(
        ConvexFunctionError, match="Could not find public function for 'tmdbkit:nothing'"
    ):
        backend.query("nothing")


def test_a_mutation_is_no_query(backend: ConvexBackend) -> None:
    with pytest.raises(ConvexFunctionError, match="as Query, but it is defined as Mutation"):
        backend.query("applyMovies", changes=[])


def test_an_app_without_the_functions_has_none_of_them() -> None:
    with (
        ConvexBackend(functions=False) as bare,
        pytest.raises(ConvexFunctionError, match="Could not find public function"),
    ):
        bare.query("contract")


def test_a_request_of_more_than_sixteen_mib_is_refused(backend: ConvexBackend) -> None:
    answer = backend.request("POST", "/api/query", {"path": "x" * 2**24})
    assert (answer.status_code, answer.json()["code"]) == (400, "BadJsonBody")
    assert "length limit exceeded" in answer.json()["message"]
