"""What no push sends: ratings that break an error rule, and movies that a person keeps back."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.ratings.drawn import twin
from tests.stage.conftest import correct
from tmdbkit import workflows
from tmdbkit.convex.merge import Scope
from tmdbkit.exceptions import Interrupted, UsageError
from tmdbkit.executors import prefetch
from tmdbkit.progress import Silent
from tmdbkit.ratings.model import RATINGS
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.review import ReviewQueue
from tmdbkit.workflows.checking import errors_of

from .bench import FETCHED, LATER, NOW, counts, movie, outcome, payload, push, staged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tmdbkit import Stage
    from tmdbkit.convex.plan import Plan

    from .bench import Bench, SnapshotBench

pytestmark = pytest.mark.once

ONLY_RATINGS = Scope.of(only=["ratings"])


def rate(stage: Stage, *rated: tuple[int, str, float], provider: str = "imdb") -> None:
    """Let a provider have said so."""
    rows = [(*row, None, FETCHED) for row in rated]
    schema = {n: RATINGS[n] for n in ("tmdb_id", "system", "points", "votes", "fetched_at")}
    stage.store.add_ratings(as_ratings(pl.DataFrame(rows, schema, orient="row"), provider))


def review(stage: Stage) -> ReviewQueue:
    return ReviewQueue(stage, by="ann")


def plan(stage: Stage, bench: Bench, **options: Any) -> Plan:
    return workflows.plan_push(stage, bench.target, progress=Silent(), now=lambda: NOW, **options)


def kept_back(made: Plan, tmdb_id: int) -> set[str]:
    """The systems of a movie that a plan withholds."""
    (change,) = [change for change in made.changes if change.tmdb_id == tmdb_id]
    return {line.partition(":")[0] for line in change.withheld}


def points(bench: Bench, tmdb_id: int = 603) -> dict[str, float]:
    there = bench.movie(tmdb_id)["vote_pts_system"]
    return {system: value for system, value in there.items() if value is not None}


@pytest.fixture
def wrong(tmp_path: Path) -> Stage:
    """A stage of two movies; the first has an IMDb rating of 74 of 10."""
    stage = staged(tmp_path / "s", payload(603), payload(604, title="Reloaded"))
    rate(stage, (603, "imdb", 74.0), (603, "metacritic", 73.0), (604, "imdb", 7.2))
    return stage


# What breaks an error rule.


def test_a_rating_that_breaks_an_error_rule_stays_out_and_the_rest_of_the_movie_goes(
    bench: Bench, wrong: Stage
) -> None:
    result = push(wrong, bench.target)
    assert counts(result) == {"created": 2, "withheld": 1}
    assert outcome(result) == ("created", "imdb: The points are not on the system's scale")
    assert points(bench) == {"metacritic": 73.0, "tmdb": 8.2}
    assert points(bench, 604) == {"imdb": 7.2, "tmdb": 8.2}
    assert bench.movie()["title"] == "The Matrix"


def test_what_the_target_has_of_a_withheld_rating_stays(bench: Bench, wrong: Stage) -> None:
    there = movie()
    there["vote_pts_system"]["imdb"], there["vote_count_system"]["imdb"] = 8.7, 2_000_000
    bench.plant(there)
    assert push(wrong, bench.target, ids=[603]).updated == 1
    assert points(bench) == {"imdb": 8.7, "metacritic": 73.0, "tmdb": 8.2}
    assert bench.movie()["vote_count_system"]["imdb"] == 2_000_000


def test_a_plan_says_what_it_withholds_and_a_second_push_changes_nothing(
    snapshot: SnapshotBench, wrong: Stage
) -> None:
    made = plan(wrong, snapshot)
    assert (made.counts()["create"], made.counts()["withheld"]) == (2, 1)
    assert "withheld: The Matrix: imdb: The points are not on" in repr(made)
    push(wrong, snapshot.target)
    assert counts(push(wrong, snapshot.target)) == {"unchanged": 2, "withheld": 1}
    assert workflows.verify(wrong, snapshot.target, progress=Silent()).counts()["different"] == 0


def test_a_rating_that_is_right_in_the_end_goes(snapshot: SnapshotBench, wrong: Stage) -> None:
    push(wrong, snapshot.target)
    rate(wrong, (603, "imdb", 7.4), provider="table")
    assert counts(push(wrong, snapshot.target)) == {"updated": 1, "unchanged": 1}
    assert points(snapshot)["imdb"] == 7.4


# What a person keeps back.


@pytest.mark.parametrize(("verb", "word"), [("hold", "held"), ("reject", "rejected")])
def test_hold_and_reject_keep_a_movie_back_and_delete_nothing(
    bench: Bench, tmp_path: Path, verb: str, word: str
) -> None:
    stage = staged(tmp_path / "s", payload(603, tagline="New"), payload(604, title="Reloaded"))
    bench.plant(movie())
    for tmdb_id in (603, 604):
        getattr(review(stage), verb)(tmdb_id, note="wrong year")
    result = push(stage, bench.target)
    assert counts(result) == {"withheld": 2}
    assert outcome(result) == ("withheld", f"{word} in review by ann: wrong year")
    assert [row["tmdb_id"] for row in bench.table("movies")] == [603]
    assert bench.movie()["tagline"] == "Welcome to the Real World."


def test_a_hold_that_is_undone_or_followed_by_an_approval_keeps_nothing_back(
    snapshot: SnapshotBench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(603), payload(604, title="Reloaded"))
    queue = review(stage)
    queue.hold(603)
    queue.undo()
    queue.hold(604)
    queue.approve(604)
    assert counts(push(stage, snapshot.target)) == {"created": 2}


# What a person lets go.


def test_an_approval_waives_what_it_saw_until_a_judged_value_moves(
    bench: Bench, wrong: Stage
) -> None:
    rate(wrong, (604, "metacritic", 7.3))
    assert kept_back(plan(wrong, bench), 604) == {"metacritic"}
    review(wrong).approve(604)
    assert counts(push(wrong, bench.target, ids=[604])) == {"created": 1}
    assert points(bench, 604)["metacritic"] == 7.3
    rate(wrong, (604, "metacritic", 6.1), provider="table")
    assert kept_back(plan(wrong, bench), 604) == {"metacritic"}


OFF_THEIR_SCALES = [
    *(("letterboxd", 7.2), ("imdb", 10.1), ("tmdb", 85.0), ("metacritic", 101.0)),
    *(("rotten_tomatoes", -1.0), ("imdb", float("inf")), ("letterboxd", float("nan"))),
]


@pytest.mark.parametrize(
    ("system", "value", "only"),
    [*((*pair, False) for pair in OFF_THEIR_SCALES), (*OFF_THEIR_SCALES[0], True)],
)
def test_no_approval_sends_a_value_that_is_not_on_its_systems_scale(
    snapshot: SnapshotBench, tmp_path: Path, system: str, value: float, only: bool
) -> None:
    stage = staged(tmp_path / "s", payload())
    rate(stage, (603, system, value), provider="table")
    queue = review(stage)
    assert queue.item(603).findings["rule"].to_list()[:1] == ["outside_scale"]
    queue.approve(603)
    if only:
        snapshot.plant(movie())
    scope = {"scope": ONLY_RATINGS} if only else {}
    for approved in (False, True):
        assert kept_back(plan(stage, snapshot, approved=approved, **scope), 603) == {system}
    push(stage, snapshot.target, approved=True, **scope)
    assert points(snapshot).get(system) != value


def test_an_approval_waives_nothing_that_came_after_it(
    snapshot: SnapshotBench, wrong: Stage
) -> None:
    review(wrong).approve(604)
    rate(wrong, (604, "letterboxd", 9.0))
    assert kept_back(plan(wrong, snapshot), 604) == {"letterboxd"}


def test_only_what_was_approved_and_is_as_it_was_goes_with_approved(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", *(payload(n, title=f"Movie {n}") for n in (1, 2, 3, 4)))
    queue = review(stage)
    queue.approve(1)
    queue.approve(2)
    queue.hold(3)
    staged(tmp_path / "s", payload(2, title="Another"), at=LATER)
    result = push(stage, bench.target, approved=True)
    assert counts(result) == {"created": 1, "withheld": 1}
    assert outcome(result, 2) == (
        "withheld",
        "changed since it was approved: title: Movie 2 → Another",
    )
    assert [row["tmdb_id"] for row in bench.table("movies")] == [1]


def test_of_the_ids_that_are_named_only_the_approved_go(
    snapshot: SnapshotBench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(1), payload(2), payload(3))
    queue = review(stage)
    queue.approve(1)
    queue.approve(2)
    assert counts(push(stage, snapshot.target, ids=[2, 3], approved=True)) == {"created": 1}
    stage.drop([1])  # what was approved and is no longer there is no failure
    assert counts(push(stage, snapshot.target, approved=True)) == {"unchanged": 1}


def test_nothing_is_approved_where_nobody_said_so(snapshot: SnapshotBench, wrong: Stage) -> None:
    assert counts(push(wrong, snapshot.target, approved=True)) == {}
    assert snapshot.table("movies") == []


@pytest.mark.parametrize("beside", [{"approved": True}, {"ids": [603]}, {"limit": 1}])
def test_a_plan_is_sent_as_it_is_or_not_at_all(
    snapshot: SnapshotBench, wrong: Stage, beside: dict[str, Any]
) -> None:
    made = plan(wrong, snapshot)
    with pytest.raises(UsageError, match="a plan is sent exactly as it is"):
        push(wrong, snapshot.target, plan=made, **beside)
    assert snapshot.table("movies") == []


# What a person sets.


def test_a_value_set_by_hand_wins_over_any_provider_survives_a_refresh_and_reaches_the_target(
    bench: Bench, wrong: Stage
) -> None:
    correct(wrong, "imdb", 7.4, 603)
    correct(wrong, "title", "Matrix", 603)
    assert counts(push(wrong, bench.target)) == {"created": 2}
    rate(wrong, (603, "imdb", 7.9), provider="table")
    staged(wrong.store.root.folder, payload(603, tagline="New"), at=FETCHED + timedelta(days=1))
    push(wrong, bench.target)
    there = bench.movie()
    assert (there["title"], there["tagline"], points(bench)["imdb"]) == ("Matrix", "New", 7.4)


def test_a_value_set_by_hand_goes_by_itself_whatever_the_rules_say_of_it(
    snapshot: SnapshotBench, wrong: Stage
) -> None:
    correct(wrong, "metacritic", 7.3, 604)
    assert "scale_mix_up" in review(wrong).item(604).findings["rule"].to_list()
    assert kept_back(plan(wrong, snapshot), 604) == set()


def test_a_rating_taken_away_is_not_sent_and_what_the_target_has_is_kept(
    bench: Bench, wrong: Stage
) -> None:
    correct(wrong, "imdb", None, 603)
    assert counts(push(wrong, bench.target)) == {"created": 2}
    assert points(bench) == {"metacritic": 73.0, "tmdb": 8.2}
    bench.change(vote_pts_system={**bench.movie()["vote_pts_system"], "imdb": 8.7})
    push(wrong, bench.target)
    assert points(bench)["imdb"] == 8.7


def test_a_movie_whose_only_rating_was_taken_away_goes_without_ratings(
    snapshot: SnapshotBench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(603))
    correct(stage, "tmdb", None, 603)
    assert counts(push(stage, snapshot.target)) == {"created": 1}
    assert points(snapshot) == {}


def test_an_undo_of_a_push_takes_back_what_was_sent_and_not_what_was_withheld(
    bench: Bench, wrong: Stage
) -> None:
    there = movie()
    there["vote_pts_system"]["imdb"] = 8.7
    bench.plant(there)
    push(wrong, bench.target)
    back = workflows.undo(wrong, bench.target)
    assert counts(push(wrong, bench.target, plan=back, at=LATER))["updated"] == 1
    assert points(bench) == {"imdb": 8.7, "tmdb": 8.2}
    assert [row["tmdb_id"] for row in bench.table("movies")] == [603]


def test_a_rating_that_is_not_sent_is_not_the_reason_of_what_becomes_of_its_movie(
    bench: Bench, wrong: Stage
) -> None:
    drawn = repr(push(wrong, bench.target)).splitlines()
    told = [line for line in drawn if "The points are not on" in line]
    assert told
    assert all(line.startswith("withheld: ") for line in told)


def test_a_movie_that_someone_changed_meanwhile_is_a_conflict_whatever_of_it_is_withheld(
    bench: Bench, wrong: Stage
) -> None:
    bench.plant(movie(tagline="Old"))
    made = plan(wrong, bench)
    bench.change(tagline="Edited by hand")
    drawn = repr(push(wrong, bench.target, plan=made)).splitlines()
    assert "conflict: The Matrix: changed by someone else since: tagline" in drawn


# Rated, and not staged.


def test_of_staged_movies_a_push_withholds_what_check_finds_whatever_else_was_rated(
    tmp_path: Path,
) -> None:
    stage = staged(tmp_path / "s", *map(payload, range(1, 31)))
    is_doubled = (pl.col("system") == "letterboxd") & (pl.col("tmdb_id") > 30)
    points = pl.when(is_doubled).then(pl.col("points") * 2).otherwise("points")
    rated = twin(90, seed=3).filter(pl.col("system") != "tmdb").with_columns(points=points)
    stage.store.add_ratings(rated)
    withheld = errors_of(stage).filter(pl.col("tmdb_id") <= 30)
    found = workflows.check(stage, now=NOW).findings.filter(severity="error")
    which = ["tmdb_id", "system", "rule"]
    assert withheld.select(which).sort(which).equals(found.select(which).sort(which))


def test_rated_movies_that_are_not_staged_go_where_only_ratings_are_meant(
    bench: Bench, tmp_path: Path
) -> None:
    stage = staged(tmp_path / "s", payload(604, title="Reloaded", vote_count=0))
    rate(stage, (603, "imdb", 8.7), (604, "imdb", 7.2), (605, "imdb", 5.0))
    bench.plant(movie(603), movie(604, title="Reloaded"))
    assert counts(push(stage, bench.target)) == {"updated": 1}
    result = push(stage, bench.target, scope=ONLY_RATINGS)
    assert counts(result) == {"updated": 1, "unchanged": 1, "withheld": 1}
    assert outcome(result, 605)[1] == "the target does not have it, and --only creates nothing"
    assert points(bench) == {"imdb": 8.7, "tmdb": 8.2}
    assert bench.movie()["title"] == "The Matrix"


def test_the_same_rules_hold_for_them(snapshot: SnapshotBench, tmp_path: Path) -> None:
    stage = staged(tmp_path / "s", payload(604, title="Reloaded"))
    rate(stage, (603, "imdb", 87.0), (603, "letterboxd", 4.1), (604, "imdb", 7.2))
    snapshot.plant(movie(603), movie(604, title="Reloaded"))
    review(stage).hold(604)
    stage.drop([604])
    result = push(stage, snapshot.target, scope=ONLY_RATINGS)
    assert counts(result) == {"updated": 1, "withheld": 2}
    assert points(snapshot) == {"letterboxd": 4.1, "tmdb": 8.2}
    assert points(snapshot, 604) == {"tmdb": 8.2}


# Planning ahead.


def nobody() -> None:
    """Is told of Ctrl-C."""


def test_items_come_in_order_each_made_while_the_one_before_it_is_used() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1, 5):
            made.append(number)
            yield number

    coming = prefetch(items(), nobody)
    assert next(coming) == 1
    assert [1, *coming] == [1, 2, 3, 4]
    assert made == [1, 2, 3, 4]


def test_no_more_than_one_item_is_made_ahead() -> None:
    left = iter(range(100))
    coming = prefetch(left, nobody)
    assert next(coming) == 0
    coming.close()
    assert next(left) == 2


def test_an_error_in_the_making_is_raised_where_its_item_was_awaited() -> None:
    coming = prefetch((10 // number for number in (5, 2, 0)), nobody)
    assert [next(coming), next(coming)] == [2, 5]
    with pytest.raises(ZeroDivisionError):
        next(coming)


def test_a_ctrl_c_that_strikes_where_the_next_is_made_is_passed_on() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    told: list[str] = []
    coming = prefetch(items(), lambda: told.append("pressed"))
    with pytest.raises(KeyboardInterrupt):
        list(coming)
    assert told == ["pressed"]


def test_who_ends_the_wait_for_an_item_ends_the_waits_of_what_makes_it() -> None:
    pressed = threading.Event()

    def items() -> Iterator[int]:
        assert pressed.wait(5)
        yield 1

    def stop(_: str) -> None:
        raise Interrupted("stopped")

    with pytest.raises(Interrupted):
        next(prefetch(items(), pressed.set, stop))
    assert pressed.is_set()
