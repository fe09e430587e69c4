"""The merge: what a push would create, change, keep and leave, without any target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdbkit.convex.changes import Change, content_hash, image_form, plan_changes, slug_candidates
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.merge import Scope, is_missing, joined
from tmdbkit.images import ImageForm
from tmdbkit.schema import CREATED_ONLY, validator

from .bench import NOW_ISO, SYSTEMS, movie, without

if TYPE_CHECKING:
    from .backend import Document

CONTRACT = Contract({name: validator(name) for name in ("movies", "crew", "genres")})
APPS_OWN = ("created_at", "updated_at", "screenshot_id_list", "screenshot_url")
URL = "https://image.tmdb.org/t/p/w500/a.jpg"


def row(tmdb_id: int = 603, /, **fields: Any) -> Document:
    """A row of the stage: a document without what the app adds."""
    return without(movie(tmdb_id), *APPS_OWN) | fields


def plan(*rows: Document, there: tuple[Document, ...] = (), **options: Any) -> list[Change]:
    rest: dict[str, Any] = {"images": ImageForm(), "taken": {}, "now": NOW_ISO} | options
    return plan_changes(rows, there, rest.pop("contract", CONTRACT), **rest)


def change(fields: Document, there: Document, **options: Any) -> Change:
    """What one movie with these fields becomes over another one."""
    (only,) = plan(row(**fields), there=(movie(**there),), **options)
    return only


# Creating


def test_a_movie_that_is_not_there_is_created_with_slug_and_times() -> None:
    (created,) = plan(row())
    times = {"created_at": NOW_ISO, "updated_at": NOW_ISO}
    assert created.kind == "create"
    assert created.set == movie(**times)
    assert created.arguments() == {"tmdb_id": 603, "create": created.set}


def test_an_optional_field_without_value_is_absent_and_never_null() -> None:
    (created,) = plan(row(main_poster=None, main_backdrop=None))
    assert not {"main_poster", "main_backdrop"} & created.set.keys()


def test_a_field_that_may_be_null_is_null() -> None:
    (created,) = plan(row(belong_to_collection=None))
    assert created.set["belong_to_collection"] is None


def test_a_field_that_the_target_does_not_know_is_not_sent() -> None:
    movies = validator("movies")
    older = Contract({"movies": {**movies, "value": without(movies["value"], "crew", "tagline")}})
    (created,) = plan(row(), contract=older)
    assert not {"crew", "tagline"} & created.set.keys()


def test_a_field_that_the_target_does_not_know_is_no_difference() -> None:
    movies = validator("movies")
    older = Contract({"movies": {**movies, "value": without(movies["value"], "crew")}})
    (same,) = plan(row(crew=[1, 2]), there=(without(movie(), "crew"),), contract=older)
    assert same.kind == "unchanged"


def test_a_document_that_would_be_refused_is_withheld_with_its_fields() -> None:
    (withheld,) = plan(row(title=7, budget=float("nan")))
    assert withheld.kind == "withheld"
    assert withheld.reason == "title is 7, wanted a string; budget is nan, wanted a number"


def test_a_withheld_movie_takes_no_slug_away() -> None:
    _, created = plan(row(1, budget="much"), row(2))
    assert created.set["slug"] == "the-matrix"


# Slugs


@pytest.mark.parametrize(
    ("fields", "candidates"),
    [
        ({}, ["the-matrix", "the-matrix-1999", "the-matrix-603"]),
        ({"release_date": ""}, ["the-matrix", "the-matrix-603"]),
    ],
)
def test_a_movie_may_get_these_slugs(fields: Document, candidates: list[str]) -> None:
    assert slug_candidates(row(**fields)) == candidates


def test_a_slug_that_the_movie_itself_has_is_free() -> None:
    (created,) = plan(row(), taken={"the-matrix": 603})
    assert created.set["slug"] == "the-matrix"


# Updating


def test_a_movie_that_is_as_it_should_be_is_unchanged() -> None:
    assert change({}, {}) == Change(603, "The Matrix", "unchanged")


def test_only_what_differs_is_set_and_what_it_replaces_is_expected() -> None:
    updated = change({"tagline": "new", "tmdb_data_imported_at": "now"}, {"tagline": "old"})
    assert updated.set == {"tagline": "new", "updated_at": NOW_ISO, "tmdb_data_imported_at": "now"}
    assert updated.expected == {"tagline": "old"}
    assert updated.arguments() == {
        "tmdb_id": 603,
        "expected": updated.expected,
        "absent": [],
        "set": updated.set,
        "unset": [],
    }


def test_a_field_that_is_absent_there_is_expected_to_be() -> None:
    (updated,) = plan(row(), there=(without(movie(), "crew"),))
    assert (updated.set["crew"], updated.absent, updated.expected) == ([9340], ("crew",), {})


def test_a_new_import_alone_is_no_change() -> None:
    assert change({"tmdb_data_imported_at": "today"}, {}).kind == "unchanged"


@pytest.mark.parametrize("name", sorted(CREATED_ONLY & {"slug", "mood", "screenshots"}))
def test_what_the_app_owns_is_no_difference(name: str) -> None:
    ours = {"slug": "ours", "mood": ["ours"], "screenshots": ["ours"]}[name]
    assert change({name: ours}, {}).kind == "unchanged"


def test_whole_numbers_come_back_as_floats_and_are_the_same() -> None:
    floats = {"tmdb_id": 603.0, "runtime_minutes": 136.0, "cast": [6384.0]}
    assert change({}, floats).kind == "unchanged"


def test_two_documents_of_one_movie_are_withheld() -> None:
    (withheld,) = plan(row(tagline="?"), there=(movie(), movie()))
    assert withheld.kind == "withheld"
    assert "2 documents" in withheld.reason


def test_an_update_that_would_be_refused_is_withheld() -> None:
    assert change({"cast": ["Keanu"]}, {}).reason == "cast[0] is 'Keanu', wanted a number"


def test_fields_of_the_apps_own_do_not_matter() -> None:
    (updated,) = plan(row(tagline="new"), there=(movie(stars=5, _id="k1", _creationTime=1.0),))
    assert updated.kind == "update"


# What is missing here


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("title", None, True),
        ("tagline", "", True),
        ("cast", [], True),
        ("runtime_minutes", 0, True),
        ("budget", 0, True),
        ("revenue", 0.0, True),
        ("popularity", 0, False),
        ("tagline", "0", False),
        ("cast", [0], False),
    ],
)
def test_a_value_may_say_that_nobody_knows(name: str, value: object, *, missing: bool) -> None:
    assert is_missing(name, value) is missing


def test_what_is_missing_here_and_there_is_told_as_kept() -> None:
    kept = change({"tagline": "", "budget": 0, "imdb_id": ""}, {"imdb_id": ""})
    assert (kept.kind, kept.kept) == ("unchanged", ("budget", "tagline"))


def test_what_is_kept_is_told_beside_what_changes_too() -> None:
    updated = change({"tagline": "", "budget": 1}, {})
    assert (updated.expected, updated.kept) == ({"budget": 63_000_000}, ("tagline",))


# Ratings and collections


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("field", ["vote_pts_system", "vote_count_system"])
def test_a_missing_rating_never_erases_a_present_one(field: str, system: str) -> None:
    theirs = dict.fromkeys(SYSTEMS, 7)
    ours = theirs | {system: None}
    assert joined(field, ours, theirs) == theirs


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_present_rating_replaces_a_missing_one_and_no_other(system: str) -> None:
    theirs, ours = dict.fromkeys(SYSTEMS), dict.fromkeys(SYSTEMS) | {system: 7.5}
    updated = change({"vote_pts_system": ours}, {"vote_pts_system": theirs})
    assert updated.set["vote_pts_system"] == theirs | {system: 7.5}
    assert updated.expected == {"vote_pts_system": theirs}


def test_a_rating_of_zero_is_a_rating() -> None:
    theirs = dict.fromkeys(SYSTEMS, 7)
    assert joined("vote_pts_system", theirs | {"imdb": 0}, theirs)["imdb"] == 0


def test_a_system_that_only_the_app_knows_stays() -> None:
    theirs = dict.fromkeys(SYSTEMS) | {"douban": 9.1}
    assert joined("vote_pts_system", dict.fromkeys(SYSTEMS) | {"imdb": 8}, theirs)["douban"] == 9.1


COLLECTION = {"id": 1, "name": "One", "poster_path": "/p.jpg", "backdrop_path": None}


@pytest.mark.parametrize(
    ("ours", "theirs", "then"),
    [
        (COLLECTION | {"name": "Uno"}, COLLECTION, COLLECTION | {"name": "Uno"}),
        (COLLECTION | {"name": "", "poster_path": None}, COLLECTION, COLLECTION),
        (COLLECTION | {"id": 2, "poster_path": None}, COLLECTION, None),
        (COLLECTION, None, None),
    ],
    ids=["the same", "the same with less", "another one", "the first"],
)
def test_a_collection_keeps_its_parts_as_long_as_it_is_the_same(
    ours: Document, theirs: Document | None, then: Document | None
) -> None:
    assert joined("belong_to_collection", ours, theirs) == (then or ours)


# Images


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        (URL, "/a.jpg", True),
        ("/a.jpg", URL, True),
        (URL, "https://image.tmdb.org/t/p/original/a.jpg", True),
        (URL, "http://image.tmdb.org/t/p/w92/a.jpg", True),
        (URL, "/b.jpg", False),
        (URL, "https://example.org/a.jpg", False),
        (URL, None, False),
    ],
)
def test_images_are_the_same_by_their_path(ours: str, theirs: str | None, *, same: bool) -> None:
    assert (ImageForm().over("main_poster", ours, theirs) == theirs) is same


@pytest.mark.parametrize(
    ("documents", "form"),
    [
        ([], "url"),
        ([{}], "url"),
        ([{"main_poster": "/a.jpg"}], "path"),
        ([{"main_poster": URL}], "url"),
        ([{}, {"main_backdrop": "/a.jpg"}, {"main_poster": URL}], "path"),
    ],
)
def test_a_target_tells_how_it_holds_its_images(documents: list[Document], form: str) -> None:
    assert image_form(documents, ImageForm("url")).form == form


def test_an_empty_target_leaves_the_choice_to_the_setting() -> None:
    assert image_form([], ImageForm("path")).form == "path"


@pytest.mark.parametrize(
    ("form", "poster"), [("url", "https://image.tmdb.org/t/p/w342/a.jpg"), ("path", "/a.jpg")]
)
@pytest.mark.parametrize("given", [URL, "/a.jpg"])
def test_a_new_document_has_images_in_the_targets_form(form: str, poster: str, given: str) -> None:
    (created,) = plan(row(main_poster=given), images=ImageForm(form, poster_size="w342"))
    assert created.set["main_poster"] == poster


@pytest.mark.parametrize("form", ["url", "path"])
@pytest.mark.parametrize(
    ("there", "then"),
    [("/old.jpg", "/a.jpg"), ("https://image.tmdb.org/t/p/original/old.jpg", URL)],
)
def test_a_changed_image_keeps_the_form_of_its_document(form: str, there: str, then: str) -> None:
    updated = change({"main_poster": URL}, {"main_poster": there}, images=ImageForm(form))
    assert updated.set["main_poster"] == then


ORIGINAL = "https://image.tmdb.org/t/p/original/a.jpg"
THEIR_OWN = "https://example.org/a.jpg"


@pytest.mark.parametrize(
    ("form", "there", "then"),
    [
        ("path", URL, "/a.jpg"),
        ("path", ORIGINAL, "/a.jpg"),
        ("path", "/a.jpg", None),
        ("url", "/a.jpg", URL),
        ("url", ORIGINAL, None),
        ("path", "https://image.tmdb.org/t/p/w92/old.jpg", "/a.jpg"),
        ("url", "/old.jpg", URL),
    ],
)
def test_images_are_converted_where_that_is_asked(form: str, there: str, then: str | None) -> None:
    converting = ImageForm(form, converts=True)
    updated = change({"main_poster": "/a.jpg"}, {"main_poster": there}, images=converting)
    assert updated.set.get("main_poster") == then


@pytest.mark.parametrize(
    ("form", "there", "then"),
    [
        ("path", URL, "/a.jpg"),
        ("url", "/a.jpg", URL),
        ("path", THEIR_OWN, None),
        ("path", "", None),
        ("url", None, None),
    ],
)
def test_so_are_those_that_tmdb_has_no_longer(
    form: str, there: str | None, then: str | None
) -> None:
    converting = ImageForm(form, converts=True)
    updated = change({"main_poster": None}, {"main_poster": there}, images=converting)
    assert updated.set.get("main_poster") == then


def test_a_field_that_is_out_of_scope_is_not_converted() -> None:
    converting = ImageForm("path", converts=True)
    for scope in (Scope.of(only=["ratings"]), Scope.of(create_only=["main_poster"])):
        there = {"main_poster": URL}
        updated = change({"main_poster": URL}, there, images=converting, scope=scope)
        assert "main_poster" not in updated.set


# Whatever is there, and whatever comes


texts = st.sampled_from(["", "a", "b"])
numbers = st.sampled_from([0, 1, 2])
lists = st.sampled_from([[], [1], [2, 1]])
votes = st.fixed_dictionaries(dict.fromkeys(SYSTEMS, st.sampled_from([None, 0, 7])))
collections = st.sampled_from([None, COLLECTION, {**COLLECTION, "id": 2, "poster_path": None}])
BOTH_HAVE = {
    "tagline": texts,
    "imdb_id": texts,
    "budget": numbers,
    "popularity": numbers,
    "cast": lists,
    "genres": lists,
    "vote_pts_system": votes,
    "vote_count_system": votes,
    "belong_to_collection": collections,
}
rows = st.fixed_dictionaries(
    {**BOTH_HAVE, "crew": lists, "main_poster": st.sampled_from([None, URL, "/b.jpg"])}
)
documents = st.fixed_dictionaries(
    {**BOTH_HAVE, "slug": texts, "mood": lists, "created_at": texts},
    optional={"crew": lists, "main_poster": st.sampled_from([URL, "/a.jpg"])},
)


@settings(deadline=None)
@given(rows, documents)
def test_after_any_update_there_is_nothing_left_to_do(ours: Document, theirs: Document) -> None:
    there = without(movie(), "crew", "main_poster") | theirs
    (first,) = plan(row(**ours), there=(there,))
    (second,) = plan(row(**ours), there=({**there, **first.set},))
    assert first.kind in ("update", "unchanged")
    assert second.kind == "unchanged"


@settings(deadline=None)
@given(rows, documents)
def test_no_update_loses_anything(ours: Document, theirs: Document) -> None:
    there = without(movie(), "crew", "main_poster") | theirs
    (change,) = plan(row(**ours), there=(there,))
    after = {**there, **change.set}
    assert CONTRACT.faults({**after, "mood": []}) == []
    assert {name: after[name] for name in there.keys() & CREATED_ONLY} == {
        name: there[name] for name in there.keys() & CREATED_ONLY
    }
    assert not [n for n in there if is_missing(n, after[n]) and not is_missing(n, there[n])]
    for field in ("vote_pts_system", "vote_count_system"):
        lost = [s for s in SYSTEMS if after[field][s] is None and there[field][s] is not None]
        assert lost == []


@settings(deadline=None)
@given(rows, documents)
def test_an_update_expects_what_it_replaces(ours: Document, theirs: Document) -> None:
    there = without(movie(), "crew", "main_poster") | theirs
    (change,) = plan(row(**ours), there=(there,))
    assert all(there[name] == value for name, value in change.expected.items())
    assert not there.keys() & set(change.absent)
    stamps = {"updated_at", "tmdb_data_imported_at"} if change.set else set()
    assert change.set.keys() == {*change.expected, *change.absent, *stamps}


# The hash of a document


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert content_hash({"a": 1, "b": {"c": 2, "d": 3}}) == content_hash(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )


def test_the_hash_depends_on_the_order_of_lists_and_on_values() -> None:
    assert len({content_hash({"a": value}) for value in ([1, 2], [2, 1], "1", None)}) == 4


def test_one_name_stands_for_itself_and_not_for_its_letters() -> None:
    assert Scope.of(only="ratings") == Scope.of(only=["ratings"])
