"""Targets and functions of another hand or version: read as far as they make sense, else said."""

from __future__ import annotations

import json
import zipfile
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.servers.convex import ConvexProxy, dumps, success
from tests.servers.wire import Answer
from tmdbkit import ConvexSnapshot, check
from tmdbkit.cli.main import main
from tmdbkit.convex.read import ids_of, movies_of
from tmdbkit.exceptions import FunctionsMissing, PassedOver
from tmdbkit.stage.tables import IMPORTS

from .bench import counts, deployment, movie, outcome, payload, push, staged, without

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .backend import ConvexBackend, Document
    from .bench import Shelf

pytestmark = pytest.mark.once

LARGE = pytest.mark.large  # what is one more of a kind

Run = Any
KEY = "dev:tmdbkit-tests|0123456789abcdef"


# Answers to a push.


def altered(edit: Callable[[Any], Any]) -> Callable[[Run], Answer]:
    """The functions do what they are asked, and say it in another way."""

    def answer(run: Run) -> Answer:
        return success(edit(json.loads(run().body)["value"]))

    return answer


def each(**parts: Any) -> Callable[[Any], Any]:
    return lambda rows: [row | parts for row in rows]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (each(outcome="merged"), "'merged'"),
        (each(outcome=None), "nothing"),
        (each(outcome=7), "7"),
        (each(outcome=["created"]), "['created']"),
        (lambda rows: [without(row, "outcome") for row in rows], "nothing"),
        (lambda rows: [without(row, "tmdb_id") for row in rows], "nothing"),
        (each(tmdb_id="603"), "nothing"),
        (each(tmdb_id=604), "nothing"),
        (lambda _: [], "nothing"),
        (lambda _: None, "nothing"),
        (lambda _: {"created": 1}, "nothing"),
        (lambda _: "done", "nothing"),
        (lambda _: [None], "nothing"),
        (lambda _: 1, "nothing"),
    ],
)
def test_an_answer_that_is_not_understood_is_unknown_until_the_document_tells(
    proxy: ConvexProxy, stage: Shelf, edit: Callable[[Any], Any], told: str
) -> None:
    target = deployment(proxy.url, KEY)
    proxy.script("applyMovies", altered(edit))
    sent = push(stage.put(payload()), target)
    assert counts(sent) == {"unknown": 1}
    assert f"the functions there answered {told} to it" in outcome(sent)[1]
    assert counts(push(stage, target)) == {"unchanged": 1}
    assert stage.imports()["outcome"].to_list() == ["created", "unchanged"]


def test_words_and_keys_more_are_no_matter(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.script("applyMovies", altered(each(took="3 ms", differs=None, id=7)))
    proxy.script("addPeople", altered(lambda _: {"created": "two", "renamed": 1}))
    proxy.script("addGenres", altered(lambda _: None))
    assert counts(push(stage.put(payload()), deployment(proxy.url, KEY))) == {"created": 1}


def test_a_conflict_that_does_not_say_why_is_one(proxy: ConvexProxy, stage: Shelf) -> None:
    proxy.script("applyMovies", altered(each(outcome="conflict", differs=[7, None])))
    sent = push(stage.put(payload()), deployment(proxy.url, KEY))
    assert outcome(sent)[0] == "conflict"


def test_what_is_unknown_is_said_with_status_1(
    proxy: ConvexProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("CONVEX_URL", proxy.url)
    monkeypatch.setenv("CONVEX_DEPLOY_KEY", KEY)
    staged(tmp_path / "s", payload())
    proxy.script("applyMovies", altered(each(outcome="merged")))
    assert main(["push", "--stage", str(tmp_path / "s"), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["unknown"], told["created"]) == (1, 0)


# Answers to a question.

TABLES = {"movies": None, "crew": None, "genres": None}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contract", None),
        ("contract", []),
        ("contract", {"version": "one", "tables": TABLES}),
        ("contract", {"version": None, "tables": TABLES}),
        ("contract", {"version": 9.0, "tables": TABLES}),
        ("contract", {"version": 2.0, "tables": TABLES, "references": ["watchlist"]}),
        ("contract", {"version": 1.0}),
        ("contract", {"version": 1.0, "tables": ["movies"]}),
        ("contract", {"version": 1.0, "tables": {"movies": {"type": "object", "value": None}}}),
        ("contract", {"version": 1.0, "tables": {"movies": {"type": "array"}}}),
        ("contract", {"version": 1.0, "tables": {"movies": "any"}}),
        ("page", None),
        ("page", {"page": [1], "cursor": None, "done": True}),
        ("page", {"page": [], "cursor": 7, "done": True}),
        ("page", {"page": [], "cursor": None, "done": False}),
        ("page", {"rows": []}),
        ("moviesByTmdbIds", None),
        ("moviesByTmdbIds", {"603": {}}),
        ("moviesByTmdbIds", [None]),
        ("moviesByTmdbIds", [{"title": "The Matrix"}]),
        ("moviesByTmdbIds", [{"tmdb_id": "603"}]),
        ("slugOwners", None),
        ("slugOwners", ["the-matrix"]),
    ],
)
def test_functions_that_answer_otherwise_are_one_line_before_anything_changes(
    proxy: ConvexProxy, stage: Shelf, name: str, value: Any
) -> None:
    proxy.script(name, *[altered(lambda _: value)] * 9)
    with pytest.raises(FunctionsMissing, match=r"version.*run tmdbkit functions"):
        push(stage.put(payload()), deployment(proxy.url, KEY))
    assert proxy.called("applyMovies") == proxy.called("addPeople") == []


def test_whoever_answers_without_json_values_is_not_understood_either(stage: Shelf) -> None:
    with ConvexProxy(values={"contract": 1}) as proxy:
        proxy.script("page", lambda _: Answer(200, dumps({"status": "success"})))
        with pytest.raises(FunctionsMissing):
            push(stage.put(payload()), deployment(proxy.url, KEY))


# Documents that somebody else wrote.


def snapshot_of(folder: Path, *movies: Any, **tables: Any) -> ConvexSnapshot:
    path = folder / "snapshot.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for table, rows in ({"movies": movies} | tables).items():
            archive.writestr(f"{table}/documents.jsonl", "\n".join(map(json.dumps, rows)))
    return ConvexSnapshot(path)


ODD: dict[str, dict[str, Any]] = {
    "a slug that is a number": {"slug": 5},
    "no slug": {"slug": None},
    "a list of slugs": {"slug": ["the-matrix"]},
    "a slug that is an object": {"slug": {"en": "the-matrix"}},
    "a title that is a number": {"title": 1984},
    "no title": {"title": None},
    "posters": {"main_poster": [1, 2]},
    "a collection by name": {"belong_to_collection": "The Matrix Collection"},
    "collections": {"belong_to_collection": [2344]},
    "votes as a list": {"vote_pts_system": [8.7]},
    "votes as text": {"vote_count_system": {"imdb": "many"}},
    "a cast of names": {"cast": ["Keanu Reeves"]},
    "a year for a day": {"release_date": 1999},
    "moods inside moods": {"mood": [[["noir"]]]},
    "a number too large": {"budget": 1e300},
}


@pytest.mark.parametrize("name", ODD)
def test_odd_fields_of_a_document_stop_nothing(name: str, tmp_path: Path, stage: Shelf) -> None:
    target = snapshot_of(tmp_path, movie(**ODD[name]))
    sent = push(stage.put(payload(tagline="New"), payload(604)), target)
    assert counts(sent)["created"] == 1
    assert sent.unknown + sent.failed == 0
    assert sent.updated + sent.unchanged + sent.withheld == 1


@pytest.mark.parametrize("name", ODD)
def test_odd_fields_are_read_as_none_and_said(name: str, tmp_path: Path) -> None:
    target = snapshot_of(tmp_path, movie(**ODD[name]), movie(604))
    field, value = next(iter(ODD[name].items()))
    if value is None:
        assert movies_of(target)[field].to_list()[0] is None
        return
    with pytest.warns(PassedOver, match=f"1 value of {field}, of other types"):
        found = movies_of(target)
    assert found["tmdb_id"].to_list() == [603, 604]
    assert found["runtime_minutes"].to_list() == [136, 136]


@pytest.mark.parametrize(
    ("ratings", "read", "odd"),
    [
        ({"imdb": 8.7}, [8.7, None], False),
        ({"imdb": 8.7, "douban": 9.1}, [8.7, None], False),
        ({}, [None, None], False),
        ({"imdb": 8.7, "metacritic": None}, [8.7, None], False),
        ({"imdb": 8.7, "metacritic": "73"}, [8.7, None], True),
        ({"imdb": True, "metacritic": 73}, [None, 73.0], True),
        ({"imdb": {"$float": "AAAAAAAA+H8="}, "metacritic": 73}, [None, 73.0], True),
    ],
)
def test_each_systems_rating_is_read_by_itself(
    tmp_path: Path, ratings: Document, read: list[float | None], odd: bool
) -> None:
    target = snapshot_of(tmp_path, movie(vote_pts_system=ratings))
    warned: Any = pytest.warns(PassedOver, match="1 value of vote_pts") if odd else nullcontext()
    with warned:
        (found,) = movies_of(target)["vote_pts_system"]
    assert [found["imdb"], found["metacritic"]] == read
    with warned:
        assert check(target).movies == 1


@pytest.mark.parametrize("odd", ["603", None, [603], {"id": 603}, 603.5, True, 1e300, 0, -1])
def test_a_movie_without_an_id_is_nobodys_and_stays(odd: Any, tmp_path: Path, stage: Shelf) -> None:
    target = snapshot_of(tmp_path, movie(odd, slug="the-matrix"), movie(604, slug="another"))
    with pytest.warns(PassedOver, match="1 movie without a tmdb_id that is a number"):
        assert ids_of(target) == [604]
    with pytest.warns(PassedOver):
        assert movies_of(target)["tmdb_id"].to_list() == [604]
    assert counts(push(stage.put(payload()), target)) == {"created": 1}
    slugs = [row["slug"] for row in target.table("movies")]
    assert slugs == ["the-matrix", "another", "the-matrix-1999"]  # that slug is taken


def test_of_a_deployment_too(backend: ConvexBackend, proxy: ConvexProxy, stage: Shelf) -> None:
    odd = [{"tmdb_id": "x", "slug": "the-matrix"}, {"tmdb_id": None, "slug": None}]
    proxy.script("slugOwners", altered(lambda _: odd))
    target = deployment(proxy.url, KEY)
    assert counts(push(stage.put(payload()), target)) == {"created": 1}
    assert backend.dump("movies")[0]["slug"] == "the-matrix-1999"
    proxy.script("page", altered(lambda page: page | {"page": [*odd, *page["page"]]}))
    with pytest.warns(PassedOver, match="2 movies without"):
        assert ids_of(target) == [603]


@pytest.mark.parametrize(
    "row",
    [
        {"crew_id": "6384", "crew_name": "Keanu", "crew_type": "Actor"},
        {"crew_id": None, "crew_name": None, "crew_type": None},
        {"crew_id": [6384], "crew_name": "Keanu", "crew_type": "Actor"},
        {"crew_id": 6384, "crew_name": "Keanu", "crew_type": {"is": "Actor"}},
        {"crew_name": 7},
    ],
)
def test_odd_people_and_genres_stay_beside_ours(
    row: dict[str, Any], tmp_path: Path, stage: Shelf
) -> None:
    genre = {"genre_id": ["28"], "name": 5}
    target = snapshot_of(tmp_path, movie(604), crew=[row], genres=[genre, {"name": "?"}])
    push(stage.put(payload()), target)
    again = ConvexSnapshot(target.path)
    assert len(again.table("crew")) == 4
    assert row in again.table("crew")
    assert len(again.table("genres")) == 3


# An import log of another hand or version.


@pytest.fixture
def logged(tmp_path: Path) -> Callable[..., list[str]]:
    """The import log of a stage whose movie 603 was pushed, with a line that is no line of ours."""

    def log(**parts: Any) -> list[str]:
        stage = staged(tmp_path / "s", payload(), payload(604, title="Other"))
        target = ConvexSnapshot(tmp_path / "snapshot.zip")
        push(stage, target, ids=[603])
        row = {
            "tmdb_id": 604,
            "push": "odd",
            "target": str(target.title),
            "identity": target.title.identity,
            "outcome": "updated",
            "before": '{"title": "Old"}',
            "after": '{"title": "Other"}',
            "pushed_at": datetime(2030, 1, 1, tzinfo=UTC),
        }
        stage.store.add_imports(pl.DataFrame([row | parts], IMPORTS))
        return ["--stage", str(tmp_path / "s"), "--snapshot", str(target.path)]

    return log


@pytest.mark.parametrize(
    "parts",
    [
        {"before": "{oops"},
        pytest.param({"before": "[1]"}, marks=LARGE),
        pytest.param({"before": "5"}, marks=LARGE),
        {"after": "null"},
        {"kind": "update", "outcome": None, "before": "{oops"},
        pytest.param({"kind": "update", "outcome": None, "after": '"text"'}, marks=LARGE),
        pytest.param({"kind": "update", "outcome": None, "before": "[" * 9999}, marks=LARGE),
        {"kind": "merge", "outcome": None},
        {"kind": "update", "outcome": "merged"},
    ],
)
def test_a_line_that_cannot_be_meant_is_unknown_and_the_rest_is_undone(
    logged: Callable[..., list[str]], parts: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    where = logged(**parts)
    plain = "outcome" not in parts
    odd = parts.get("kind") == "merge" or parts.get("outcome") == "merged"
    assert main(["plan", *where, "--json"]) == (0 if plain else 1)
    assert json.loads(capsys.readouterr().out).get("unknown", 0) == (0 if plain else 1)
    assert main(["verify", *where, "--json"]) == 1  # of 604, which is not there
    capsys.readouterr()
    assert main(["undo", "odd", *where, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["unknown"] == 1
    assert main(["undo", *where, "--json"]) == int(odd)
    assert json.loads(capsys.readouterr().out)["deleted"] == 1
    assert main(["status", *where[:2]]) == int(odd)
    assert capsys.readouterr().err.count("of the import log passed over, or unknown") == int(odd)


@pytest.mark.parametrize("name", ["tmdb_id", "push", "target"])
def test_a_line_that_does_not_say_of_what_it_is_is_passed_over_and_said(
    logged: Callable[..., list[str]], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = logged(**{name: None})
    for words in (["status", *where[:2]], ["plan", *where], ["undo", *where]):
        assert main(words) == 1
        assert capsys.readouterr().err.count("1 line of the import log passed over") == 1
    assert ConvexSnapshot(where[-1]).table("movies") == []


def test_a_line_without_a_time_counts(logged: Callable[..., list[str]]) -> None:
    where = logged(pushed_at=None, outcome="created")
    assert main(["status", *where[:2]]) == 0
    assert main(["undo", "odd", *where]) == 0


def test_undos_that_take_each_other_back_stop_nothing(logged: Callable[..., list[str]]) -> None:
    where = logged(plan="undo-odd")
    assert main(["undo", *where]) == 0
    assert main(["delete", "--absent", *where]) == 0
