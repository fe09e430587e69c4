"""Plans: looked at, saved, sent exactly so; what a push may touch; the way back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tmdbkit import ConvexSnapshot, workflows
from tmdbkit.convex import read
from tmdbkit.convex.merge import Scope
from tmdbkit.convex.plan import Plan
from tmdbkit.exceptions import UsageError
from tmdbkit.images import ImageForm
from tmdbkit.progress import Silent
from tmdbkit.review import ReviewQueue
from tmdbkit.schema import MOVIE

from .bench import LATER, NOW, NOW_ISO, movie, payload, planned_by, staged, without

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Document, Target
    from tmdbkit.stage.stage import Stage

    from .bench import Bench

pytestmark = pytest.mark.once

SAME: dict[str, Any] = {"progress": Silent(), "images": ImageForm()}


def plan(stage: Stage, target: Target, **options: Any) -> Plan:
    return workflows.plan_push(stage, target, now=lambda: NOW, **SAME, **options)


def push(stage: Stage, target: Target, **options: Any) -> PushResult:
    return workflows.push(stage, target, **({"now": lambda: NOW} | SAME | options))


def scoped(**names: list[str]) -> Scope:
    return Scope.of(**names)


# Looking


def test_a_plan_counts_what_a_push_would_do_and_changes_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2), payload(3, tagline=""))
    bench.plant(movie(2), movie(3, popularity=1.0))
    before = bench.table("movies")
    made = plan(stage, bench.target)
    assert made.counts() == {
        "target": str(bench.target.title),
        "create": 1,
        "update": 1,
        "unchanged": 1,
        "withheld": 0,
        "kept": 1,
        "erase": 0,
    }
    assert "fields kept: tagline 1" in repr(made).splitlines()
    assert bench.table("movies") == before


def test_a_plan_says_old_and_new_of_every_field(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload())
    bench.plant(movie(tagline="Old", runtime_minutes=1))
    made = plan(stage, bench.target)
    assert made.fields().select("field", "old", "new").rows() == [
        ("tagline", '"Old"', '"Welcome to the Real World."'),
        ("runtime_minutes", "1", "136"),
    ]
    assert repr(made[603]).splitlines() == [
        "The Matrix (603): update",
        '  tagline: "Old" → "Welcome to the Real World."',
        "  runtime_minutes: 1 → 136",
    ]


def test_of_five_ratings_a_plan_draws_those_that_move(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(vote_average=8.3))
    others = dict.fromkeys(("letterboxd", "metacritic", "rotten_tomatoes"))
    bench.plant(movie(vote_pts_system={"imdb": 8.7, **others, "tmdb": 8.2}))
    drawn = repr(plan(stage, bench.target)[603]).splitlines()
    assert "  vote_pts_system.tmdb: 8.2 → 8.3" in drawn
    assert not any("imdb" in line for line in drawn)


def test_a_plan_ends_with_what_it_adds_and_how_many_batches(bench: Bench, tmp_path: Path) -> None:
    made = plan(staged(tmp_path / "s", payload(1), payload(2)), bench.target)
    counts = {table: count for table, (count, _) in made.size().items()}
    assert counts == {"movies": 2, "crew": 3, "genres": 1}
    assert made.batches() == 3 == push(staged(tmp_path / "s"), bench.target, plan=made).batches


def test_a_movie_that_is_not_planned_is_a_key_error(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="60 is not in the plan"):
        plan(staged(tmp_path / "s", payload()), bench.target)[60]


def test_a_plan_drawn_in_html_escapes_titles(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(title="<img src=x onerror=alert(1)>"))
    bench.plant(movie(title="Old"))
    made = plan(stage, bench.target)
    assert "<img" not in made._repr_html_() + made[603]._repr_html_()


# Sending exactly that


def test_a_saved_plan_sends_exactly_what_it_says(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(2, tagline="Old"))
    plan(stage, bench.target).save(tmp_path / "plan.json")
    staged(tmp_path / "s", payload(1, tagline="Moved since"), at=LATER)
    saved = Plan.load(tmp_path / "plan.json")
    result = push(stage, bench.target, plan=saved)
    assert (result.created, result.updated) == (1, 1)
    assert bench.movie(1)["tagline"] == bench.movie(2)["tagline"] == "Welcome to the Real World."
    assert bench.table("crew")


def test_what_someone_edited_between_plan_and_push_is_a_conflict_and_stays(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload())
    bench.plant(movie(tagline="Old"))
    made = plan(stage, bench.target)
    bench.change(603, tagline="Edited by hand")
    result = push(stage, bench.target, plan=made)
    assert (result.conflicts, result.updated) == (1, 0)
    assert bench.movie(603)["tagline"] == "Edited by hand"


def test_what_was_a_conflict_is_planned_anew_in_the_same_scope(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1, tagline="new"), payload(2, tagline="new"))
    bench.plant(movie(1), movie(2))
    made = plan(stage, bench.target, scope=scoped(only=["tagline"]))
    bench.change(1, tagline="mine")
    made.save(tmp_path / "plan.json")
    result = push(stage, bench.target, plan=Plan.load(tmp_path / "plan.json"))
    assert result.anew is not None
    assert [change.tmdb_id for change in result.anew.changes] == [1]
    assert repr(result.anew[1]).splitlines()[1:] == ['  tagline: "mine" → "new"']
    assert "planned anew: 1 update, 0 unchanged, 0 withheld" in repr(result)
    assert push(stage, bench.target, plan=result.anew).updated == 1
    assert push(stage, bench.target, plan=made).anew is None


def test_the_import_log_tells_which_push_sent_which_plan(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(2))
    made = plan(stage, bench.target)
    push(stage, bench.target, plan=made)
    push(stage, bench.target, now=lambda: LATER)
    log = stage.pushes()
    assert log["plan"].to_list() == [None, made.id]
    assert log["target"].unique().to_list() == [str(bench.target.title)]
    assert log.select("movies", "created", "updated", "unchanged").rows() == [
        (2, 0, 0, 2),
        (2, 1, 0, 1),
    ]
    assert log["began_at"].to_list() == [LATER, NOW]


def test_the_same_changes_have_the_same_name_and_others_another(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    assert plan(stage, bench.target).id == plan(stage, bench.target).id
    assert plan(stage, bench.target).id != plan(stage, bench.target, limit=1).id


def test_no_two_movies_of_a_long_plan_get_the_same_slug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned_by(monkeypatch, 2)
    stage = staged(tmp_path / "s", *(payload(number) for number in range(1, 8)))
    target = ConvexSnapshot(tmp_path)
    made = plan(stage, target)
    slugs = [change.set["slug"] for change in made.changes]
    assert len(set(slugs)) == len(slugs) == 7
    push(stage, target)
    assert len({row["slug"] for row in target.table("movies")}) == 7


def test_a_plan_sent_twice_ends_the_same(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    made = plan(stage, bench.target)
    push(stage, bench.target, plan=made)
    once = bench.table("movies")
    push(stage, bench.target, plan=made)
    assert bench.table("movies") == once


def test_a_plan_for_another_target_is_refused(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload())
    with pytest.raises(UsageError, match="the plan is for prod elsewhere"):
        push(stage, bench.target, plan=Plan("prod elsewhere"))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"plan": 99}', '{"plan": 1, "target": "t"}'])
def test_a_file_that_is_no_plan_is_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageError, match=r"plan\.json is (not )?a plan of"):
        Plan.load(tmp_path / "plan.json")


# Scope


def test_only_touches_these_fields_and_creates_nothing(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1, vote_average=9.0), payload(2))
    there = movie(1, tagline="By hand")
    bench.plant(there)
    result = push(stage, bench.target, scope=scoped(only=["ratings"]))
    assert (result.updated, result.withheld, result.created) == (1, 1, 0)
    rated = there["vote_pts_system"] | {"tmdb": 9.0}
    assert bench.movie(1) == there | {"vote_pts_system": rated, "updated_at": NOW_ISO}
    assert bench.table("crew") == []


def test_keep_sets_a_field_on_creation_only(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(1, synopsis="By hand", popularity=1.0))
    push(stage, bench.target, scope=scoped(create_only=["synopsis"]))
    assert bench.movie(1)["synopsis"] == "By hand"
    assert bench.movie(1)["popularity"] == 83.25
    assert bench.movie(2)["synopsis"] == "Set in the 22nd century."


def test_clear_erases_only_what_it_names(bench: Bench, tmp_path: Path) -> None:
    nothing = payload(tagline="", overview="", poster_path=None, belongs_to_collection=None)
    stage = staged(tmp_path / "s", nothing)
    bench.plant(movie())
    scope = scoped(clear=["tagline", "main_poster", "belong_to_collection"])
    assert plan(stage, bench.target, scope=scope).counts()["erase"] == 3
    push(stage, bench.target, scope=scope)
    after = bench.movie(603)
    assert (after["tagline"], after["belong_to_collection"]) == ("", None)
    assert "main_poster" not in after
    assert after["synopsis"] == movie()["synopsis"]


def test_limit_lets_a_few_go_and_the_next_run_the_next_few(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2), payload(3))
    assert push(stage, bench.target, limit=2).created == 2
    assert push(stage, bench.target, limit=2).created == 1


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"only": ["rating"]}, "no such field"),
        ({"create_only": ["slug"]}, "set on creation only"),
        ({"clear": ["tmdb_id"]}, "set on creation only"),
    ],
)
def test_a_name_that_is_no_field_of_ours_is_refused(names: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Scope.of(**names)


# Verifying


def test_verify_finds_what_differs_field_by_field(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2), payload(3, tagline=""))
    bench.plant(movie(1, runtime_minutes=1), movie(3, tagline="Kept"))
    found = workflows.verify(stage, bench.target, progress=Silent())
    assert found.counts() == {
        "checked": 3,
        "equal": 1,
        "different": 1,
        "absent": 1,
        "not_staged": 0,
    }
    differs = found.differences().select("tmdb_id", "field", "old", "new").rows()
    assert differs == [(1, "runtime_minutes", "1", "136")]


def test_verify_does_not_take_what_is_held_back_for_a_difference(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    ReviewQueue(stage, by="Ann").reject(2)
    push(stage, bench.target)
    found = workflows.verify(stage, bench.target, progress=Silent())
    expected = {
        "checked": 2,
        "equal": 1,
        "different": 0,
        "absent": 0,
        "not_staged": 0,
        "withheld": 1,
    }
    assert found.counts() == expected
    assert found.differences().is_empty()
    assert "withheld: The Matrix: rejected in review by Ann" in repr(found)


# The way back


def test_undo_deletes_what_was_created_and_sets_back_what_was_changed(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    there = without(movie(2, tagline="Old"), "crew")
    bench.plant(there)
    push(stage, bench.target)
    result = push(stage, bench.target, plan=workflows.undo(stage, bench.target))
    assert (result.deleted, result.updated) == (1, 1)
    assert bench.table("movies") == [there]


def test_the_way_back_says_of_what(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(2, tagline="Old"))
    push(stage, bench.target)
    [sent] = stage.pushes()["push"]
    back = workflows.undo(stage, bench.target)
    assert f"takes back: push {sent}, which created 1, changed 1" in repr(back).splitlines()


def test_undo_leaves_what_someone_edited_since(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(2, tagline="Old"))
    push(stage, bench.target)
    bench.change(1, screenshot_url="https://example.org/mine.png")
    bench.change(2, tagline="Edited by hand")
    result = push(stage, bench.target, plan=workflows.undo(stage, bench.target))
    assert result.conflicts == 2
    assert bench.movie(1)["screenshot_url"] == "https://example.org/mine.png"
    assert bench.movie(2)["tagline"] == "Edited by hand"


def take_back(stage: Stage, bench: Bench, push_id: str | None = None) -> PushResult:
    back = workflows.undo(stage, bench.target, push_id)
    at = stage.pushes()["began_at"].max() + timedelta(minutes=1)
    return push(stage, bench.target, plan=back, now=lambda: at)


def by_id(document: Document) -> int:
    return int(document["tmdb_id"])


def latest(stage: Stage) -> str:
    return str(stage.pushes().item(0, "push"))


def test_two_undos_take_back_two_pushes(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1, tagline="One"))
    push(stage, bench.target)
    first = bench.movie(1)
    staged(tmp_path / "s", payload(1, tagline="Two"), payload(2), at=LATER)
    push(stage, bench.target, now=lambda: LATER)
    take_back(stage, bench)
    assert bench.table("movies") == [first]
    take_back(stage, bench)
    assert bench.table("movies") == []
    with pytest.raises(UsageError, match="are taken back already"):
        workflows.undo(stage, bench.target)


def test_an_undo_says_where_it_takes_back_an_earlier_push_than_the_latest(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1))
    push(stage, bench.target)
    first, told = latest(stage), "nothing that the latest push changed still stands"
    assert told not in repr(workflows.undo(stage, bench.target))
    push(stage, bench.target, now=lambda: LATER)
    back = workflows.undo(stage, bench.target)
    assert back.undoes == first
    assert told in repr(back)
    assert told not in repr(workflows.undo(stage, bench.target, first))


def test_an_undo_that_is_named_is_done_again_by_another(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    bench.plant(movie(2, tagline="Old"))
    push(stage, bench.target)
    sent, pushed = latest(stage), bench.table("movies")
    take_back(stage, bench)
    take_back(stage, bench, latest(stage))
    assert sorted(bench.table("movies"), key=by_id) == sorted(pushed, key=by_id)
    take_back(stage, bench)  # the push stands again, and is the latest one that is no undo
    assert [row["tagline"] for row in bench.table("movies")] == ["Old"]
    with pytest.raises(UsageError, match=f"push {sent} is taken back already"):
        workflows.undo(stage, bench.target, sent)


def test_an_undo_of_which_a_part_was_sent_goes_on_with_the_rest(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", *map(payload, range(1, 7)))
    push(stage, bench.target)
    back = workflows.undo(stage, bench.target)
    push(stage, bench.target, plan=next(back.parts(4)), now=lambda: LATER)
    rest = workflows.undo(stage, bench.target)
    assert (rest.undoes, len(rest), rest.counts()["delete"]) == (back.undoes, 2, 2)
    assert take_back(stage, bench).deleted == 2
    assert bench.table("movies") == []


def test_what_an_undo_left_alone_does_not_hide_the_push_before(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1))
    push(stage, bench.target)
    staged(tmp_path / "s", payload(2), at=LATER)
    push(stage, bench.target, now=lambda: LATER)
    second = latest(stage)
    bench.change(2, tagline="Edited by hand")
    assert take_back(stage, bench).conflicts == 1
    assert take_back(stage, bench).deleted == 1
    assert [row["tagline"] for row in bench.table("movies")] == ["Edited by hand"]
    assert len(workflows.undo(stage, bench.target, second)) == 1


def test_a_clock_that_was_set_back_undoes_no_undo(bench: Bench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2))
    push(stage, bench.target, now=lambda: LATER)
    push(stage, bench.target, plan=workflows.undo(stage, bench.target), now=lambda: NOW)
    assert bench.table("movies") == []
    with pytest.raises(UsageError, match="taken back already"):
        workflows.undo(stage, bench.target)


def test_there_is_no_way_back_from_where_one_has_never_been(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no push that changed"):
        workflows.undo(staged(tmp_path / "s", payload()), bench.target)


# The target as a source


def test_a_target_is_a_frame_in_the_contracts_schema(bench: Bench) -> None:
    bench.plant(movie(1), without(movie(2), "crew", "main_poster"))
    found = bench.target.movies()
    assert found.schema == MOVIE
    assert found.sort("tmdb_id")["tmdb_id"].to_list() == [1, 2]
    assert found.filter(pl.col("tmdb_id") == 2)["main_poster"].to_list() == [None]


def test_a_table_is_read_in_pages_and_measured(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "PAGE", 2)
    monkeypatch.setitem(read.COLLECTED, "documents", 4)
    bench.plant(*(movie(number) for number in range(1, 6)))
    assert sorted(read.ids_of(bench.target)) == [1, 2, 3, 4, 5]
    measured = read.measure(bench.target, ["movies", "crew"])
    assert measured.select("table", "documents", "too_large").rows() == [
        ("movies", 5, True),
        ("crew", 0, False),
    ]


@pytest.mark.parametrize(("limit", "most"), [("documents", 2), ("mib", 0.0001)])
def test_a_plan_warns_of_a_table_to_which_it_adds_more_than_a_function_may_collect(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: float
) -> None:
    stage = staged(tmp_path / "s", payload())
    made = plan(stage, bench.target)
    assert read.TOO_LARGE not in repr(made)
    monkeypatch.setitem(read.COLLECTED, limit, most)
    facts = dict(line.split(": ", 1) for line in repr(made).splitlines())
    assert facts["adds to crew"].endswith(f"KiB · {read.TOO_LARGE}")
    assert not facts["adds to genres"].endswith(read.TOO_LARGE)


# What the stage no longer holds


def test_absent_is_what_this_stage_created_there_and_dropped_since(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", *map(payload, range(1, 5)))
    bench.plant(movie(3), movie(4, tagline="Old"), movie(5))
    push(stage, bench.target)
    stage.drop([2, 3, 4])
    assert workflows.absent_from_stage(stage, bench.target) == [2]


def test_what_was_taken_back_and_made_by_somebody_else_is_not_absent(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1))
    push(stage, bench.target)
    take_back(stage, bench)
    bench.plant(movie(1))
    stage.drop([1])
    assert workflows.absent_from_stage(stage, bench.target) == []


def test_a_plan_is_gone_through_change_by_change(tmp_path: Path) -> None:
    stage = staged(tmp_path / "stage", payload(603), payload(604, title="Reloaded"))
    made = plan(stage, ConvexSnapshot(tmp_path / "snapshot"))
    told = [(change.tmdb_id, change.title, change.kind) for change in made]
    assert told == [(603, "The Matrix", "create"), (604, "Reloaded", "create")]
    assert [*made] == [*made.changes]
