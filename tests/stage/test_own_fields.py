"""A user's own fields: what may be named, what a payload has of them, what was set in Python."""

from __future__ import annotations

import json
import math
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tmdbkit import Stage
from tmdbkit.exceptions import PassedOver, StageError, UsageError
from tmdbkit.review.queue import ReviewQueue
from tmdbkit.settings import Settings
from tmdbkit.stage.own_fields import FIELDS, OwnField

from .conftest import T0, answers, payload

pytestmark = pytest.mark.once

HOMEPAGE = '[homepage]\npath = "homepage"\ntype = "string"\n'


def put(stage: Stage, **fields: Any) -> Stage:
    stage.store.add(answers((1, json.dumps({**json.loads(payload(1)), **fields}), T0)))
    return stage


def name(stage: Stage, text: str) -> None:
    assert stage.store.root.folder is not None
    (stage.store.root.folder / "fields.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "path", "payload_has", "value"),
    [
        ("string", "homepage", {"homepage": "https://a.b"}, "https://a.b"),
        ("string", "homepage", {"homepage": None}, None),
        ("string", "homepage", {}, None),
        ("string", "homepage", {"homepage": 5}, None),
        ("string", "external_ids.facebook_id", {"external_ids": {"facebook_id": "x"}}, "x"),
        ("string", "external_ids.facebook_id", {"external_ids": []}, None),
        ("string", "external_ids.facebook_id", {"external_ids": None}, None),
        ("number", "vote_average", {"vote_average": 8}, 8.0),
        ("number", "vote_average", {"vote_average": True}, None),
        ("boolean", "adult", {"adult": False}, False),
        ("boolean", "adult", {"adult": 0}, None),
        ("number", "budget", {"budget": math.inf}, None),
        ("number[]", "ids[]", {"ids": [1, math.nan, 2]}, [1.0, 2.0]),
        ("string[]", "tags[]", {"tags": ["a", None, 5, "b"]}, ["a", "b"]),
        (
            "string[]",
            "a[].b[].c",
            {"a": [{"b": [{"c": "x"}, {}]}, {"b": [{"c": "y"}]}]},
            ["x", "y"],
        ),
        ("string[]", "a[].b", {"a": []}, None),
        ("string", "a[].b", {"a": [{}, {"b": "first"}, {"b": "second"}]}, "first"),
        (
            "number[]",
            "watch/providers.results.DE.flatrate[].provider_id",
            {"watch/providers": {"results": {"DE": {"flatrate": [{"provider_id": 8}]}}}},
            [8.0],
        ),
    ],
)
def test_a_path_leads_to_a_value_of_its_type_or_to_none(
    kind: str, path: str, payload_has: Any, value: Any
) -> None:
    assert OwnField("own", kind, path).value_in(payload_has) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[homepage", "is not TOML"),
        ('[title]\ntype = "string"', "title is a field of tmdbkit's"),
        ('[ratings]\ntype = "number"', "ratings is a field of tmdbkit's"),
        ('[home-page]\ntype = "string"', "'home-page' is no name of a field"),
        ('[_id]\ntype = "string"', "'_id' is no name of a field"),
        ("[homepage]", r"\[homepage\] has the type None; it must be string, number"),
        ('[homepage]\ntype = "text"', "has the type 'text'"),
        ('[homepage]\ntype = ["string"]', r"has the type \['string'\]"),
        ("[homepage.type]\na = 1", "has the type {'a': 1}"),
        ('[homepage]\ntype = "string"\npath = ""', "has the path ''"),
        ('[homepage]\ntype = "string"\npath = "a..b"', "has the path 'a..b'"),
        ('[homepage]\ntype = "string"\npath = 5', "has the path 5"),
        ('[homepage]\ntype = "string"\ndefault = "x"', r"\[homepage\] has path and type, and noth"),
        ('homepage = "string"', r"\[homepage\] has path and type, and nothing else"),
    ],
)
def test_a_file_of_fields_that_cannot_be_meant_is_one_line(
    stage: Stage, text: str, said: str
) -> None:
    name(put(stage), text)
    with pytest.raises(StageError, match=said):
        stage.movies()


def test_rows_and_the_table_have_them_and_none_of_it_is_fetched(stage: Stage) -> None:
    name(put(stage, homepage="https://a.b"), HOMEPAGE)
    for frame in (stage.movies(), stage.scan().collect(), stage.table()):
        assert frame["homepage"].to_list() == ["https://a.b"]
    stage.store.add(answers((1, payload(1), T0 + timedelta(days=1))))
    assert stage.movies()["homepage"].to_list() == [None]


def test_the_cards_of_the_stage_and_of_the_review_show_them(stage: Stage) -> None:
    name(put(stage, homepage="https://a.b"), HOMEPAGE)
    stage.set_field("score", pl.DataFrame({"tmdb_id": [1], "score": [7.5]}))
    stage.set_field("tags", pl.DataFrame({"tmdb_id": [1], "tags": [["dog", "cat"]]}))
    stage.set_field("seen", pl.DataFrame({"tmdb_id": [1], "seen": [False]}))
    for card in (repr(stage[1]), repr(ReviewQueue(stage).item(1))):
        for fact in ("homepage: https://a.b", "score: 7.5", "tags: dog, cat", "seen: no"):
            assert fact in card


def test_a_stage_without_fields_of_its_own_has_no_more_columns(stage: Stage) -> None:
    before = put(stage).movies().columns
    name(stage, "")
    assert stage.movies().columns == before


def test_an_empty_stage_has_their_columns(stage: Stage) -> None:
    put(stage)
    stage.drop([1])
    name(stage, HOMEPAGE)
    assert stage.movies().schema["homepage"] == pl.String


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a"], "string"),
        ([1], "number"),
        ([0.5], "number"),
        ([False], "boolean"),
        ([["a", "b"]], "string[]"),
        ([[1, 2]], "number[]"),
        ([Decimal("1.5")], "number"),
        ([[Decimal("1.5")]], "number[]"),
    ],
)
def test_what_is_set_in_python_is_named_in_the_file_and_stays(
    stage: Stage, values: list[Any], kind: str
) -> None:
    put(stage)
    assert stage.set_field("mine", pl.DataFrame({"tmdb_id": [1], "mine": values})) == 1
    folder = stage.store.root.folder
    assert folder is not None
    assert (folder / "fields.toml").read_text() == f'[mine]\ntype = "{kind}"\n'
    again = Stage(folder, settings=Settings())
    assert again.movies()["mine"].to_list() == values
    assert again.compact() >= 0
    assert again.table()["mine"].to_list() == values


def test_the_last_value_counts_and_null_takes_it_away(stage: Stage) -> None:
    name(put(stage, homepage="https://a.b"), HOMEPAGE)
    for value in (1.0, 2.0, None):
        frame = pl.DataFrame(
            {"tmdb_id": [1], "mine": [value]}, schema_overrides={"mine": pl.Float64}
        )
        stage.set_field("mine", frame)
        assert stage.movies()["mine"].to_list() == [value]
    assert stage.movies()["homepage"].to_list() == ["https://a.b"]


@pytest.mark.parametrize(
    ("field", "frame", "said"),
    [
        ("mine", {"id": [1], "mine": [1]}, "no column tmdb_id; it has id, mine"),
        ("mine", {"tmdb_id": [1]}, "no column mine"),
        ("mine", {"tmdb_id": [1, 1], "mine": [1, 2]}, "each once"),
        ("mine", {"tmdb_id": ["603"], "mine": [1]}, "one whole number a row"),
        ("mine", {"tmdb_id": [None], "mine": [1]}, "one whole number a row"),
        ("mine", {"tmdb_id": [-1], "mine": [1]}, "-1 is not a TMDB id"),
        ("mine", {"tmdb_id": pl.Series([2**64 - 1], dtype=pl.UInt64), "mine": [1]}, "one whole nu"),
        ("mine", {"tmdb_id": [1], "mine": [{"a": 1}]}, "fit no field"),
        ("mine", {"tmdb_id": [1], "mine": [date(2026, 1, 1)]}, "type Date fit no field"),
        ("mine", {"tmdb_id": [1], "mine": [time(1)]}, "type Time fit no field"),
        ("mine", {"tmdb_id": [1], "mine": [b"a"]}, "type Binary fit no field"),
        ("mine", {"tmdb_id": [1], "mine": [None]}, "type Null fit no field"),
        ("mine", {"tmdb_id": [1], "mine": [math.nan]}, "mine of 1 is or has NaN"),
        ("mine", {"tmdb_id": [1], "mine": [-math.inf]}, "mine of 1 is or has NaN"),
        ("mine", {"tmdb_id": [1], "mine": [[1.0, math.inf]]}, "mine of 1 is or has NaN"),
        ("mine", {"tmdb_id": [1], "mine": [["a", None]]}, "mine of 1 is or has NaN"),
        ("title", {"tmdb_id": [1], "title": ["x"]}, "title is a field of tmdbkit's"),
        ("ratings", {"tmdb_id": [1], "ratings": [1]}, "ratings is a field of tmdbkit's"),
        (
            "homepage",
            {"tmdb_id": [1], "homepage": ["x"]},
            r"\[homepage\] of fields.toml has a path",
        ),
        ("number", {"tmdb_id": [1], "number": ["x"]}, r"\[number\] of fields.toml is number"),
    ],
)
def test_what_cannot_be_set_is_one_line_and_changes_nothing(
    stage: Stage, field: str, frame: dict[str, Any], said: str
) -> None:
    text = f'{HOMEPAGE}[number]\ntype = "number"\n'
    name(put(stage), text)
    with pytest.raises(UsageError, match=said):
        stage.set_field(field, pl.DataFrame(frame))
    assert stage.store.own.log.parts() == []
    folder = stage.store.root.folder
    assert folder is not None
    assert (folder / "fields.toml").read_text() == text


@pytest.mark.parametrize("frame", [None, [1], {"tmdb_id": [1]}, pl.LazyFrame({"tmdb_id": [1]})])
def test_what_is_no_frame_is_one_line(stage: Stage, frame: Any) -> None:
    with pytest.raises(UsageError, match=r"frame is .*; a frame of polars is wanted, such as"):
        put(stage).set_field("mine", frame)


def test_half_a_character_of_a_payload_is_replaced(stage: Stage) -> None:
    name(put(stage, homepage="a\ud800"), HOMEPAGE)
    assert stage.movies()["homepage"].to_list() == ["a\ufffd"]


def test_one_that_is_named_like_a_column_of_the_table_stands_beside_it(stage: Stage) -> None:
    name(put(stage, homepage="https://a.b"), HOMEPAGE.replace("[homepage]", "[year]"))
    table = stage.table()
    assert table["year_own"].to_list() == ["https://a.b"]
    assert table.schema["year"] == pl.Int32
    assert stage.movies()["year"].to_list() == ["https://a.b"]


@pytest.mark.parametrize("kind", ["string", "boolean", "number[]", "string[]"])
def test_values_of_another_type_than_the_file_says_are_passed_over_and_said(
    stage: Stage, kind: str
) -> None:
    put(stage).set_field("mine", pl.DataFrame({"tmdb_id": [1], "mine": [1.0]}))
    name(stage, f'[mine]\ntype = "{kind}"\n')
    with pytest.warns(PassedOver, match="1 value of mine passed over: they are no "):
        assert stage.movies()["mine"].to_list() == [None]


@pytest.mark.parametrize("text", ["NaN", "[1", '"a"'])
def test_what_another_program_wrote_that_is_no_number_is_passed_over(
    stage: Stage, text: str
) -> None:
    name(put(stage), '[mine]\ntype = "number"\n')
    stage.store.add_fields(
        pl.DataFrame([(1, "mine", text, T0)], FIELDS, orient="row"),
    )
    with pytest.warns(PassedOver, match="1 value of mine passed over"):
        assert stage.movies()["mine"].to_list() == [None]
