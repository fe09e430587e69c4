"""Kinds of fields that nobody can fill: one line before anything is written, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tmdbkit import plan_push
from tmdbkit.convex.contract import Contract
from tmdbkit.convex.merge import Scope
from tmdbkit.exceptions import TargetRefused
from tmdbkit.schema import validator

from .backend import HERE, ConvexBackend
from .bench import Shelf, counts, deployment, movie, payload, push

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once

SCHEMA = """
import {{ defineSchema, defineTable }} from "convex/server";
import {{ v }} from "convex/values";
import ours from {ours};

const fields = ours.tables.movies.validator.fields;
export default defineSchema({{
  movies: defineTable({movies}).index("by_tmdb_id", ["tmdb_id"]).index("by_slug", ["slug"]),
  crew: ours.tables.crew,
  genres: ours.tables.genres,
}});
"""


def with_fields(**kinds: str) -> str:
    """Our movies, with fields of other kinds."""
    other = ", ".join(f"{name}: {kind}" for name, kind in kinds.items())
    return f"{{ ...fields, {other} }}"


@pytest.mark.parametrize(
    ("movies", "said"),
    [
        (with_fields(budget="v.int64()"), r"movies\.budget is v\.int64\(\), which tmdbkit cannot"),
        (
            with_fields(genres="v.array(v.id('genres'))"),
            r'movies\.genres is v\.array\(v\.id\("genres"\)\), .*; make it v\.array\(v\.number',
        ),
        (with_fields(main_poster="v.optional(v.bytes())"), r"movies\.main_poster is v\.bytes"),
        ("v.any()", r"the table movies is v\.any\(\)"),
        (
            "v.union(v.object(fields), v.object({ title: v.string() }))",
            "the table movies is v.union",
        ),
    ],
)
def test_the_plan_says_it_and_no_row_is_written(tmp_path: Path, movies: str, said: str) -> None:
    schema = tmp_path / "schema.ts"
    ours = f'"{HERE.parents[1] / "tmdbkit/convex/functions/schema"}"'
    schema.write_text(SCHEMA.format(ours=ours, movies=movies))
    stage = Shelf().put(payload())
    with ConvexBackend(schema) as backend, deployment(backend.url, backend.key) as target:
        for act in (plan_push, push):
            with pytest.raises(TargetRefused, match=said):
                act(stage, target)
        for table in ("movies", "crew", "genres"):
            assert backend.dump(table) == []


def contract(**kinds: dict[str, object]) -> Contract:
    """Ours, with fields of other kinds."""
    members = validator("movies")["value"]
    other = {name: {"fieldType": kind, "optional": False} for name, kind in kinds.items()}
    return Contract({"movies": {"type": "object", "value": {**members, **other}}})


INT64 = {"type": "bigint"}
NUMBER = {"type": "number"}
TEXT = {"type": "string"}
ID = {"type": "id", "tableName": "people"}


@pytest.mark.parametrize(
    "kind",
    [
        INT64,
        ID,
        TEXT,
        {"type": "bytes"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "value": NUMBER},
        {"type": "union", "value": [INT64, {"type": "null"}]},
        {"type": "literal", "value": "unknown"},
        {"type": "object", "value": {}},
        {"type": "record", "keys": TEXT, "values": {"fieldType": NUMBER, "optional": False}},
    ],
)
def test_what_holds_no_number_cannot_be_filled_with_one(kind: dict[str, object]) -> None:
    with pytest.raises(TargetRefused, match=r"^movies\.budget is v\."):
        contract(budget=kind).check_kinds("movies", ["budget"])


@pytest.mark.parametrize(
    "kind",
    [
        NUMBER,
        {"type": "any"},
        {"type": "union", "value": [INT64, NUMBER]},
        {"type": "literal", "value": 0.0},
        {"type": "of a later Convex"},
    ],
)
def test_what_may_hold_a_number_can(kind: dict[str, object]) -> None:
    contract(budget=kind).check_kinds("movies", ["budget"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vote_pts_system", {"type": "object", "value": {}}),
        ("belong_to_collection", ID),
        ("status", {"type": "array", "value": TEXT}),
        ("cast", {"type": "array", "value": INT64}),
        ("country", {"type": "string"}),
    ],
)
def test_so_it_is_with_lists_objects_and_texts(name: str, kind: dict[str, object]) -> None:
    with pytest.raises(TargetRefused, match=rf"^movies\.{name} is v\."):
        contract(**{name: kind}).check_kinds("movies", [name])


def test_members_that_the_object_there_needs_and_that_we_lack_are_no_kind_of_ours() -> None:
    votes = validator("movies")["value"]["vote_pts_system"]["fieldType"]["value"]
    more = {"douban": {"fieldType": NUMBER, "optional": False}}
    with pytest.raises(TargetRefused, match=r"douban: v\.number\(\)"):
        contract(vote_pts_system={"type": "object", "value": {**votes, **more}}).check_kinds(
            "movies", ["vote_pts_system"]
        )
    more["douban"]["optional"] = True
    contract(vote_pts_system={"type": "object", "value": {**votes, **more}}).check_kinds(
        "movies", ["vote_pts_system"]
    )


def test_with_only_some_fields_no_other_hinders(backend: ConvexBackend) -> None:
    backend.insert("movies", movie())
    odd = contract(budget=INT64)
    odd.check_kinds("movies", ["tagline"])
    with deployment(backend.url, backend.key) as target:
        target.contract = lambda: odd  # type: ignore[method-assign]
        stage = Shelf().put(payload(tagline="Another one."))
        sent = push(stage, target, scope=Scope.of(only=["tagline"]))
    assert counts(sent) == {"updated": 1}
