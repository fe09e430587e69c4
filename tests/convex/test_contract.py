"""What the tables accept: declared in Python, in TypeScript and by a target, and all agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tmdbkit.convex.contract import FUNCTIONS, Contract
from tmdbkit.exceptions import FunctionsMissing, TargetRefused
from tmdbkit.schema import CREW, GENRE, MOVIE, validator

from .backend import ConvexBackend, ConvexFunctionError
from .bench import deployment, movie, without

if TYPE_CHECKING:
    from .backend import Document

TABLES = ("movies", "crew", "genres")
CONTRACT = Contract({table: validator(table) for table in TABLES})


def ordered(validator: Any) -> Any:
    """A validator with the choices of its unions in one order; fields have none."""
    if isinstance(validator, list):
        return sorted(map(ordered, validator), key=json.dumps)
    if isinstance(validator, dict):
        return {name: ordered(part) for name, part in sorted(validator.items())}
    return validator


# The schema in Python and the one in TypeScript


@pytest.mark.parametrize("table", TABLES)
def test_the_two_schemas_agree(backend: ConvexBackend, table: str) -> None:
    deployed, ours = backend.query("contract")["tables"][table], validator(table)
    if table == "movies":  # the app's moods may be anything; ours are texts, and never sent anew
        assert deployed["value"]["mood"]["fieldType"]["value"] == {"type": "any"}
        ours["value"]["mood"]["fieldType"]["value"] = {"type": "any"}
    assert ordered(deployed) == ordered(ours)


def test_the_functions_are_of_the_version_that_we_speak_with(backend: ConvexBackend) -> None:
    assert backend.query("contract")["version"] == FUNCTIONS


def test_the_apps_schema_is_ours_without_crew_and_genres(app_backend: ConvexBackend) -> None:
    tables = app_backend.query("contract")["tables"]
    assert tables["movies"]["value"].keys() == set(MOVIE.names()) - {"crew"}
    assert ordered(tables["crew"]) == ordered(validator("crew"))
    assert tables["genres"] is None


# Reading it


@pytest.mark.parametrize(
    ("version", "do"), [(0.0, "run tmdbkit functions"), (3.0, "update tmdbkit, or run")]
)
def test_another_version_of_the_functions_is_said_with_what_to_do(version: float, do: str) -> None:
    with pytest.raises(FunctionsMissing, match=f"version {version:.0f}.*needs 2; {do}"):
        Contract.read({"version": version, "tables": {}})


def test_the_functions_of_before_do_and_do_not_tell_what_points_at_movies() -> None:
    assert Contract.read({"version": 1.0, "tables": {"movies": {"type": "any"}}}).references is None


def test_a_table_that_the_app_lacks_is_not_known(app_backend: ConvexBackend) -> None:
    contract = deployment(app_backend.url).contract()
    assert not contract.knows("genres")
    assert not contract.knows("genres", "name")
    assert not contract.knows("movies", "crew")
    assert contract.knows("movies", "cast")


@pytest.mark.parametrize(
    "anything", [{"type": "any"}, {"type": "union", "value": [{"type": "object", "value": {}}]}]
)
def test_a_table_that_takes_anything_knows_every_field_and_needs_none(anything: Document) -> None:
    contract = Contract({"movies": anything})
    assert contract.knows("movies", "title")
    assert contract.lacking("movies", set()) == []


@pytest.mark.parametrize(
    ("table", "columns", "takes"),
    [
        ("crew", CREW.names(), True),
        ("genres", GENRE.names(), True),
        ("crew", ["crew_id", "photo"], False),
        ("keywords", [], False),
    ],
)
def test_a_table_takes_rows_whose_every_field_it_knows(
    table: str, columns: list[str], *, takes: bool
) -> None:
    assert CONTRACT.takes(table, columns) is takes


def test_a_field_that_the_table_needs_and_we_lack_is_named() -> None:
    with pytest.raises(TargetRefused, match="the table movies needs slug, title, which"):
        CONTRACT.check("movies", without(dict.fromkeys(MOVIE.names()), "title", "slug", "crew"))


def test_fields_of_convex_itself_are_not_needed_of_us() -> None:
    stamped = {"_id": {"fieldType": {"type": "id", "tableName": "movies"}, "optional": False}}
    assert Contract({"movies": {"type": "object", "value": stamped}}).lacking("movies", []) == []


# Documents that it refuses are those that the functions refuse


GOOD: dict[str, Document] = {
    "a whole one": movie(),
    "without what is optional": without(movie(), "crew", "main_poster", "main_backdrop"),
    "with what the app adds": movie(screenshot_url="", screenshot_id_list=["k1"], mood=["dark"]),
    "with nothing in its lists": movie(cast=[], genres=[], country=[]),
    "without a collection": movie(belong_to_collection=None),
    "with fractions": movie(popularity=0.001, budget=1.5),
    "with the largest whole number": movie(budget=2**53),
    "with less than nothing": movie(revenue=-1),
    "with moods of any kind": movie(mood=["dark", 7, {"a": None}]),
    "with a text of any script": movie(title="千と千尋の神隠し \u2028 \U0001f3ac"),
}
BAD: dict[str, tuple[Document, str]] = {
    "a number for a text": (movie(title=7), "title"),
    "a text for a number": (movie(budget="7"), "budget"),
    "a yes for a number": (movie(budget=True), "budget"),
    "a yes for a text": (movie(tagline=False), "tagline"),
    "null for a text": (movie(imdb_id=None), "imdb_id"),
    "null for a number": (movie(runtime_minutes=None), "runtime_minutes"),
    "null for a list": (movie(cast=None), "cast"),
    "null where it may be absent": (movie(main_poster=None), "main_poster"),
    "null for crew": (movie(crew=None), "crew"),
    "a text for a list": (movie(country="Japan"), "country"),
    "an object for a list": (movie(cast={}), "cast"),
    "a list for an object": (movie(vote_pts_system=[]), "vote_pts_system"),
    "a text in a list of numbers": (movie(cast=[1, "2"]), "cast"),
    "null in a list": (movie(genres=[None]), "genres"),
    "a number in a list of texts": (movie(language=[1]), "language"),
    "a field too few": (without(movie(), "slug"), "slug"),
    "no time": (without(movie(), "updated_at"), "updated_at"),
    "a field too many": (movie(stars=5), "stars"),
    "a field of Convex's own": (movie(_id="k1"), "_id"),
    "a system too few": (
        movie(vote_pts_system=without(movie()["vote_pts_system"], "imdb")),
        "imdb",
    ),
    "a system too many": (
        movie(vote_pts_system=movie()["vote_pts_system"] | {"douban": 9}),
        "douban",
    ),
    "a text for points": (
        movie(vote_pts_system=movie()["vote_pts_system"] | {"imdb": "8.7"}),
        "imdb",
    ),
    "half a collection": (movie(belong_to_collection={"id": 1, "name": "One"}), "on.backdrop_path"),
    "a collection's name for it": (movie(belong_to_collection="One"), "belong_to_collection"),
    "a number for a picture": (
        movie(belong_to_collection=movie()["belong_to_collection"] | {"poster_path": 7}),
        "belong_to_collection",
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_document_is_taken_by_both(backend: ConvexBackend, name: str) -> None:
    document = GOOD[name]
    assert Contract.read(backend.query("contract")).faults(document) == []
    (answer,) = backend.mutation("applyMovies", changes=[{"tmdb_id": 603, "create": document}])
    assert answer["outcome"] == "created"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_by_both_and_its_field_is_named(
    backend: ConvexBackend, name: str
) -> None:
    document, field = BAD[name]
    faults = Contract.read(backend.query("contract")).faults(document)
    assert field in faults[0]
    with pytest.raises(ConvexFunctionError, match="ArgumentValidationError"):
        backend.mutation("applyMovies", changes=[{"tmdb_id": 603, "create": document}])
    assert backend.dump("movies") == []


CHANGES: dict[str, tuple[Document, bool]] = {
    "one field": ({"budget": 1}, True),
    "no field": ({}, True),
    "an optional one": ({"crew": [1]}, True),
    "one of another type": ({"budget": "1"}, False),
    "one that is not there": ({"stars": 5}, False),
    "a part of the ratings": ({"vote_pts_system": {"imdb": 8.7}}, False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_some_fields_are_taken_or_refused_by_both(backend: ConvexBackend, name: str) -> None:
    fields, fine = CHANGES[name]
    backend.insert("movies", movie())
    faults = Contract.read(backend.query("contract")).faults(fields, partial=True)
    try:
        backend.mutation("applyMovies", changes=[{"tmdb_id": 603, "set": fields}])
        taken = True
    except ConvexFunctionError:
        taken = False
    assert (not faults, taken) == (fine, fine)


PEOPLE: dict[str, tuple[Document, bool]] = {
    "a person": ({"crew_id": 1, "crew_name": "A", "crew_type": "Actor"}, True),
    "a person without a name": ({"crew_id": 1, "crew_name": None, "crew_type": "Actor"}, False),
    "a person without a job": ({"crew_id": 1, "crew_name": "A"}, False),
    "a person whose id is a text": ({"crew_id": "1", "crew_name": "A", "crew_type": "A"}, False),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_a_person_is_taken_or_refused_by_both(backend: ConvexBackend, name: str) -> None:
    person, fine = PEOPLE[name]
    faults = Contract.read(backend.query("contract")).faults(person, "crew")
    try:
        backend.mutation("addPeople", people=[person])
        taken = True
    except ConvexFunctionError:
        taken = False
    assert (not faults, taken) == (fine, fine)


# What only Python refuses: it could not be sent as it is


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2**53 + 1, -(2**60)])
def test_a_number_that_json_or_a_float_cannot_hold_is_refused(value: float) -> None:
    assert CONTRACT.faults(movie(budget=value)) == [f"budget is {value!r}, wanted a number"]


# Kinds of fields that other apps have


def field(kind: Document, *, optional: bool = False) -> Contract:
    value = {"x": {"fieldType": kind, "optional": optional}}
    return Contract({"movies": {"type": "object", "value": value}})


LITERALS = {"type": "union", "value": [{"type": "literal", "value": kind} for kind in ("a", "b")]}


@pytest.mark.parametrize(
    ("kind", "value", "fine"),
    [
        ({"type": "any"}, {"a": [None]}, True),
        ({"type": "id", "tableName": "users"}, "k57", True),
        ({"type": "record", "keys": {}, "values": {}}, {"a": 1}, True),
        ({"type": "boolean"}, True, True),
        ({"type": "boolean"}, 1, False),
        ({"type": "null"}, None, True),
        ({"type": "null"}, 0, False),
        ({"type": "literal", "value": "a"}, "a", True),
        ({"type": "literal", "value": "a"}, "b", False),
        (LITERALS, "b", True),
        (LITERALS, "c", False),
        ({"type": "array", "value": LITERALS}, ["a", "c"], False),
    ],
)
def test_other_kinds_of_fields(kind: Document, value: object, *, fine: bool) -> None:
    assert (field(kind).faults({"x": value}) == []) is fine


SHAPES = [
    {"type": "null"},
    {"type": "object", "value": {"id": {"fieldType": {"type": "number"}, "optional": False}}},
]


@pytest.mark.parametrize(
    ("kind", "value", "fault"),
    [
        ({"type": "union", "value": SHAPES}, {"id": "1"}, "x.id is '1', wanted a number"),
        ({"type": "union", "value": SHAPES}, 7, "x is 7, wanted a null or an object"),
        (LITERALS, "c", "x is 'c', wanted 'a' or 'b'"),
    ],
)
def test_of_a_union_the_nearest_complaint_is_told(kind: Document, value: Any, fault: str) -> None:
    assert field(kind).faults({"x": value}) == [fault]


def test_a_long_value_is_told_in_short() -> None:
    (fault,) = CONTRACT.faults(movie(budget="x" * 5_000))
    assert len(fault) < 100
    assert fault.startswith("budget is 'xxx")
