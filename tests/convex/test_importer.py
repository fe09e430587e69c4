"""What a push does to a target: one specification, held by the snapshot and by a deployment."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit import ConvexSnapshot
from tmdbkit.convex.contract import Contract
from tmdbkit.exceptions import (
    BatchTooLarge,
    CredentialsRefused,
    PassingFault,
    RequestRefused,
    ServiceError,
    StopError,
    TargetRefused,
    UsageError,
)
from tmdbkit.images import ImageForm
from tmdbkit.schema import validator
from tmdbkit.settings import Settings

from .bench import (
    KEANU,
    LANA,
    LATER,
    LATER_ISO,
    NOBODY,
    NOW,
    NOW_ISO,
    Bench,
    DeploymentBench,
    Shelf,
    SnapshotBench,
    counts,
    deployment,
    movie,
    outcome,
    payload,
    planned_by,
    push,
    staged,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.convex import ConvexProxy
    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target

    from .backend import ConvexBackend, Document

pytestmark = pytest.mark.once


def push_movie(bench: Bench, stage: Shelf, /, **fields: Any) -> PushResult:
    """Stage one movie and push it."""
    return push(stage.put(payload(**fields)), bench.target)


class Meddled:
    """A target with whom somebody else interferes, once, before something is written."""

    def __init__(self, target: Target, meddle: Callable[[], object]) -> None:
        self._target, self._meddle = target, [meddle]

    def __getattr__(self, name: str) -> Any:
        if name == "apply_movies" and self._meddle:
            self._meddle.pop()()
        return getattr(self._target, name)


# Creating


def test_a_new_movie_is_created_whole(bench: Bench, stage: Shelf) -> None:
    result = push_movie(bench, stage)
    assert counts(result) == {"created": 1}
    stamps = {
        "created_at": NOW_ISO,
        "updated_at": NOW_ISO,
        "tmdb_data_imported_at": "2026-01-15T00:00:00.000Z",
    }
    assert bench.table("movies") == [movie(**stamps)]


def test_what_is_pushed_twice_is_unchanged_the_second_time(bench: Bench, stage: Shelf) -> None:
    stage.put(*(payload(n) for n in range(1, 8)))
    assert counts(push(stage, bench.target)) == {"created": 7}
    before = bench.table("movies")
    again = push(stage, bench.target, at=LATER)
    assert counts(again) == {"unchanged": 7}
    assert again.batches == 0
    assert bench.table("movies") == before


def test_an_image_that_tmdb_lacks_is_absent_and_not_null(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage, poster_path=None, backdrop_path=None)
    assert not {"main_poster", "main_backdrop"} & bench.movie().keys()


def test_only_the_movies_that_were_asked_for_are_sent(bench: Bench, stage: Shelf) -> None:
    stage.put(payload(1), payload(2), payload(3))
    assert counts(push(stage, bench.target, ids=[2])) == {"created": 1}
    assert [row["tmdb_id"] for row in bench.table("movies")] == [2]


def test_a_movie_that_is_not_staged_is_said_to_have_failed(bench: Bench, stage: Shelf) -> None:
    result = push(stage.put(payload(1)), bench.target, ids=[1, 99])
    assert counts(result) == {"created": 1, "failed": 1}
    assert outcome(result, 99) == ("failed", "not staged; tmdbkit stage 99 fetches it")


# People and genres


def test_people_are_sent_once_by_id_and_job(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage)
    assert bench.table("crew") == [
        {"crew_id": 6384, "crew_name": "Keanu Reeves", "crew_type": "Actor"},
        {"crew_id": 9340, "crew_name": "Lana Wachowski", "crew_type": "Director"},
        {"crew_id": 9340, "crew_name": "Lana Wachowski", "crew_type": "Writer"},
    ]


def test_people_of_many_movies_are_stored_once(
    bench: Bench, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 2)
    result = push(stage.put(*(payload(n) for n in range(1, 8))), bench.target)
    assert len(bench.table("crew")) == 3
    assert result.batches == 4 + 1 + 1  # of movies, people, genres


def test_people_of_movies_that_stay_as_they_are_are_not_sent(bench: Bench, stage: Shelf) -> None:
    stage.put(payload(1), payload(2))
    push(stage, bench.target)
    bench.change(1, tagline="?")
    assert push(stage, bench.target).batches == 3
    assert push(stage, bench.target).batches == 0


def test_a_person_whose_name_changed_is_renamed(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage, credits={"cast": [], "crew": [{**LANA, "name": "Larry"}]})
    stage.put(payload(popularity=1.0), at=LATER)
    assert counts(push(stage, bench.target)) == {"updated": 1}
    assert {row["crew_name"] for row in bench.table("crew") if row["crew_id"] == 9340} == {
        "Lana Wachowski"
    }


def test_of_two_names_the_one_that_was_fetched_last_counts(bench: Bench, stage: Shelf) -> None:
    stage.put(payload(1, credits={"cast": [{**KEANU, "name": "K. Reeves"}], "crew": []}))
    stage.put(payload(2), at=LATER)
    push(stage, bench.target)
    names = [row["crew_name"] for row in bench.table("crew") if row["crew_id"] == 6384]
    assert names == ["Keanu Reeves"]


@pytest.mark.parametrize(
    ("people", "jobs"),
    [
        ("all", ["Actor", "Director", "Writer"]),
        ("none", []),
        (None, ["Actor", "Director", "Writer"]),
    ],
)
def test_whose_names_are_sent_is_a_choice(
    bench: Bench, stage: Shelf, people: str | None, jobs: list[str]
) -> None:
    push(stage.put(payload()), bench.target, people=people)
    assert [row["crew_type"] for row in bench.table("crew")] == jobs


def test_named_people_are_those_whom_a_field_holds(bench: Bench, stage: Shelf) -> None:
    many = [{"id": n, "name": f"Actor {n}", "order": n} for n in range(1, 15)]
    stage.put(payload(credits={"cast": many, "crew": [LANA]}))
    push(stage, bench.target, people="named")
    assert [row["crew_id"] for row in bench.table("crew")] == [*range(1, 11), 9340]


def test_no_such_choice_of_people_is_said_before_anything_is_asked(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    with pytest.raises(UsageError, match=r"'some'; it must be one of named, all, none"):
        push(stage.put(payload()), deployment(proxy.url), people="some")
    assert proxy.calls == []


def test_genres_are_sent_once_and_renamed(bench: Bench, stage: Shelf) -> None:
    stage.put(payload(1), payload(2, genres=[{"id": 28, "name": "Action"}]))
    push(stage, bench.target)
    assert bench.table("genres") == [{"genre_id": 28, "name": "Action"}]
    stage.put(payload(1, genres=[{"id": 28, "name": "Azione"}], runtime=1), at=LATER)
    push(stage, bench.target)
    assert bench.table("genres") == [{"genre_id": 28, "name": "Azione"}]


# Refreshing


def test_a_refresh_changes_what_changed_and_updated_at(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage)
    before = bench.movie()
    stage.put(payload(popularity=90.5), at=LATER)
    assert counts(push(stage, bench.target, at=LATER)) == {"updated": 1}
    changed = {
        "popularity": 90.5,
        "updated_at": LATER_ISO,
        "tmdb_data_imported_at": LATER_ISO,
    }
    assert bench.movie() == before | changed


def test_fetching_anew_alone_is_no_change(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage)
    before = bench.movie()
    stage.put(payload(), at=LATER)
    assert counts(push(stage, bench.target, at=LATER)) == {"unchanged": 1}
    assert bench.movie() == before


# The harms of the app's own importer; each of these happened


APPS_OWN = {
    "created_at": "2020-01-01T00:00:00.000Z",
    "slug": "the-matrix-1999-remastered",
    "mood": ["dark", "philosophical"],
    "screenshots": ["https://example.org/1.jpg"],
    "screenshot_id_list": ["kg2abc"],
    "screenshot_url": "https://example.org/all.jpg",
}


@pytest.mark.parametrize("name", sorted(APPS_OWN))
def test_what_the_app_owns_survives_an_update(bench: Bench, stage: Shelf, name: str) -> None:
    bench.plant(movie(**APPS_OWN, popularity=1.0))
    assert counts(push_movie(bench, stage)) == {"updated": 1}
    assert bench.movie()[name] == APPS_OWN[name]


@pytest.mark.parametrize("field", ["vote_pts_system", "vote_count_system"])
def test_ratings_that_someone_filled_survive_an_update(
    bench: Bench, stage: Shelf, field: str
) -> None:
    theirs = {"imdb": 8.7, "letterboxd": 4.2, "metacritic": 73, "rotten_tomatoes": 83, "tmdb": 1}
    bench.plant(movie(**{field: theirs}))
    push_movie(bench, stage, vote_average=8.2, vote_count=26_000)
    ours = {"vote_pts_system": 8.2, "vote_count_system": 26_000}
    assert bench.movie()[field] == theirs | {"tmdb": ours[field]}


def test_a_rating_that_tmdb_no_longer_has_stays(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie())
    assert counts(push_movie(bench, stage, vote_average=0, vote_count=0)) == {"unchanged": 1}
    assert bench.movie()["vote_pts_system"]["tmdb"] == 8.2


def test_a_poster_that_tmdb_no_longer_has_stays(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie())
    assert counts(push_movie(bench, stage, poster_path=None)) == {"unchanged": 1}
    assert bench.movie()["main_poster"] == movie()["main_poster"]


def test_a_writer_who_directs_stays_a_director_to_the_app(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage)
    jobs = {row["crew_type"] for row in bench.table("crew") if row["crew_id"] == 9340}
    assert jobs == {"Director", "Writer"}


def test_a_premiere_without_certification_does_not_hide_the_real_one(
    bench: Bench, stage: Shelf
) -> None:
    releases = [{"certification": "", "type": 1}, {"certification": "R", "type": 3}]
    us = {"iso_3166_1": "US", "release_dates": releases}
    push_movie(bench, stage, release_dates={"results": [us]})
    assert bench.movie()["mpaa_rating"] == "R"


def test_a_japanese_title_gets_a_slug(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage, title="千と千尋の神隠し", original_title="千と千尋の神隠し")
    assert re.fullmatch(r"qian[a-z-]+", bench.movie()["slug"])


def test_a_korean_film_without_spoken_languages_is_korean(bench: Bench, stage: Shelf) -> None:
    push_movie(bench, stage, original_language="ko", spoken_languages=[])
    assert bench.movie()["original_language"] == "Korean"
    assert bench.movie()["language"] == []


# What is missing here replaces nothing there


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"overview": None}, "synopsis"),
        ({"overview": "  "}, "synopsis"),
        ({"tagline": ""}, "tagline"),
        ({"imdb_id": None}, "imdb_id"),
        ({"release_date": ""}, "release_date"),
        ({"runtime": 0}, "runtime_minutes"),
        ({"budget": 0}, "budget"),
        ({"revenue": None}, "revenue"),
        ({"poster_path": None}, "main_poster"),
        ({"backdrop_path": None}, "main_backdrop"),
        ({"videos": {"results": []}}, "trailer_url"),
        ({"release_dates": {"results": []}}, "mpaa_rating"),
        ({"credits": NOBODY}, "cast"),
        ({"credits": NOBODY}, "directors"),
        ({"credits": NOBODY}, "crew"),
        ({"genres": []}, "genres"),
        ({"keywords": {"keywords": []}}, "keywords"),
        ({"production_companies": None}, "production_studio"),
        ({"production_countries": []}, "country"),
        ({"spoken_languages": []}, "language"),
        ({"belongs_to_collection": None}, "belong_to_collection"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
def test_nothing_that_is_missing_here_replaces_something_there(
    snapshot: SnapshotBench, stage: Shelf, given: Document, field: str
) -> None:
    snapshot.plant(movie())
    assert counts(push_movie(snapshot, stage, **given)) == {"unchanged": 1}
    assert snapshot.movie()[field] == movie()[field]


def test_the_deployment_keeps_all_of_a_movie_that_became_empty(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie())
    empty = {"id": 603, "title": "The Matrix", "popularity": 83.25, "original_language": "en"}
    full = {"status": "Released", "original_title": "The Matrix"}
    assert counts(push(stage.put(empty | full), bench.target)) == {"unchanged": 1}
    assert bench.movie() == movie()


def test_a_popularity_of_zero_is_one(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie())
    push_movie(bench, stage, popularity=0)
    assert bench.movie()["popularity"] == 0


def test_a_collection_keeps_what_tmdb_left_out(bench: Bench, stage: Shelf) -> None:
    theirs = {"id": 2344, "name": "Matrix", "poster_path": "/c.jpg", "backdrop_path": "/d.jpg"}
    bench.plant(movie(belong_to_collection=theirs))
    ours = {"id": 2344, "name": None, "poster_path": None, "backdrop_path": "/new.jpg"}
    push_movie(bench, stage, belongs_to_collection=ours)
    assert bench.movie()["belong_to_collection"] == theirs | {"backdrop_path": "/new.jpg"}


# Images


@pytest.mark.parametrize("field", ["main_poster", "main_backdrop"])
@pytest.mark.parametrize("prefix", ["", "https://image.tmdb.org/t/p/original"])
def test_a_path_and_an_address_of_one_image_are_equal(
    bench: Bench, stage: Shelf, field: str, prefix: str
) -> None:
    path = {"main_poster": "/poster.jpg", "main_backdrop": "/backdrop.jpg"}[field]
    bench.plant(movie(**{field: prefix + path}))
    assert counts(push_movie(bench, stage)) == {"unchanged": 1}
    assert bench.movie()[field] == prefix + path


@pytest.mark.parametrize(
    ("there", "then"),
    [
        ("/old.jpg", "/new.jpg"),
        ("https://image.tmdb.org/t/p/w500/old.jpg", "https://image.tmdb.org/t/p/w500/new.jpg"),
    ],
)
def test_a_new_image_takes_the_form_that_the_document_has(
    bench: Bench, stage: Shelf, there: str, then: str
) -> None:
    bench.plant(movie(main_poster=there))
    push_movie(bench, stage, poster_path="/new.jpg")
    assert bench.movie()["main_poster"] == then


@pytest.mark.parametrize(
    ("there", "then"),
    [
        ("/other.jpg", "/poster.jpg"),
        (
            "https://image.tmdb.org/t/p/w500/other.jpg",
            "https://image.tmdb.org/t/p/w500/poster.jpg",
        ),
    ],
)
def test_a_new_document_takes_the_form_that_the_target_uses(
    bench: Bench, stage: Shelf, there: str, then: str
) -> None:
    bench.plant(movie(1, main_poster=there, main_backdrop=there))
    push(stage.put(payload()), bench.target, images=ImageForm("url"))
    assert bench.movie()["main_poster"] == then


@pytest.mark.parametrize(
    ("form", "then"),
    [("path", "/poster.jpg"), ("url", "https://image.tmdb.org/t/p/w500/poster.jpg")],
)
def test_the_setting_decides_for_an_empty_target(
    bench: Bench, stage: Shelf, form: str, then: str
) -> None:
    stage.settings = Settings(images=form)
    push(stage.put(payload()), bench.target, images=None)
    assert bench.movie()["main_poster"] == then


# Somebody else


def test_two_documents_of_one_movie_are_withheld_and_untouched(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie(popularity=1.0), movie(popularity=2.0))
    result = push_movie(bench, stage)
    assert outcome(result) == (
        "withheld",
        "the target has 2 documents with this tmdb_id; delete all but one in the dashboard",
    )
    assert bench.table("movies") == [movie(popularity=1.0), movie(popularity=2.0)]


def test_a_movie_that_someone_changed_meanwhile_is_a_conflict_and_left_alone(
    bench: Bench, stage: Shelf
) -> None:
    bench.plant(movie(popularity=1.0, tagline="old"))
    meddled = Meddled(bench.target, lambda: bench.change(popularity=2.0))
    result = push(stage.put(payload()), meddled)
    assert outcome(result) == ("conflict", "changed by someone else since: popularity")
    assert bench.movie() == movie(popularity=2.0, tagline="old")


def test_a_movie_that_someone_created_meanwhile_is_a_conflict(bench: Bench, stage: Shelf) -> None:
    create = {"tmdb_id": 603, "create": movie(slug="theirs")}
    meddled = Meddled(bench.target, lambda: bench.target.apply_movies([create]))
    result = push(stage.put(payload()), meddled)
    assert outcome(result)[0] == "conflict"
    assert bench.table("movies") == [movie(slug="theirs")]


def test_a_movie_that_someone_deleted_meanwhile_is_a_conflict(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie(popularity=1.0))
    meddled = Meddled(bench.target, bench.remove)
    result = push(stage.put(payload()), meddled)
    assert outcome(result)[0] == "conflict"
    assert bench.table("movies") == []


def test_a_field_that_we_do_not_send_may_change_meanwhile(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie(popularity=1.0))
    meddled = Meddled(bench.target, lambda: bench.change(mood=["dark"]))
    result = push(stage.put(payload()), meddled)
    assert counts(result) == {"updated": 1}
    assert bench.movie()["mood"] == ["dark"]


# Slugs


@pytest.mark.parametrize(
    ("taken", "slug"),
    [
        ([], "the-matrix"),
        (["the-matrix"], "the-matrix-1999"),
        (["the-matrix", "the-matrix-1999"], "the-matrix-603"),
    ],
)
def test_a_slug_is_the_title_then_with_its_year_then_with_its_id(
    bench: Bench, stage: Shelf, taken: list[str], slug: str
) -> None:
    bench.plant(*(movie(n, slug=owned) for n, owned in enumerate(taken, start=1)))
    push_movie(bench, stage)
    assert bench.movie()["slug"] == slug


def test_slugs_do_not_collide_within_a_push(bench: Bench, stage: Shelf) -> None:
    stage.put(payload(1), payload(2), payload(3), payload(4, release_date=""))
    push(stage, bench.target)
    assert [row["slug"] for row in bench.table("movies")] == [
        "the-matrix",
        "the-matrix-1999",
        "the-matrix-3",
        "the-matrix-4",
    ]


def test_slugs_do_not_collide_across_the_parts_of_a_push(
    bench: Bench, stage: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 1)
    push(stage.put(payload(1), payload(2)), bench.target)
    assert [row["slug"] for row in bench.table("movies")] == ["the-matrix", "the-matrix-1999"]


# The app as it is today


@pytest.fixture
def app(app_backend: ConvexBackend) -> DeploymentBench:
    """The app's own schema: no crew in movies, and no genres."""
    return DeploymentBench(app_backend)


def test_the_apps_schema_takes_our_documents_and_it_is_said_what_is_left_out(
    app: DeploymentBench, stage: Shelf
) -> None:
    result = push_movie(app, stage)
    assert counts(result) == {"created": 1}
    assert result.left_out == ("movies.crew", "genres")
    assert "not known there: movies.crew, genres" in repr(result)
    assert "crew" not in app.movie()


def test_the_app_gets_the_names_of_those_whom_a_movie_holds_and_no_others(
    app: DeploymentBench, stage: Shelf
) -> None:
    grip = {"id": 77, "name": "A Grip", "job": "Grip"}
    push_movie(app, stage, credits={"cast": [KEANU], "crew": [LANA, grip]})
    assert [row["crew_id"] for row in app.table("crew")] == [6384, 9340]


def test_the_app_gets_all_names_where_that_is_asked_for(app: DeploymentBench, stage: Shelf) -> None:
    grip = {"id": 77, "name": "A Grip", "job": "Grip"}
    stage.put(payload(credits={"cast": [KEANU], "crew": [LANA, grip]}))
    push(stage, app.target, people="all")
    assert [row["crew_id"] for row in app.table("crew")] == [77, 6384, 9340]


# Schemas that we have not met yet


class Schemed(ConvexSnapshot):
    """A snapshot that says of itself that it accepts something else."""

    def __init__(self, path: Path, **tables: Any) -> None:
        super().__init__(path)
        self.accepted = {name: validator(name) for name in ("movies", "crew", "genres")} | tables

    def contract(self) -> Any:
        return Contract.read({"version": 1, "tables": self.accepted})


def field(kind: str | list[str], *, optional: bool = False) -> Document:
    union = {"type": "union", "value": [{"type": "literal", "value": each} for each in kind]}
    return {"fieldType": {"type": kind} if isinstance(kind, str) else union, "optional": optional}


def with_field(table: str, name: str, kind: Document) -> Document:
    known = validator(table)
    return {**known, "value": {**known["value"], name: kind}}


@pytest.mark.parametrize("table", ["movies", "crew", "genres"])
def test_a_field_that_a_table_needs_and_we_lack_is_said_before_the_first_write(
    tmp_path: Path, stage: Shelf, table: str
) -> None:
    target = Schemed(tmp_path, **{table: with_field(table, "stars", field("number"))})
    with pytest.raises(TargetRefused, match=f"the table {table} needs stars"):
        push(stage.put(payload()), target)
    assert not target.path.exists()


def test_a_field_of_the_apps_that_it_needs_and_we_never_fill_is_said_too(
    tmp_path: Path, stage: Shelf
) -> None:
    movies = with_field("movies", "screenshot_url", field("string"))
    with pytest.raises(TargetRefused, match="the table movies needs screenshot_url"):
        push(stage.put(payload()), Schemed(tmp_path, movies=movies))


def test_what_crew_needs_does_not_matter_to_those_who_send_nobody(
    tmp_path: Path, stage: Shelf
) -> None:
    target = Schemed(tmp_path, crew=with_field("crew", "photo", field("string")))
    result = push(stage.put(payload()), target, people="none")
    assert counts(result) == {"created": 1}


def test_a_table_of_that_name_that_is_something_else_is_left_out(
    tmp_path: Path, stage: Shelf
) -> None:
    genres = {"type": "object", "value": {"label": field("string")}}
    target = Schemed(tmp_path, genres=genres)
    result = push(stage.put(payload()), target)
    assert counts(result) == {"created": 1}
    assert result.left_out == ("genres",)
    assert target.table("genres") == []


def test_jobs_that_crew_does_not_take_are_left_out_and_said(tmp_path: Path, stage: Shelf) -> None:
    target = Schemed(tmp_path, crew=with_field("crew", "crew_type", field(["Actor", "Director"])))
    result = push(stage.put(payload(1), payload(2)), target)
    assert counts(result) == {"created": 2}
    assert [row["crew_type"] for row in target.table("crew")] == ["Actor", "Director"]
    (left_out,) = result.left_out
    assert left_out.startswith("1 of crew (crew_type is 'Writer', wanted ")


def test_movies_without_fields_for_people_get_no_named_ones(tmp_path: Path, stage: Shelf) -> None:
    movies = validator("movies")
    bare = without(movies["value"], "cast", "crew", "directors")
    target = Schemed(tmp_path, movies={**movies, "value": bare})
    assert counts(push(stage.put(payload()), target)) == {"created": 1}
    assert target.table("crew") == []


# Before anything is written


def test_a_key_for_reading_only_is_refused_before_any_write(
    proxy: ConvexProxy, backend: ConvexBackend, stage: Shelf
) -> None:
    with pytest.raises(CredentialsRefused, match="runInternalMutations"):
        push(stage.put(payload()), deployment(proxy.url, backend.read_only_key))
    assert [call.name for call in proxy.calls] == ["check_admin_key"]


def test_a_backend_that_cannot_check_keys_is_pushed_to_all_the_same(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.always("check_admin_key", "404_html")
    assert counts(push(stage.put(payload()), deployment(proxy.url))) == {"created": 1}


def test_a_push_that_cannot_begin_leaves_no_threads_and_no_log(
    proxy: ConvexProxy, stage: Shelf
) -> None:
    proxy.always("contract", "missing")
    stage, before = stage.put(payload()), threading.active_count()
    with pytest.raises(StopError, match="tmdbkit functions convex"):
        push(stage, deployment(proxy.url))
    assert threading.active_count() == before
    assert stage.imports().is_empty()


# The import log


def test_the_log_tells_what_was_there_and_what_is(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path, payload(), payload(604))
    bench.plant(movie(popularity=1.0))
    push(stage, bench.target)
    updated, created = stage.imports().rows(named=True)
    assert (updated["tmdb_id"], updated["outcome"]) == (603, "updated")
    assert json.loads(updated["before"]) == {
        "popularity": 1.0,
        "updated_at": "2025-01-01T00:00:00.000Z",
        "tmdb_data_imported_at": "2025-01-01T00:00:00.000Z",
    }
    assert json.loads(updated["after"]) == {
        "popularity": 83.25,
        "updated_at": NOW_ISO,
        "tmdb_data_imported_at": "2026-01-15T00:00:00.000Z",
    }
    assert (created["outcome"], created["before"]) == ("created", None)
    assert json.loads(created["after"]) == bench.movie(604)
    assert updated["push"] == created["push"]
    assert updated["target"] == str(bench.target.title)
    assert updated["pushed_at"] == NOW


def test_a_movie_that_stays_as_it_is_is_logged_without_a_change(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path, payload())
    bench.plant(movie())
    push(stage, bench.target)
    (row,) = stage.imports().rows(named=True)
    assert (row["outcome"], row["before"], row["after"]) == ("unchanged", None, None)


# How it looks


def test_a_result_draws_itself_with_its_reasons(bench: Bench, stage: Shelf) -> None:
    bench.plant(movie(), movie())
    result = push_movie(bench, stage)
    text = repr(result)
    assert "withheld: 1" in text
    assert "withheld: The Matrix: the target has 2 documents" in text
    assert "The Matrix: the target has 2 documents" in result._repr_html_()
    assert result.counts()["target"] == str(bench.target.title)


# The rules of the snapshot are those of the functions


def both(bench: Bench, call: Callable[[Target], Any]) -> Any:
    """What a call comes to, without Convex's own ids."""
    try:
        answers = call(bench.target)
    except (RequestRefused, BatchTooLarge, PassingFault) as error:
        return type(error).__name__
    return [without(answer, "id", "deleted") for answer in answers]


CHANGES: dict[str, tuple[list[Document], list[Document]]] = {
    "create": ([], [{"tmdb_id": 603, "create": movie()}]),
    "create again": ([movie()], [{"tmdb_id": 603, "create": movie()}]),
    "create over another": ([movie(title="x")], [{"tmdb_id": 603, "create": movie()}]),
    "create a bad one": ([], [{"tmdb_id": 603, "create": movie(title=7)}]),
    "create without a field": ([], [{"tmdb_id": 603, "create": without(movie(), "title")}]),
    "create where there are two": ([movie(), movie()], [{"tmdb_id": 603, "create": movie()}]),
    "set": (
        [movie(tagline="a")],
        [{"tmdb_id": 603, "expected": {"tagline": "a"}, "set": {"tagline": "b"}}],
    ),
    "set what is there": (
        [movie(tagline="b")],
        [{"tmdb_id": 603, "expected": {"tagline": "a"}, "set": {"tagline": "b"}}],
    ),
    "set what moved": (
        [movie(tagline="c")],
        [{"tmdb_id": 603, "expected": {"tagline": "a"}, "set": {"tagline": "b"}}],
    ),
    "set of another type": (
        [movie()],
        [{"tmdb_id": 603, "set": {"tagline": "b"}}, {"tmdb_id": 603, "set": {"tagline": 7}}],
    ),
    "set a field that is not there": ([movie()], [{"tmdb_id": 603, "set": {"stars": 5}}]),
    "set on nothing": ([], [{"tmdb_id": 603, "set": {"tagline": "b"}}]),
    "add": (
        [without(movie(), "crew")],
        [{"tmdb_id": 603, "absent": ["crew"], "set": {"crew": [1]}}],
    ),
    "add what is there": ([movie()], [{"tmdb_id": 603, "absent": ["crew"], "set": {"crew": [1]}}]),
    "remove": ([movie()], [{"tmdb_id": 603, "expected": {"crew": [9340]}, "unset": ["crew"]}]),
    "remove what is gone": ([without(movie(), "crew")], [{"tmdb_id": 603, "unset": ["crew"]}]),
    "remove what is needed": (
        [movie()],
        [{"tmdb_id": 603, "set": {"tagline": "b"}}, {"tmdb_id": 603, "unset": ["title"]}],
    ),
    "two changes to one": (
        [movie(tagline="a")],
        [
            {"tmdb_id": 603, "expected": {"tagline": "a"}, "set": {"tagline": "b"}},
            {"tmdb_id": 603, "expected": {"tagline": "a"}, "set": {"tagline": "c"}},
        ],
    ),
    "one good and one bad": (
        [],
        [{"tmdb_id": 1, "create": movie(1)}, {"tmdb_id": 2, "create": movie(2, title=7)}],
    ),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_the_snapshot_and_the_functions_do_the_same(
    backend: ConvexBackend, tmp_path: Path, name: str
) -> None:
    there, changes = CHANGES[name]
    rehearsed, real = benches = SnapshotBench(tmp_path), DeploymentBench(backend)
    for bench in benches:
        bench.plant(*there)
    rehearsed.knows(real.target.contract())
    embedded, deployed = (
        (both(bench, lambda target: target.apply_movies(changes)), bench.table("movies"))
        for bench in benches
    )
    assert embedded == deployed


def test_no_error_of_a_push_is_anything_but_ours(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.script("moviesByTmdbIds", "redacted")
    with pytest.raises(ServiceError, match="Server Error"):
        push(stage.put(payload()), deployment(proxy.url))
