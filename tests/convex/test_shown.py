"""A plan in lines: what would change, from what to what, as short as a terminal is wide."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.convex.bench import movie, payload, staged
from tmdbkit import ConvexSnapshot, workflows
from tmdbkit.convex.changes import Change
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.results import Verification
from tmdbkit.display import brief
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue

from .bench import SnapshotBench

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.once


def update(tmdb_id: int = 1, title: str = "The Matrix", **moves: tuple[Any, Any]) -> Change:
    """An update: each field with what it was and what it will be."""
    new = {name: value for name, (_, value) in moves.items()}
    old = {name: value for name, (value, _) in moves.items() if value is not None}
    return Change(tmdb_id, title, "update", set=new, before=old)


def told(name: str, drawn: object) -> list[str]:
    """The facts of one name."""
    lines = repr(drawn).splitlines()
    return [line.removeprefix(f"{name}: ") for line in lines if line.startswith(f"{name}: ")]


def shown(*changes: Change) -> list[str]:
    return told("change", Plan("t", changes))


def test_a_field_that_would_change_is_a_line_from_old_to_new() -> None:
    assert shown(update(tagline=("Old", "New"), runtime_minutes=(1, 136))) == [
        'The Matrix · tagline · "Old" → "New"',
        "The Matrix · runtime_minutes · 1 → 136",
    ]


def test_of_five_ratings_each_that_moves_is_a_line() -> None:
    points = ({"imdb": 8.7, "tmdb": 8.0}, {"imdb": 8.7, "tmdb": 8.3})
    assert shown(update(vote_pts_system=points)) == ["The Matrix · vote_pts_system.tmdb · 8 → 8.3"]


def test_lists_are_told_by_how_many_come_and_go() -> None:
    assert shown(update(cast=([1, 2, 3], [2, 3, 4, 5]))) == [
        "The Matrix · cast · 3 → 4: 2 new, 1 gone"
    ]


def test_what_comes_and_what_goes_are_lines() -> None:
    assert shown(Change(1, "New", "create"), Change(2, "Old", "delete")) == [
        "New (1) · new",
        "Old (2) · deleted",
    ]


def test_the_first_ten_are_shown_and_how_many_more() -> None:
    lines = shown(*(update(number, tagline=("a", "b")) for number in range(1, 1235)))
    assert (len(lines), lines[-1]) == (11, "and 1,224 more")
    assert len(shown(*(update(n, tagline=("a", "b")) for n in range(10)))) == 10


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_line_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    long = ("x" * 300, "https://example.org/" + "y" * 300)
    plan = Plan("t", (update(title="T" * 90, synopsis=long, trailer_url=(long[1], None)),))
    for line in repr(plan).splitlines():
        assert len(line) <= columns
    assert len(told("change", plan)[0]) > columns - 20


def test_html_has_the_lines_of_the_text() -> None:
    plan = Plan("t", (update(tagline=("<b>", "New")),))
    assert "The Matrix · tagline · &quot;&lt;b&gt;&quot; → &quot;New&quot;" in plan._repr_html_()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ("", "nothing"),
        ([], "nothing"),
        (0, "0"),
        (603.0, "603"),
        (8.7, "8.7"),
        ("https://image.tmdb.org/t/p/w500/a.jpg", "…/a.jpg"),
        ("a" * 40, '"' + "a" * 27 + '…"'),
        (["A", "B"], "A, B"),
        (["A", "B", "C"], "A, B and 1 more"),
        ([1, 2, 3], "3 ids"),
        ({"id": 1, "name": "Trilogy"}, '"Trilogy"'),
        ("two\nlines", '"two\\nlines"'),
        ("\u202eevil", '" evil"'),
    ],
)
def test_a_value_is_told_in_a_few_letters(value: Any, text: str) -> None:
    assert brief(value) == text


def planned(tmp_path: Path, *payloads: dict[str, Any]) -> Plan:
    stage = staged(tmp_path / "s", *payloads)
    return workflows.plan_push(stage, ConvexSnapshot(tmp_path / "t"), progress=Silent())


def test_a_plan_of_one_creation_shows_its_document_with_names(tmp_path: Path) -> None:
    lines = told("document", planned(tmp_path, payload()))
    assert 'title: "The Matrix"' in lines
    assert "cast: Keanu Reeves" in lines
    assert "genres: Action" in lines
    assert "vote_pts_system.tmdb: 8.2" in lines
    assert 'belong_to_collection: "The Matrix Collection"' in lines
    assert not any(line.startswith(("mood", "created_at", "updated_at")) for line in lines)
    assert lines == planned(tmp_path).document(603)


def test_a_plan_of_several_names_them(tmp_path: Path) -> None:
    plan = planned(tmp_path, payload(1, title="One"), payload(2, title="Two"))
    assert told("document", plan) == []
    assert told("change", plan) == ["One (1) · new", "Two (2) · new"]


def test_rows_have_values_as_they_are_and_a_creation_its_document(tmp_path: Path) -> None:
    bench = SnapshotBench(tmp_path)
    bench.plant(movie(1, runtime_minutes=1))
    stage = staged(tmp_path / "s", payload(1), payload(2, title="Two"), payload(3))
    ReviewQueue(stage, by="Ann").hold(3)
    plan = workflows.plan_push(stage, bench.target, progress=Silent())
    changed, created, withheld = json.loads(json.dumps(list(plan.rows())))
    assert (changed["field"], changed["old"], changed["new"]) == ("runtime_minutes", 1, 136)
    assert (created["change"], created["new"]["title"]) == ("create", "Two")
    assert (withheld["change"], withheld["reason"]) == ("withheld", "held in review by Ann")


def test_a_verification_shows_its_differences_the_same_way(tmp_path: Path) -> None:
    bench = SnapshotBench(tmp_path)
    bench.plant(movie(1, runtime_minutes=1))
    stage = staged(tmp_path / "s", payload(1), payload(2, title="Two"))
    found = workflows.verify(stage, bench.target, [1, 2, 9], progress=Silent())
    assert told("different", found)[1:] == ["The Matrix · runtime_minutes · 1 → 136"]
    assert told("absent", found)[1:] == ["Two (2)"]
    assert told("not staged", found) == ["movie 9: tmdbkit stage 9 fetches it"]
    rows = {row["tmdb_id"]: (row["change"], row["new"]) for row in found.rows()}
    assert rows == {9: ("not_staged", None), 1: ("different", 136), 2: ("absent", None)}


def test_what_could_not_be_asked_for_is_counted_and_told() -> None:
    failed = Change(1, "The Matrix", "failed", reason="the target answered 503")
    plan = Plan("t", (failed,))
    assert plan.counts()["failed"] == 1
    assert told("failed", plan)[1:] == ["The Matrix: the target answered 503"]
    assert told("failed", Verification(plan)) == ["The Matrix: the target answered 503"]
    assert plan.fields()["reason"].to_list() == ["the target answered 503"]


def test_of_what_is_withheld_the_first_ten_are_told_and_how_many_more() -> None:
    held = [Change(n, f"Film {n}", "withheld", reason="held") for n in range(12)]
    assert told("withheld", Plan("t", tuple(held)))[-2:] == ["Film 9: held", "and 2 more"]
