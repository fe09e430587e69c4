"""The transform: what TMDB really sends becomes rows; what is broken is found and left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdbkit.demo import sample_payloads
from tmdbkit.schema import ROW, SYSTEMS
from tmdbkit.transform import ROWS, Options, genres, names, people, transform
from tmdbkit.transform.payloads import CHUNK
from tmdbkit.transform.rows import CREDIT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.once

AT = datetime(2026, 1, 15, 12, 30, 1, 250_000, tzinfo=UTC)


def frame(*payloads: Any, ids: list[int] | None = None) -> pl.DataFrame:
    texts = [text if isinstance(text, str) else json.dumps(text) for text in payloads]
    numbers = ids or [payload["id"] for payload in payloads]
    kinds = {"tmdb_id": pl.Int64, "payload": pl.String, "fetched_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(
        {"tmdb_id": numbers, "payload": texts, "fetched_at": [AT] * len(texts)}, kinds
    )


def movie(**fields: Any) -> dict[str, Any]:
    return {"id": 7, "title": "Seven", "original_title": "Sept", **fields}


def row(payload: dict[str, Any], **options: Any) -> dict[str, Any]:
    made = transform(frame(payload), Options(**options))
    assert made.malformed.is_empty()
    return made.rows.row(0, named=True)


def test_every_movie_of_the_sample_comes_through() -> None:
    texts = sample_payloads()
    made = transform(frame(*texts.values(), ids=list(texts)))
    assert made.malformed.is_empty()
    assert made.rows["tmdb_id"].to_list() == list(texts)


@pytest.mark.parametrize("payloads", [[], [movie()], list(sample_payloads().values())[:3]])
def test_the_schema_is_the_same_for_any_input(payloads: list[Any]) -> None:
    ids = [json.loads(p)["id"] if isinstance(p, str) else p["id"] for p in payloads]
    assert transform(frame(*payloads, ids=ids)).rows.schema == ROWS


def test_a_payload_with_nothing_but_id_and_title_has_empty_strings_zeros_and_lists() -> None:
    made = row(movie())
    strings = [name for name, kind in ROW.items() if kind == pl.String]
    filled = {"title", "slug", "original_title", "tmdb_data_imported_at"}
    absent = {"main_poster", "main_backdrop"}
    assert all(made[name] == "" for name in strings if name not in filled | absent)
    assert all(made[name] is None for name in absent)
    assert [made[name] for name in ("runtime_minutes", "budget", "revenue")] == [0, 0, 0]
    assert all(made[name] == [] for name, kind in ROW.items() if isinstance(kind, pl.List))
    assert made["belong_to_collection"] is None


@pytest.mark.parametrize("field", ["imdb_id", "overview", "tagline", "release_date", "status"])
def test_null_is_an_empty_string(field: str) -> None:
    name = {"overview": "synopsis"}.get(field, field)
    assert row(movie(**{field: None}))[name] == ""


def test_numbers_come_as_ints_or_floats() -> None:
    made = row(movie(vote_average=8, vote_count=12.0, runtime=99.0, popularity=3))
    assert (made["vote_pts_system"]["tmdb"], made["vote_count_system"]["tmdb"]) == (8.0, 12)
    assert (made["runtime_minutes"], made["popularity"]) == (99, 3.0)


@pytest.mark.parametrize("average", [0, 7.5])
def test_without_votes_there_is_no_rating(average: float) -> None:
    made = row(movie(vote_average=average, vote_count=0))
    assert made["vote_pts_system"]["tmdb"] is None
    assert made["vote_count_system"]["tmdb"] is None


def test_the_other_systems_are_null() -> None:
    made = row(movie(vote_average=7.5, vote_count=10))
    others = [system for system in SYSTEMS if system != "tmdb"]
    assert all(made["vote_pts_system"][system] is None for system in others)


def released(*entries: tuple[str, int], country: str = "US") -> dict[str, Any]:
    dates = [{"certification": text, "type": kind} for text, kind in entries]
    return {
        "results": [
            {"iso_3166_1": "DE", "release_dates": [{"certification": "16", "type": 3}]},
            {"iso_3166_1": country, "release_dates": dates},
        ]
    }


@pytest.mark.parametrize(
    ("entries", "rating"),
    [
        ([("", 1), ("R", 3)], "R"),
        ([("NR", 1), ("R", 3)], "R"),
        ([("PG", 2), ("R", 3)], "R"),
        ([("PG-13", 5), ("PG", 4)], "PG"),
        ([("NR", 1), ("", 3)], "NR"),
        ([(" ", 3), ("G", 6)], "G"),
        ([("R", 3), ("PG", 3)], "R"),
        ([], ""),
    ],
)
def test_the_certification_is_the_first_that_is_not_empty_theatrical_first(
    entries: list[tuple[str, int]], rating: str
) -> None:
    assert row(movie(release_dates=released(*entries)))["mpaa_rating"] == rating


def test_the_region_of_certifications_is_an_option() -> None:
    assert row(movie(release_dates=released(("R", 3))), region="DE")["mpaa_rating"] == "16"


def video(key: str, site: str = "YouTube", kind: str = "Trailer", *, official: bool = True) -> Any:
    return {"key": key, "site": site, "type": kind, "official": official}


@pytest.mark.parametrize(
    ("videos", "key"),
    [
        ([video("a", kind="Clip"), video("b")], "b"),
        ([video("a", official=False), video("b")], "b"),
        ([video("a", official=False)], "a"),
        ([video("a", site="Vimeo")], ""),
        ([video("a"), video("b")], "a"),
        ([], ""),
    ],
)
def test_a_trailer_is_on_youtube_official_first(videos: list[Any], key: str) -> None:
    wanted = f"https://www.youtube.com/watch?v={key}" if key else ""
    assert row(movie(videos={"results": videos}))["trailer_url"] == wanted


def test_the_cast_is_by_billing_without_repeats_and_limited() -> None:
    cast = [{"id": n, "name": str(n), "order": o} for n, o in [(3, 2), (1, 0), (2, 1), (1, 5)]]
    made = movie(credits={"cast": cast, "crew": []})
    assert row(made)["cast"] == [1, 2, 3]
    assert row(made, cast=2)["cast"] == [1, 2]


WRITER_AND_DIRECTOR = {
    "cast": [{"id": 5, "name": "Ann", "order": 0}],
    "crew": [
        {"id": 5, "name": "Ann", "job": "Writer"},
        {"id": 5, "name": "Ann", "job": "Director"},
        {"id": 6, "name": "Bob", "job": "Director"},
    ],
}


def test_a_writer_who_directs_is_both_and_stands_once_in_the_crew() -> None:
    made = row(movie(credits=WRITER_AND_DIRECTOR))
    assert (made["directors"], made["crew"]) == ([5, 6], [5, 6])


def test_people_have_a_row_for_each_job() -> None:
    found = people(frame(movie(credits=WRITER_AND_DIRECTOR)))
    assert found.schema == CREDIT
    assert found.rows() == [
        (7, 5, "Ann", "Actor"),
        (7, 5, "Ann", "Writer"),
        (7, 5, "Ann", "Director"),
        (7, 6, "Bob", "Director"),
    ]


def test_genres_are_named_once() -> None:
    drama = [{"id": 18, "name": "Drama"}]
    found = genres(frame(movie(genres=drama), {**movie(genres=drama), "id": 8}))
    assert found.rows() == [(18, "Drama")]


@pytest.mark.parametrize(
    ("code", "name"), [("ko", "Korean"), ("cn", "Cantonese"), ("xx", "No Language"), ("zz", "zz")]
)
def test_the_original_language_is_that_of_its_code(code: str, name: str) -> None:
    spoken = [{"english_name": "English", "iso_639_1": "en", "name": "English"}]
    made = row(movie(original_language=code, spoken_languages=spoken))
    assert (made["original_language"], made["language"]) == (name, ["English"])


def test_a_spoken_language_without_a_name_gets_that_of_its_code() -> None:
    spoken = [{"english_name": "", "iso_639_1": "km", "name": ""}]
    assert row(movie(spoken_languages=spoken))["language"] == ["Khmer"]


def test_images_are_addresses_or_paths_and_absent_without_one() -> None:
    made = movie(poster_path="/p.jpg", backdrop_path=None)
    assert row(made)["main_poster"] == "https://image.tmdb.org/t/p/w500/p.jpg"
    assert row(made, images="path")["main_poster"] == "/p.jpg"
    assert row(made)["main_backdrop"] is None


def test_a_collection_keeps_the_pictures_that_it_lacks_as_null() -> None:
    given_one = {"id": 1, "name": "All Sevens", "poster_path": None, "backdrop_path": None}
    assert row(movie(belongs_to_collection=given_one))["belong_to_collection"] == given_one


def test_the_time_of_the_import_is_that_of_the_answer() -> None:
    assert row(movie())["tmdb_data_imported_at"] == "2026-01-15T12:30:01.250Z"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"id": 7, "title": "Sev', "not JSON"),
        ("", "not JSON"),
        ("<html>502</html>", "not JSON"),
        ("[1, 2]", "a JSON list"),
        ('{"id": 8, "title": "Eight"}', "its id is 8"),
        ('{"id": 7}', "no title"),
        ('{"id": 7, "title": "Seven", "runtime": "long"}', "runtime"),
        ('{"id": 7, "title": "Seven", "genres": "Drama"}', "genres"),
        ('{"id": 7, "title": "Seven"} {"id": 7, "title": "Seven"}', "not JSON"),
        ('{"success": false, "status_code": 34}', "its id is None"),
    ],
)
def test_a_malformed_payload_is_found_reported_and_left_out(text: str, reason: str) -> None:
    made = transform(
        frame({"id": 1, "title": "One"}, text, {"id": 9, "title": "Nine"}, ids=[1, 7, 9])
    )
    assert made.rows["title"].to_list() == ["One", "Nine"]
    assert made.malformed["tmdb_id"].to_list() == [7]
    assert reason in made.malformed["reason"][0]


@settings(max_examples=8, deadline=None)
@given(st.sets(st.integers(min_value=0, max_value=2 * CHUNK + 50), max_size=6))
def test_however_many_are_malformed_all_others_come_through_in_order(bad: set[int]) -> None:
    count = 2 * CHUNK + 51
    texts = ["{" if n in bad else json.dumps({"id": n + 1, "title": str(n)}) for n in range(count)]
    made = transform(frame(*texts, ids=[n + 1 for n in range(count)]))
    assert made.malformed["tmdb_id"].to_list() == [n + 1 for n in sorted(bad)]
    assert made.rows["tmdb_id"].to_list() == [n + 1 for n in range(count) if n not in bad]


def field(name: str, value: str) -> str:
    """A payload in which one field is this JSON."""
    return f'{{"id": 7, "title": "Seven", "{name}": {value}}}'


WRONG_IDS = ("1e300", "-1e300", str(2**63), str(2**64), str(2**53), "1.5", "NaN", "Infinity")
WITH_IDS = (
    ("genres", '[{"id": 1, "name": "g"}, {"id": @, "name": "h"}]'),
    ("production_companies", '[{"id": @}]'),
    ("belongs_to_collection", '{"id": @, "name": "c"}'),
    ("credits", '{"cast": [{"id": @, "name": "a", "order": 0}], "crew": []}'),
    ("credits", '{"crew": [{"id": 1}, {"id": @, "name": "d", "job": "Director"}]}'),
    ("keywords", '{"keywords": [{"id": @}]}'),
)
AMOUNTS = ("runtime", "budget", "revenue", "vote_count", "popularity", "vote_average")


@pytest.mark.parametrize("number", WRONG_IDS)
@pytest.mark.parametrize(("name", "around"), WITH_IDS)
def test_an_id_that_none_can_be_spoils_its_movie_alone_and_its_field_is_named(
    name: str, around: str, number: str
) -> None:
    bad = field(name, around.replace("@", number))
    good = [json.dumps(movie(id=n, vote_count=n)) for n in range(20, 30)]
    made = transform(frame(*good[:5], bad, *good[5:], ids=[*range(20, 25), 7, *range(25, 30)]))
    assert made.rows["tmdb_id"].to_list() == list(range(20, 30))
    [(tmdb_id, reason)] = made.malformed.rows()
    assert tmdb_id == 7
    assert reason in (f"a number that cannot be meant: {name}", f"not TMDB's shape: {name}")


@pytest.mark.parametrize(
    "number", ["1e300", "-1e300", str(2**53), "NaN", "-Infinity", '"12"', "[]"]
)
@pytest.mark.parametrize("name", AMOUNTS)
def test_a_number_that_is_none_or_beyond_what_is_exact_is_named(name: str, number: str) -> None:
    made = transform(frame(field(name, number), ids=[7]))
    assert made.rows.is_empty()
    assert made.malformed["reason"][0].endswith(f": {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("genres", '[{"id": -5, "name": "g"}]'),
        ("genres", "[null, {}]"),
        ("budget", str(2**53 - 1)),
        ("budget", "-1"),
        ("runtime", "97.5"),
        ("vote_count", "true"),
        ("tagline", "5"),
        pytest.param("tagline", f'"{"x" * 1_000_000}"', id="a tagline of a megabyte"),
        pytest.param("unread", "[" * 900 + "]" * 900, id="nested deeply"),
        ("unread", "1e300"),
        ("id", "8"),  # of a key that is repeated the first value counts
    ],
)
def test_what_is_odd_and_can_be_meant_is_a_row(name: str, value: str) -> None:
    made = transform(frame(field(name, value), ids=[7]))
    assert made.rows["tmdb_id"].to_list() == [7]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (field("genres", "[" * 900 + "]" * 900), "not TMDB's shape: "),
        (field("unread", "[" * 100_000 + "]" * 100_000), "nested too deeply"),
        (field("unread", '{"a":' * 100_000 + "1" + "}" * 100_000), "nested too deeply"),
        (field("budget", "9" * 5_000), "not TMDB's shape: budget"),
        (field("unread", "9" * 5_000), "not TMDB's shape: unread"),
        (field("unread", "NaN"), "not TMDB's shape: unread"),
        (field("overview", r'"\udc00"'), "not TMDB's shape: overview"),
        (field(r"\ud83d", "NaN"), "not TMDB's shape: \ufffd"),
        (field("k" * 1_000, "NaN"), "not TMDB's shape: kkkk"),
        ('{"id": 8, "id": 7, "title": "Seven"}', "its id is 8"),
        ('{"id": 7, "title": null, "title": "Seven"}', "no title"),
        (f'{{"id": "{"7" * 1_000}", "title": "Seven"}}', "its id is '77"),
        ('{"id": 7, "title": 7, "genres": [{"id": 1e300}]}', "cannot be meant: genres"),
    ],
    ids=range(13),
)
def test_a_reason_names_what_is_wrong_in_one_short_line(text: str, reason: str) -> None:
    [(tmdb_id, told)] = transform(frame(text, ids=[7])).malformed.rows()
    assert tmdb_id == 7
    assert reason in told
    assert "\n" not in told
    assert len(told) < 120


def test_what_is_not_read_is_not_named_beside_what_is_wrong() -> None:
    text = movie(id=7, genres=7, adult=False, homepage="", origin_country=["US"], video=None)
    [(_, told)] = transform(frame(json.dumps(text), ids=[7])).malformed.rows()
    assert told == "not TMDB's shape: genres"


@pytest.mark.parametrize("bad", ["", " \n\t", "{", "null", "{} {}", '{"id": 7}'])
def test_the_good_in_one_piece_with_what_is_none_keep_their_order(bad: str) -> None:
    good = [json.dumps({"id": n, "title": str(n)}) for n in range(1, 60)]
    texts = [*good[:7], bad, bad, *good[7:30], bad, *good[30:]]
    ids = [*range(1, 8), 97, 98, *range(8, 31), 99, *range(31, 60)]
    made = transform(frame(*texts, ids=ids))
    assert made.rows["tmdb_id"].to_list() == list(range(1, 60))
    assert made.malformed["tmdb_id"].to_list() == [97, 98, 99]


def test_an_empty_text_beside_two_in_one_of_the_same_movie_is_not_taken_for_two() -> None:
    good = json.dumps(movie())
    made = transform(frame("", good + good, good, "", ids=[7] * 4))
    assert (made.rows.height, made.malformed.height) == (1, 3)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["genres", "credits", "videos", "runtime", "release_dates", "poster_path", "x"]
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_any_json_becomes_a_row_or_a_malformed_one_and_never_an_error(
    extra: dict[str, Any],
) -> None:
    made = transform(frame(movie(**extra)))
    assert made.rows.height + made.malformed.height == 1


SAMPLE = {n: json.loads(text) for n, text in sample_payloads().items()}
NASTY = st.sampled_from(
    [
        *("NaN", "Infinity", "-Infinity", "1e300", "-1e300", "1e400", "-0.0", "1.5", "-7", "true"),
        *(str(2**53), str(2**63), str(2**64), "9" * 5_000, "null", '"12"', '""', "[]", "{}"),
        *("[[]]", "[[[1]]]", "[null]", '[{"id": 1e300}]', '{"id": 1e300}', '{"id": null}'),
        *(r'"\ud83d"', r'"\udc00x"', r'"\u0000"', '"\u2028"', f'"{"x" * 100_000}"', "01", ""),
        *("[" * 50 + "]" * 50, "[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000),
    ]
)
HERE = '"@@@"'


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where a payload holds anything."""
    if path:
        yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in pairs:
        if isinstance(inner, dict | list):
            yield from places(inner, *path, key)
        else:
            yield (*path, key)


def put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The same with another value in one place."""
    if not path:
        return new
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(copied[path[0]], path[1:], new)
    return copied


PLACES = {n: sorted(places(payload), key=str) for n, payload in SAMPLE.items()}


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[int, str]:
    """A real payload in which a value is another, a key stands twice, or some text is gone."""
    tmdb_id = draw(st.sampled_from(sorted(SAMPLE)))
    place, nasty = draw(st.sampled_from(PLACES[tmdb_id])), draw(NASTY)
    marked = put(SAMPLE[tmdb_id], place, HERE.strip('"'))
    text = json.dumps(marked, ensure_ascii=False).replace(HERE, nasty)
    how = draw(st.sampled_from(["as it is", "as it is", "twice", "cut", "closed"]))
    at = draw(st.integers(0, len(text)))
    if how == "twice":
        return tmdb_id, f'{text[:-1]}, "{place[0]}": {nasty}}}'
    ends = {"as it is": text, "cut": text[:at], "closed": f"{text[:at]}{text[at + 3 :]}"}
    return tmdb_id, ends[how]


@settings(max_examples=60, deadline=None)
@given(spoiled())
def test_a_real_payload_that_is_spoiled_is_a_row_or_a_reason_and_spoils_no_other(
    payload: tuple[int, str],
) -> None:
    tmdb_id, text = payload
    payloads = frame(movie(id=1), text, movie(id=2), ids=[1, tmdb_id, 2])
    made = transform(payloads)
    assert made.rows.height + made.malformed.height == 3
    assert {1, 2} <= set(made.rows["tmdb_id"])
    assert all(reason and "\n" not in reason for reason in made.malformed["reason"])
    for kind in ("genres", "keywords", "studios", "collections"):
        names.named([payloads], kind)
    names.people([payloads])
    genres(payloads)
