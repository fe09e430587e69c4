"""Decisions: which stand, what may be set, and that two people lose nothing."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit.exceptions import UsageError
from tmdbkit.review import ReviewQueue
from tmdbkit.stage.decisions import (
    PLAIN_FIELDS,
    changed_since,
    decision,
    field_named,
    judged,
    moved,
    overrides,
    standing,
    typed,
    verdicts,
)
from tmdbkit.stage.log import Log
from tmdbkit.stage.tables import DECISIONS

from .conftest import T0, answers, movies, payload, reopened

if TYPE_CHECKING:
    from tmdbkit import Stage

pytestmark = pytest.mark.once


def said(*decisions: tuple[str, int, str] | tuple[str, int, str, dict[str, Any]]) -> pl.DataFrame:
    """A log: each its name, its movie, its kind, and what else it says; an hour apart."""
    rows = [
        decision(
            tmdb_id,
            kind,
            name=name,
            by="ann",
            at=T0 + timedelta(hours=hour),
            **(more[0] if more else {}),
        )
        for hour, (name, tmdb_id, kind, *more) in enumerate(decisions)
    ]
    return pl.concat([DECISIONS.to_frame(), *rows])


def names(decisions: pl.DataFrame) -> list[str]:
    return decisions["decision"].to_list()


TITLE = {"field": "title", "value": "Two"}
IMDB = {"field": "vote_pts_system.imdb", "value": 7.4}

# Which stand.


def test_nothing_stands_where_nothing_was_said() -> None:
    assert standing(said()).is_empty()
    assert overrides(said()).columns == ["tmdb_id", "field", "value", "at"]


def test_the_newest_verdict_of_a_movie_stands_and_its_overrides_beside_it() -> None:
    log = said(
        ("a", 1, "hold"), ("b", 1, "override", IMDB), ("c", 1, "approve"), ("d", 2, "reject")
    )
    assert names(standing(log)) == ["b", "c", "d"]
    assert dict(verdicts(log).select("tmdb_id", "kind").rows()) == {1: "approve", 2: "reject"}


def test_the_newest_value_of_a_field_stands() -> None:
    log = said(
        ("a", 1, "override", IMDB),
        ("b", 1, "override", TITLE),
        ("c", 1, "override", {**IMDB, "value": None}),
    )
    assert overrides(log).select("field", "value").rows() == [
        ("title", '"Two"'),
        ("vote_pts_system.imdb", "null"),
    ]


def test_what_is_undone_uncovers_the_one_before() -> None:
    log = said(("a", 1, "hold"), ("b", 1, "approve"), ("c", 1, "undo", {"undoes": "b"}))
    assert names(standing(log)) == ["a"]
    again = pl.concat([log, said(("d", 1, "undo", {"undoes": "a"}))])
    assert standing(again).is_empty()


def test_an_undo_takes_back_what_it_names_and_not_what_another_said_since() -> None:
    log = said(("a", 1, "approve"), ("b", 1, "hold"), ("c", 1, "undo", {"undoes": "a"}))
    assert names(standing(log)) == ["b"]


def test_who_is_undecided_again_has_no_verdict_and_keeps_what_was_set() -> None:
    log = said(("a", 1, "hold"), ("b", 1, "override", IMDB), ("c", 1, "undecide"))
    assert (verdicts(log).height, overrides(log).height) == (0, 1)
    again = pl.concat([log, said(("d", 1, "undo", {"undoes": "c"}))])
    assert verdicts(again)["decision"].to_list() == ["a"]


def test_decisions_stand_by_their_place_in_the_log_and_not_by_a_clock() -> None:
    log = said(("a", 1, "hold"), ("b", 1, "approve"))
    assert names(standing(log.reverse())) == ["a"]


# What may be set.


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("imdb", "vote_pts_system.imdb"),
        ("imdb_votes", "vote_count_system.imdb"),
        ("rotten_tomatoes", "vote_pts_system.rotten_tomatoes"),
        ("vote_pts_system.tmdb", "vote_pts_system.tmdb"),
        ("title", "title"),
        ("runtime_minutes", "runtime_minutes"),
    ],
)
def test_a_field_is_called_as_people_call_it(name: str, field: str) -> None:
    assert field_named(name) == field


@pytest.mark.parametrize(
    "name",
    ["", "IMDb", "rating", "votes", "_votes", "genres", "slug", "mood", "main_poster", "tmdb_id",
     "created_at", "tmdb_data_imported_at", "vote_pts_system", "vote_pts_system.trakt"],
)  # fmt: skip
def test_what_no_person_sets_is_one_clear_line(name: str) -> None:
    with pytest.raises(UsageError, match="is no field to correct; there are imdb"):
        field_named(name)


@pytest.mark.parametrize(("name", "near"), [("runtime", "runtime_minutes"), ("titel", "title")])
def test_what_is_nearly_a_field_is_asked_about_after_all_there_are(name: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"there are imdb, .*; did you mean {near}\?$") as raised:
        field_named(name)
    assert all(field in str(raised.value) for field in (*PLAIN_FIELDS, "imdb_votes"))


def test_what_is_typed_is_a_value_and_none_takes_one_away() -> None:
    assert (typed(" 7.4 "), typed("None"), typed("none")) == ("7.4", "None", None)


@pytest.mark.parametrize("text", ["", " "])
def test_nothing_typed_is_no_value(text: str) -> None:
    with pytest.raises(UsageError, match="no value; write one, or none to take it away"):
        typed(text)


# What moved since.


def test_a_verdict_holds_until_a_judged_value_moves(stage: Stage) -> None:
    def fetched(title: str, average: float, votes: int, day: int) -> None:
        new = payload(1, title, vote_average=average, vote_count=votes, popularity=day)
        stage.store.add(answers((1, new, T0 + timedelta(days=day))))

    def since() -> list[str]:
        table = stage.store.scan_table().collect()
        return [line for _, *both in changed_since(table, stage.decisions()).rows()
                for line in moved(*both)]  # fmt: skip

    fetched("One", 7.41, 100, 1)
    ReviewQueue(stage, by="ann").approve(1)
    fetched("One", 7.44, 5000, 2)  # votes and popularity move every day, and 7.4 is still 7.4
    assert since() == []
    fetched("One", 7.61, 5000, 3)
    assert since() == ["tmdb_points: 7.41 → 7.61"]
    fetched("Won", 7.41, 5000, 4)
    assert since() == ["title: One → Won"]


def rated(**points: float | None) -> pl.DataFrame:
    """A flat row of a movie of which a verdict may judge these points."""
    systems = ("imdb", "letterboxd", "metacritic", "rotten_tomatoes", "tmdb")
    row = {"tmdb_id": 1, "title": "One", "release_date": "", "runtime_minutes": 0, "imdb_id": ""}
    kinds = {f"{system}_points": pl.Float64 for system in systems}
    every = {f"{system}_points": points.get(system) for system in systems}
    return pl.DataFrame([row | every], schema_overrides=kinds)


def since_approved(then: pl.DataFrame, now: pl.DataFrame) -> list[str]:
    """What moved since an approval of a row."""
    log = said(("a", 1, "approve", {"judged": then.select(judged()).item()}))
    return [line for _, *both in changed_since(now, log).rows() for line in moved(*both)]


@pytest.mark.parametrize(
    ("system", "then", "now", "line"),
    [
        ("metacritic", 5.4, 54.0, "metacritic_points: 5.4 → 54"),
        ("rotten_tomatoes", 9.3, 93.0, "rotten_tomatoes_points: 9.3 → 93"),
        ("letterboxd", 3.52, 7.04, "letterboxd_points: 3.52 → 7.04"),
        ("tmdb", 8.217, 8.4, "tmdb_points: 8.217 → 8.4"),
        ("imdb", 74.0, 7.4, "imdb_points: 74 → 7.4"),
        ("imdb", None, 7.4, "imdb_points: nothing → 7.4"),
        ("imdb", 7.4, None, "imdb_points: 7.4 → nothing"),
        ("metacritic", 0.0, 54.0, "metacritic_points: 0 → 54"),
    ],
)
def test_points_that_moved_are_said_as_the_card_shows_them(
    system: str, then: float | None, now: float | None, line: str
) -> None:
    assert since_approved(rated(**{system: then}), rated(**{system: now})) == [line]


@pytest.mark.parametrize(
    ("system", "then", "now"),
    [
        ("tmdb", 8.217, 8.24),
        ("letterboxd", 3.52, 3.54),
        ("metacritic", 54.2, 54.4),
        ("imdb", float("inf"), float("inf")),
        ("imdb", 7.25, 7.3),
    ],
)
def test_points_that_are_the_same_where_they_are_published_have_not_moved(
    system: str, then: float, now: float
) -> None:
    assert since_approved(rated(**{system: then}), rated(**{system: now})) == []


@pytest.mark.parametrize(("held", "now"), [(5.0, 5.4), (54.0, 54.2)])
def test_what_an_older_tmdbkit_judged_has_not_moved_because_it_rounded(
    held: float, now: float
) -> None:
    older = rated(metacritic=held).select(judged()).item()
    log = said(("a", 1, "approve", {"judged": older}))
    assert changed_since(rated(metacritic=now), log).is_empty()


@pytest.mark.parametrize("text", ["", " ", "\n", "x", "[1]", "null", '{"title": 1}', "{}\n{}"])
def test_judged_texts_of_another_program_are_each_compared_with_their_own_movie(text: str) -> None:
    second = rated(imdb=8.0).with_columns(tmdb_id=pl.lit(2, pl.Int64))
    rows = pl.concat([rated(imdb=7.0), second])
    right = rows.select(judged()).to_series()[1].replace("One", "Other")
    log = said(("a", 1, "approve", {"judged": text}), ("b", 2, "approve", {"judged": right}))
    both = {n: moved(*texts) for n, *texts in changed_since(rows, log).rows()}
    assert both[2] == ["title: Other → One"]
    assert "imdb_points: nothing → 7" in both[1]


def test_a_rating_that_came_since_is_shown_as_one_that_was_not_there() -> None:
    assert moved('{"imdb_points": null, "title": "A"}', '{"imdb_points": 7.5, "title": "A"}') == [
        "imdb_points: nothing → 7.5"
    ]


# The log.


def test_a_decision_is_in_the_stage_with_name_and_time_before_the_verb_returns(
    stage: Stage,
) -> None:
    stage.store.add(movies(1))
    ReviewQueue(stage, by="ann", now=lambda: T0).hold(1, note="wrong year")
    (row,) = reopened(stage).decisions().rows(named=True)
    assert (row["kind"], row["by"], row["at"], row["note"]) == ("hold", "ann", T0, "wrong year")


def test_a_status_counts_decisions_on_what_is_staged(stage: Stage) -> None:
    stage.store.add(movies(1, 2, 3, 4))
    review = ReviewQueue(stage, by="ann")
    for verb, tmdb_id in ((review.approve, 1), (review.hold, 2), (review.reject, 3)):
        verb(tmdb_id)
    stage.drop([3])
    counts = stage.status()
    names = ("staged", "approved", "held", "rejected", "undecided")
    assert [counts[name] for name in names] == [3, 1, 1, 0, 1]


def test_a_pile_of_decisions_is_merged_and_each_stands_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmdbkit.stage.log.PILE", 7)
    for number in range(20):
        stage.store.add_decisions(decision(1, "hold", name=f"{number:02}", by="ann", at=T0))
    assert names(stage.decisions()) == [f"{number:02}" for number in range(20)]
    assert list((stage.store.root.folder / "decisions").glob("*-merged.parquet"))


def test_a_log_from_before_there_were_batches_is_read_and_merged_with_newer_parts(
    stage: Stage,
) -> None:
    older = Log(
        stage.store.root.under("decisions"),
        pl.Schema({n: k for n, k in DECISIONS.items() if n not in ("batch", "overrules")}),
    )
    older.append(decision(1, "hold", name="old", by="ann", at=T0).drop("batch", "overrules"))
    new = decision(2, "hold", name="new", by="ann", at=T0, batch="b", overrules="x")
    stage.store.add_decisions(new)
    for _ in range(2):
        assert stage.decisions().select("decision", "batch", "overrules").rows() == [
            ("old", None, None),
            ("new", "b", "x"),
        ]
        stage.compact()
    assert len(stage.store.decisions.parts()) == 1


REVIEWER = """
import sys
from datetime import UTC, datetime
from tmdbkit import Settings, Stage
from tmdbkit.stage.decisions import decision

folder, by = sys.argv[1:]
stage = Stage(folder, settings=Settings())

def say(tmdb_id, kind, name, **more):
    now = datetime.now(UTC)
    stage.store.add_decisions(decision(tmdb_id, kind, name=by + name, by=by, at=now, **more))

for number in range(20):
    say(number, "approve", f" approves {number}")
    say(number, "override", f" sets {number}", field="runtime_minutes", value=number)
    if number % 5 == 4:
        say(number, "undo", f" undoes {number}", undoes=f"{by} sets {number}")
        stage.compact()
"""


def test_two_people_who_decide_in_one_folder_at_once_lose_nothing(stage: Stage) -> None:
    people = [
        subprocess.Popen(
            [sys.executable, "-c", REVIEWER, str(stage.store.root.folder), by],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for by in ("ann", "bob")
    ]
    assert [person.communicate(timeout=60)[1] for person in people] == ["", ""]
    log = stage.decisions()
    assert Counter(log.select("by", "kind").rows()) == {
        (by, kind): count
        for by in ("ann", "bob")
        for kind, count in (("approve", 20), ("override", 20), ("undo", 4))
    }
    assert verdicts(log).height == 20
    assert overrides(log).height == 16
