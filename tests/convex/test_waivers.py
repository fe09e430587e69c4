"""What people let go: errors that an approval saw, a column by a waiver of its own, corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.stage.conftest import correct
from tmdbkit.exceptions import UsageError
from tmdbkit.stage.decisions import decision, field_named

from .bench import NOW, payload, push, staged
from .test_withheld import OFF_THEIR_SCALES, kept_back, plan, points, rate, review

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tmdbkit import Stage
    from tmdbkit.review import ReviewQueue

    from .bench import SnapshotBench

pytestmark = pytest.mark.once

IDS = range(1, 13)


def in_plan(stage: Stage, bench: SnapshotBench, system: str) -> list[float]:
    """The points of a system that a plan would send."""
    sent = [change.set["vote_pts_system"][system] for change in plan(stage, bench).changes]
    return [value for value in sent if value is not None]


@pytest.fixture
def mixed_up(tmp_path: Path) -> Stage:
    """A film with Metacritic's points out of 10."""
    stage = staged(tmp_path / "s", payload(603))
    rate(stage, (603, "imdb", 8.7), (603, "letterboxd", 4.2), (603, "metacritic", 7.3))
    return stage


@pytest.fixture
def same(tmp_path: Path) -> Stage:
    """Twelve films to all of which a provider gives the same points of IMDb."""
    films = (payload(n, title=f"Movie {n}", vote_average=5 + n / 4) for n in IDS)
    stage = staged(tmp_path / "s", *films)
    rate(stage, *((n, "imdb", 7.0) for n in IDS))
    return stage


# Said.


def test_what_an_approval_waives_is_said_at_that_moment_and_in_the_plan(
    mixed_up: Stage, snapshot: SnapshotBench
) -> None:
    queue = review(mixed_up)
    assert not any("waived" in note for note in plan(mixed_up, snapshot).notes)
    queue.approve(603)
    assert queue.said == "waived 1: Metacritic 7.3 of 100, by ann"
    made = plan(mixed_up, snapshot)
    assert "waived 1: Metacritic 7.3 of 100 (603), by ann" in made.notes
    assert "note: waived 1: Metacritic 7.3 of 100 (603), by ann" in repr(made)


def test_nothing_is_said_of_what_does_not_go(mixed_up: Stage, snapshot: SnapshotBench) -> None:
    review(mixed_up).approve(603)
    push(mixed_up, snapshot.target)
    assert plan(mixed_up, snapshot).notes == ()
    assert plan(mixed_up, snapshot, ids=[604]).notes == ()


@pytest.mark.parametrize("verb", ["hold", "reject"])
def test_a_decision_that_keeps_back_waives_nothing(mixed_up: Stage, verb: str) -> None:
    queue = review(mixed_up)
    getattr(queue, verb)(603)
    assert queue.said == ""


def test_a_waiver_that_is_taken_back_is_said_no_more(
    mixed_up: Stage, snapshot: SnapshotBench
) -> None:
    queue = review(mixed_up)
    queue.approve(603)
    queue.undo()
    assert queue.said == ""
    assert kept_back(plan(mixed_up, snapshot), 603) == {"metacritic"}


def test_many_waivers_of_one_person_are_one_line(tmp_path: Path, snapshot: SnapshotBench) -> None:
    stage = staged(tmp_path / "s", *(payload(n, title=f"Movie {n}") for n in range(1, 6)))
    for n in range(1, 6):
        rate(
            stage, (n, "imdb", 7 + n / 10), (n, "letterboxd", 4.0), (n, "metacritic", 7.0 + n / 10)
        )
    queue = review(stage)
    batch = queue.batch("approve")
    queue.decide_all("approve")
    (told,) = [note for note in plan(stage, snapshot).notes if note.startswith("waived")]
    assert told.startswith(f"waived {batch.waived}: Metacritic 7")
    assert told.endswith(f", {batch.waived - 3} more, by ann")
    assert f"waives {batch.waived} errors" in batch.lines()


# A whole column.


def test_no_approval_waives_the_error_of_a_whole_column(
    same: Stage, snapshot: SnapshotBench
) -> None:
    queue = review(same)
    queue.approve(1)
    assert queue.said == "kept back 1: IMDb 7 of 10: same_everywhere has a waiver of its own"
    queue.decide_all("approve")
    assert in_plan(same, snapshot, "imdb") == []


def test_a_waiver_of_its_own_lets_a_column_go_and_can_be_taken_back(
    same: Stage, snapshot: SnapshotBench
) -> None:
    queue = review(same)
    waived = queue.waive("same_everywhere", "imdb", note="a table of ours")
    assert waived.lines()[0] == "waive 12 ratings: same_everywhere of the whole column IMDb"
    assert queue.said == "waived 12 of a whole column: same_everywhere of IMDb, by ann"
    assert in_plan(same, snapshot, "imdb") == [7.0] * 12
    assert queue.said in plan(same, snapshot).notes
    assert review(same).undo()
    assert in_plan(same, snapshot, "imdb") == []


def test_a_waiver_is_asked_with_the_count_and_nothing_is_waived_where_that_is_refused(
    same: Stage,
) -> None:
    assert not review(same).waive("same_everywhere", "imdb", confirm=lambda batch: len(batch) != 12)
    assert same.decisions().is_empty()


@pytest.mark.parametrize(
    ("rule", "system", "says"),
    [
        ("same_everywhere", "tmdb", "same_everywhere keeps back no whole column of TMDB"),
        ("outside_scale", "imdb", "outside_scale keeps back no whole column of IMDb"),
        ("nonsense", "imdb", "nonsense keeps back no whole column of IMDb"),
        ("same_everywhere", "IMDb", "no system 'IMDb'; there are imdb"),
    ],
)
def test_what_keeps_back_no_column_cannot_be_waived(
    same: Stage, rule: str, system: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        review(same).waive(rule, system)


def test_what_is_waived_already_is_not_waived_again(same: Stage) -> None:
    review(same).waive("same_everywhere", "imdb")
    with pytest.raises(UsageError, match="keeps back no whole column"):
        review(same).waive("same_everywhere", "imdb")


def test_a_waiver_of_one_rule_and_system_is_of_no_other(
    same: Stage, snapshot: SnapshotBench
) -> None:
    rate(same, *((n, "letterboxd", 4.0) for n in IDS))
    review(same).waive("same_everywhere", "imdb")
    assert in_plan(same, snapshot, "letterboxd") == []


# Corrections.


def test_a_correction_within_its_scale_goes_also_where_its_column_is_in_error(
    same: Stage, snapshot: SnapshotBench
) -> None:
    correct(same, "imdb", 7.3, 1)
    assert in_plan(same, snapshot, "imdb") == [7.3]


def test_corrections_to_one_value_are_no_column_that_keeps_itself_back(
    same: Stage, snapshot: SnapshotBench
) -> None:
    for n in IDS:
        correct(same, "imdb", 6.5, n)
    assert in_plan(same, snapshot, "imdb") == [6.5] * 12


def test_who_corrects_the_votes_alone_has_not_said_that_the_points_are_right(
    mixed_up: Stage, snapshot: SnapshotBench
) -> None:
    correct(mixed_up, "metacritic_votes", 40, 603)
    assert kept_back(plan(mixed_up, snapshot), 603) == {"metacritic"}


# A value that is outside its scale.


def approved(queue: ReviewQueue, _: str) -> None:
    queue.approve(603)


def approved_with_all(queue: ReviewQueue, _: str) -> None:
    queue.decide_all("approve", state="all")


def waived(queue: ReviewQueue, system: str) -> None:
    for rule in ("outside_scale", "column_scale", "same_everywhere", "votes_scale"):
        with pytest.raises(UsageError, match="keeps back no whole column"):
            queue.waive(rule, system)
    by_another_program = [
        decision(
            tmdb_id, "waive", name=f"{rule}{tmdb_id}", by="x", at=NOW, field=f"{rule}:{system}"
        )
        for rule in ("outside_scale", "column_scale")
        for tmdb_id in (0, 603)
    ]
    for made in by_another_program:
        queue.stage.store.add_decisions(made)


def corrected_in_its_votes(queue: ReviewQueue, system: str) -> None:
    queue.correct(f"{system}_votes", 40, 603)
    queue.approve(603)


def corrected(queue: ReviewQueue, system: str) -> None:
    with pytest.raises(UsageError):
        queue.correct(system, queue.item(603).value(system), 603)


def corrected_by_another_program(queue: ReviewQueue, system: str) -> None:
    field, value = field_named(system), queue.item(603).value(system)
    made = decision(603, "override", name="x", by="x", at=NOW, field=field, value=value)
    queue.stage.store.add_decisions(made)


WAYS = (approved, approved_with_all, waived, corrected, corrected_in_its_votes)


@pytest.mark.filterwarnings("ignore::tmdbkit.exceptions.PassedOver")
@pytest.mark.parametrize(
    ("way", "system", "value"),
    [
        *((way, *OFF_THEIR_SCALES[0]) for way in WAYS),
        *((approved, *rating) for rating in OFF_THEIR_SCALES[-2:]),
    ],
)
def test_a_value_outside_its_scale_is_in_no_plan_whatever_is_decided(
    tmp_path: Path,
    snapshot: SnapshotBench,
    way: Callable[[ReviewQueue, str], Any],
    system: str,
    value: float,
) -> None:
    stage = staged(tmp_path / "s", payload())
    rate(stage, (603, system, value), provider="table")
    way(review(stage), system)
    assert in_plan(stage, snapshot, system) == []
    push(stage, snapshot.target)
    assert system not in points(snapshot)


@pytest.mark.filterwarnings("ignore::tmdbkit.exceptions.PassedOver")
@pytest.mark.parametrize(("system", "value"), OFF_THEIR_SCALES)
def test_nor_is_one_that_another_program_set(
    tmp_path: Path, snapshot: SnapshotBench, system: str, value: float
) -> None:
    stage = staged(tmp_path / "s", payload())
    rate(stage, (603, system, value), provider="table")
    corrected_by_another_program(review(stage), system)
    review(stage).approve(603)
    assert in_plan(stage, snapshot, system) == []
