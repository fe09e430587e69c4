"""Decisions as a file: written, applied, applied twice, and what does not fit said by its line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.convex.bench import movie, payload, staged
from tmdbkit import ConvexSnapshot, workflows
from tmdbkit.exceptions import DecidedMeanwhile, UsageError
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.schema import SCALES
from tmdbkit.stage.decisions import standing
from tmdbkit.workflows.decisions_file import apply_decisions, export_decisions, read_decisions

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit.convex.plan import Plan
    from tmdbkit.stage.stage import Stage

pytestmark = pytest.mark.once

IDS = range(1, 6)
PAYLOADS = [payload(number, title=f"Film {number}", vote_average=8.2) for number in IDS]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Five films on which Ann has said something of each kind, and taken something back."""
    made = staged(tmp_path / "one", *PAYLOADS)
    ann = ReviewQueue(made, by="Ann")
    ann.correct("imdb", 8.7, 1, note="a slip — “seen”\u2028twice")
    ann.correct("title", "Film One", 1)
    ann.approve(1)
    ann.hold(2, note="wrong year")
    ann.reject(3)
    ann.hold(4)
    ann.undo()
    return made


def another(tmp_path: Path, name: str = "two") -> Stage:
    return staged(tmp_path / name, *PAYLOADS)


def plan(stage: Stage, tmp_path: Path) -> Plan:
    target = ConvexSnapshot(tmp_path / "snapshot")
    return workflows.plan_push(stage, target, progress=Silent())


def exported(stage: Stage, tmp_path: Path) -> Path:
    export_decisions(stage, tmp_path / "decisions.jsonl")
    return tmp_path / "decisions.jsonl"


def written(tmp_path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / "theirs.jsonl").write_text("\n".join(texts), encoding="utf-8")
    return tmp_path / "theirs.jsonl"


def override(field: str, value: Any, tmdb_id: int = 1, **more: Any) -> dict[str, Any]:
    return {"tmdb_id": tmdb_id, "kind": "override", "field": field, "value": value, **more}


def test_a_line_is_a_decision_with_the_columns_of_the_log(stage: Stage, tmp_path: Path) -> None:
    lines = exported(stage, tmp_path).read_text(encoding="utf-8").strip().split("\n")
    assert len(lines) == stage.decisions().height == 7
    assert [list(json.loads(line)) for line in lines] == [stage.decisions().columns] * 7


def test_decisions_applied_to_a_fresh_copy_make_the_same_plan(stage: Stage, tmp_path: Path) -> None:
    copy = another(tmp_path)
    assert plan(copy, tmp_path).id != plan(stage, tmp_path).id
    done = apply_decisions(copy, exported(stage, tmp_path))
    assert done.counts() == {"applied": 7, "known": 0, "conflicts": 0, "refused": 0, "batch": ""}
    assert copy.decisions().equals(stage.decisions())
    counts = plan(copy, tmp_path).counts()
    assert (counts, counts["withheld"]) == (plan(stage, tmp_path).counts(), 2)
    assert plan(copy, tmp_path).fields().equals(plan(stage, tmp_path).fields())


def test_applying_twice_changes_nothing(stage: Stage, tmp_path: Path) -> None:
    path, copy = exported(stage, tmp_path), another(tmp_path)
    apply_decisions(copy, path)
    parts = copy.store.decisions.parts()
    again = apply_decisions(copy, path)
    assert (again.counts()["applied"], again.known) == (0, 7)
    assert copy.store.decisions.parts() == parts
    assert apply_decisions(stage, path).known == 7


def test_lines_that_a_person_wrote_need_no_name_and_are_applied_once(tmp_path: Path) -> None:
    copy = another(tmp_path)
    path = written(tmp_path, {"tmdb_id": 1, "kind": "hold"}, override("imdb", 7.4))
    assert apply_decisions(copy, path).counts()["applied"] == 2
    assert apply_decisions(copy, path).counts()["applied"] == 0
    assert copy.table()["imdb_points"].to_list()[0] == 7.4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"tmdb_id": 99, "kind": "hold"}, "no such movie 99"),
        ({"tmdb_id": True, "kind": "hold"}, "no such movie True"),
        ({"kind": "hold"}, "no such movie None"),
        ({"tmdb_id": 0, "kind": "hold"}, "no such movie 0"),
        ({"tmdb_id": [1], "kind": "hold"}, r"no such movie \[1\]"),
        ({"tmdb_id": 1, "kind": "aprove"}, "no such kind 'aprove'; did you mean approve"),
        (override("imdb", 98), "imdb goes from 0 to 10; 98 does not fit"),
        (override("imdb", "98"), "imdb goes from 0 to 10; 98 does not fit"),
        (override("imdb", 10**400), "imdb goes from 0 to 10; inf does not fit"),
        (override("imdb", True), "is one value, and true is none"),
        (override("title", ["a"]), r"is one value, and \[\"a\"\] is none"),
        (override("rating", 5), "'rating' is no field to correct"),
        ({"tmdb_id": 1, "kind": "undo", "undoes": "x"}, "'x', which is no decision here"),
        ({"tmdb_id": 1, "kind": "hold", "at": "soon"}, "'soon' is no time"),
        ({"tmdb_id": 1, "kind": "hold", "at": 5}, "5 is no time"),
        ({"tmdb_id": 1, "kind": "hold", "note": 5}, "note is a text, and 5 is none"),
        ({"tmdb_id": 1, "kind": "approve", "waived": "a"}, "waived is a list of texts"),
        ({"tmdb_id": 1, "kind": "hold", "field": "x"}, "hold is of a whole movie, and 'x' is a"),
        ({"tmdb_id": 1, "kind": "undecide", "field": "title"}, "undecide is of a whole movie"),
        ({"tmdb_id": 0, "kind": "undecide"}, "no such movie 0"),
        ({"tmdb_id": 1, "kind": "waive", "field": "column_scale:imdb"}, "waive is of movie 0"),
        ({"tmdb_id": 1, "kind": "waive"}, "waive is of movie 0"),
        ({"tmdb_id": 0, "kind": "waive"}, "waive is of movie 0 and a field such as column_scale"),
        ({"tmdb_id": 0, "kind": "waive", "field": "outside_scale:imdb"}, "not of 'outside_scale"),
        ({"tmdb_id": 0, "kind": "waive", "field": "a:imdb"}, "not of 'a:imdb'"),
        ("[1]", "it is no object of JSON"),
        ("{", "it is no object of JSON"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_by_its_line_and_the_rest_is_applied(
    line: dict[str, Any] | str, says: str, tmp_path: Path
) -> None:
    copy = another(tmp_path)
    path = written(
        tmp_path, {"tmdb_id": 2, "kind": "hold"}, "", line, {"tmdb_id": 3, "kind": "hold"}
    )
    done = apply_decisions(copy, path)
    assert done.counts()["applied"] == 2
    (said,) = done.refused
    assert said.startswith("line 3: ")
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(said)


@pytest.mark.parametrize("times", [-0.1, 1.001, 10, float("inf"), float("nan")])
def test_no_points_off_their_scale_are_ever_in_a_plan(times: float, tmp_path: Path) -> None:
    copy = another(tmp_path)
    lines = [override(system, most * times) for system, most in SCALES.items()]
    done = apply_decisions(copy, written(tmp_path, *lines))
    assert (done.counts()["applied"], len(done.refused)) == (0, len(SCALES))
    for change in plan(copy, tmp_path).changes:
        points = change.set["vote_pts_system"]
        assert all(
            points[name] is None or 0 <= points[name] <= most for name, most in SCALES.items()
        )


def test_an_approval_written_by_hand_waives_no_value_off_its_scale(tmp_path: Path) -> None:
    wrong = payload(1, title="Film 1", vote_average=82.0)
    made = staged(tmp_path / "wrong", wrong)
    approval = {"tmdb_id": 1, "kind": "approve", "waived": ["outside_scale:tmdb"]}
    apply_decisions(made, written(tmp_path, approval))
    (change,) = plan(made, tmp_path).changes
    assert change.set["vote_pts_system"]["tmdb"] is None
    assert movie()["vote_pts_system"]["tmdb"] is not None


def test_the_waiver_of_a_whole_column_goes_along_and_so_does_an_undecided_film(
    stage: Stage, tmp_path: Path
) -> None:
    waiver = {"tmdb_id": 0, "kind": "waive", "field": "column_scale:imdb", "by": "Ann"}
    apply_decisions(
        stage, written(tmp_path, waiver, {"tmdb_id": 2, "kind": "undecide", "by": "Ann"})
    )
    copy = another(tmp_path)
    assert apply_decisions(copy, exported(stage, tmp_path)).refused == ()
    assert copy.decisions().equals(stage.decisions())
    assert plan(copy, tmp_path)[2].change.kind == "create"
    assert standing(copy.decisions()).filter(kind="waive")["field"].item() == "column_scale:imdb"


def test_an_undo_of_another_movie_is_refused(stage: Stage, tmp_path: Path) -> None:
    name = stage.decisions().filter(tmdb_id=2)["decision"].item()
    undo = {"tmdb_id": 1, "kind": "undo", "undoes": name}
    done = apply_decisions(stage, written(tmp_path, undo))
    assert done.refused == (f"line 1: it takes back {name!r}, which is of movie 2",)


@pytest.mark.parametrize("kind", ["approve", "hold", "reject"])
def test_a_verdict_that_a_person_wrote_holds_until_a_value_moves(kind: str, tmp_path: Path) -> None:
    copy = another(tmp_path)
    lines = override("title", "Mine"), override("imdb", 7.4), {"tmdb_id": 1, "kind": kind}
    apply_decisions(copy, written(tmp_path, *({**line, "by": "Ann"} for line in lines)))
    queue = ReviewQueue(copy, by="Ann")
    assert (queue.progress, queue.item(1).changed) == ((1, 5), [])
    queue.correct("title", "Other", 1)
    assert queue.item(1).changed == ["title: Mine → Other"]


def test_a_verdict_that_says_it_judged_nothing_does_not_hold(tmp_path: Path) -> None:
    copy = another(tmp_path)
    apply_decisions(copy, written(tmp_path, {"tmdb_id": 1, "kind": "approve", "judged": ""}))
    assert ReviewQueue(copy, by="Bob").progress == (0, 5)


def test_a_fresh_verdict_is_new_where_the_one_here_does_not_hold_any_more(
    stage: Stage, tmp_path: Path
) -> None:
    copy = another(tmp_path)
    bob = ReviewQueue(copy, by="Bob")
    bob.hold(2)
    bob.correct("title", "Film Two", 2)
    assert bob.progress == (0, 5)
    line = {"tmdb_id": 2, "kind": "hold", "by": "Ann"}
    assert apply_decisions(copy, written(tmp_path, line)).counts()["applied"] == 1
    assert ReviewQueue(copy, by="Bob").progress == (1, 5)


def test_an_approval_that_waives_something_else_is_a_conflict(tmp_path: Path) -> None:
    copy = another(tmp_path)
    ReviewQueue(copy, by="Bob").approve(1)
    line = {"tmdb_id": 1, "kind": "approve", "by": "Ann", "waived": ["far_off:imdb"]}
    (said,) = apply_decisions(copy, written(tmp_path, line)).conflicts
    assert said == "line 1: Bob approved 1 here meanwhile; decide in review"


def test_the_same_line_twice_is_two_decisions(tmp_path: Path) -> None:
    copy = another(tmp_path)
    hold, reject = {"tmdb_id": 1, "kind": "hold"}, {"tmdb_id": 1, "kind": "reject"}
    path = written(tmp_path, hold, reject, hold)
    assert apply_decisions(copy, path).counts()["applied"] == 3
    assert standing(copy.decisions())["kind"].to_list() == ["hold"]
    assert apply_decisions(copy, path).counts()["known"] == 3


def test_a_line_that_was_taken_back_here_and_is_applied_again_is_new(tmp_path: Path) -> None:
    copy, path = another(tmp_path), written(tmp_path, {"tmdb_id": 1, "kind": "hold"})
    for _ in range(2):
        assert apply_decisions(copy, path).counts()["applied"] == 1
        assert apply_decisions(copy, path).counts()["known"] == 1
        assert ReviewQueue(copy, by="Bob").undo(1)
    assert standing(copy.decisions()).is_empty()


# What others decided meanwhile.


def test_what_somebody_decided_here_meanwhile_is_a_conflict_and_stands(
    stage: Stage, tmp_path: Path
) -> None:
    copy = another(tmp_path)
    ReviewQueue(copy, by="Bob").approve(2)
    done = apply_decisions(copy, exported(stage, tmp_path))
    assert done.conflicts == ("line 4: Bob approved 2 here meanwhile; decide in review",)
    assert done.counts()["applied"] == 6
    assert plan(copy, tmp_path)[2].change.kind == "create"


def test_a_value_that_somebody_set_here_meanwhile_is_not_overruled(
    stage: Stage, tmp_path: Path
) -> None:
    copy = another(tmp_path)
    ReviewQueue(copy, by="Bob").correct("imdb", 8.6, 1)
    done = apply_decisions(copy, exported(stage, tmp_path))
    (said,) = done.conflicts
    assert said.startswith("line 1: Bob set vote_pts_system.imdb of 1 here meanwhile")
    assert copy.table().filter(tmdb_id=1)["imdb_points"].item() == 8.6


def test_what_the_file_knows_of_it_may_overrule(stage: Stage, tmp_path: Path) -> None:
    copy = another(tmp_path)
    apply_decisions(copy, exported(stage, tmp_path))
    bob = ReviewQueue(copy, by="Bob")
    with pytest.raises(DecidedMeanwhile):
        bob.approve(2)
    bob.approve(2)  # he knows of it by now, and does it all the same
    done = apply_decisions(stage, exported(copy, tmp_path))
    assert (done.counts()["applied"], done.conflicts) == (1, ())
    assert stage.decisions().equals(copy.decisions())
    assert plan(stage, tmp_path)[2].change.kind == "create"


def test_the_same_said_by_two_is_no_conflict(stage: Stage, tmp_path: Path) -> None:
    copy = another(tmp_path)
    ReviewQueue(copy, by="Bob").hold(2)
    done = apply_decisions(copy, exported(stage, tmp_path))
    assert (done.conflicts, done.known) == ((), 1)


def test_of_one_s_own_decisions_the_later_stands(stage: Stage, tmp_path: Path) -> None:
    older, copy = exported(stage, tmp_path), another(tmp_path)
    apply_decisions(copy, older)
    ReviewQueue(copy, by="Ann").approve(2)
    apply_decisions(copy, older)
    assert plan(copy, tmp_path)[2].change.kind == "create"
    fresh = another(tmp_path, "three")
    ReviewQueue(fresh, by="Ann").approve(2)
    assert len(apply_decisions(fresh, older).conflicts) == 1
    assert len(apply_decisions(stage, exported(fresh, tmp_path)).conflicts) == 0


def test_two_stages_that_exchange_files_agree(stage: Stage, tmp_path: Path) -> None:
    copy = another(tmp_path)
    apply_decisions(copy, exported(stage, tmp_path))
    ReviewQueue(copy, by="Ann").hold(5)
    ReviewQueue(stage, by="Ann").reject(5)
    apply_decisions(copy, exported(stage, tmp_path))
    apply_decisions(stage, exported(copy, tmp_path))
    reasons = [plan(made, tmp_path)[5].change.reason for made in (stage, copy)]
    assert reasons == ["rejected in review by Ann"] * 2


def test_of_two_people_who_differ_each_stage_keeps_its_own_and_says_so(
    stage: Stage, tmp_path: Path
) -> None:
    copy = another(tmp_path)
    apply_decisions(copy, exported(stage, tmp_path))
    ReviewQueue(stage, by="Ann").hold(5)
    ReviewQueue(copy, by="Bob").reject(5)
    assert "Bob rejected 5" in repr(apply_decisions(copy, exported(stage, tmp_path)))
    assert "Ann held 5" in repr(apply_decisions(stage, exported(copy, tmp_path)))
    reasons = [plan(made, tmp_path)[5].change.reason for made in (stage, copy)]
    assert reasons == ["held in review by Ann", "rejected in review by Bob"]


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"\x00\x80"])
def test_a_file_that_is_no_text_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read: it is not text"):
        read_decisions(another(tmp_path), tmp_path / "x.jsonl")
    with pytest.raises(UsageError, match="cannot be read"):
        read_decisions(another(tmp_path), tmp_path / "nowhere.jsonl")


def test_what_somebody_decided_after_the_file_was_read_stands_and_is_said(tmp_path: Path) -> None:
    copy = another(tmp_path)
    lines = [{"tmdb_id": n, "kind": "approve", "by": "Ann"} for n in (1, 2)]
    pending = read_decisions(copy, written(tmp_path, *lines))
    ReviewQueue(copy, by="Ben").hold(1)
    done = pending.write(copy)
    assert done.decisions["tmdb_id"].to_list() == [2]
    assert done.conflicts == ("Ben held 1 here meanwhile; decide in review",)
    assert ReviewQueue(copy, by="Zoe").item(1).verdict["kind"] == "hold"


def test_a_correction_without_a_value_is_refused_and_null_takes_it_away(tmp_path: Path) -> None:
    bare = {"tmdb_id": 1, "kind": "override", "field": "tmdb"}
    found = read_decisions(another(tmp_path), written(tmp_path, bare, override("tmdb", None)))
    assert found.refused == (
        "line 1: it has no value of vote_pts_system.tmdb; null takes one away",
    )
    assert found.decisions["value"].to_list() == ["null"]


@pytest.mark.parametrize("text", ["1e3", "1917", "true", "null", "[1]", "1_0", "NaN", "{}"])
def test_a_text_stays_as_it_is_where_it_looks_like_another_value(text: str, tmp_path: Path) -> None:
    lines = (override("title", text), override("tagline", json.dumps(text)))
    found = read_decisions(another(tmp_path), written(tmp_path, *lines))
    assert [json.loads(value) for value in found.decisions["value"]] == [text, text]


@pytest.mark.parametrize("text", ["1_0", "٩", "1__0", "0x9", "8,5"])
def test_what_json_does_not_take_for_a_number_is_none(text: str, tmp_path: Path) -> None:
    found = read_decisions(another(tmp_path), written(tmp_path, override("tmdb", text)))
    assert found.refused == (f"line 1: {text!r} is no number, and vote_pts_system.tmdb is one",)
