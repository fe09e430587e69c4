"""A sample of what no rule finds anything about, and what it says of the rest."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import pytest

from tests.notebook.conftest import WHOLE, opened
from tests.stage.conftest import T0, answers, payload
from tmdbkit.exceptions import UsageError
from tmdbkit.review import ReviewQueue
from tmdbkit.review.sample import at_most

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.once

CLEAN = range(1, 21)


@pytest.fixture
def queue(tmp_path: Path) -> ReviewQueue:
    """Twenty films without a finding, and one without a runtime."""
    stage = opened(tmp_path / "s")
    films = [(n, payload(n, **{**WHOLE, "vote_average": 5 + n / 8}), T0) for n in CLEAN]
    stage.store.add(answers(*films, (99, payload(99, **{**WHOLE, "runtime": 0}), T0)))
    return ReviewQueue(stage, by="Ann")


@pytest.mark.parametrize(
    ("wrong", "count", "share"),
    [  # of tables of Clopper and Pearson's one-sided 95 % limits
        (0, 200, 0.014867),
        (0, 1, 0.95),
        (0, 59, 0.049506),
        (1, 2, 0.974679),
        (1, 100, 0.046560),
        (10, 10, 1.0),
        (3, 3, 1.0),
    ],
)
def test_the_limit_is_the_exact_one(wrong: int, count: int, share: float) -> None:
    assert at_most(wrong, count) == pytest.approx(share, abs=2e-6)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 400])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_at_the_limit_so_few_wrong_ones_are_just_no_surprise(count: int, confidence: float) -> None:
    for wrong in {0, count // 3, count - 1}:
        share = at_most(wrong, count, confidence)
        tail = sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(wrong + 1))
        assert tail == pytest.approx(1 - confidence, rel=1e-6)


def test_more_wrong_ones_or_fewer_looked_at_say_less() -> None:
    limits = [at_most(0, 200), at_most(1, 200), at_most(1, 100), at_most(50, 100)]
    assert limits == sorted(limits)


def test_it_is_of_films_without_a_finding_that_nobody_decided_on(queue: ReviewQueue) -> None:
    queue.approve(1)
    assert sorted(queue.sample(200).ids) == list(CLEAN)[1:]
    assert len(queue.sample(5).ids) == 5


def test_the_same_seed_draws_the_same_and_another_draws_others(queue: ReviewQueue) -> None:
    assert queue.sample(5, 1).ids == queue.sample(5, 1).ids
    assert queue.sample(5, 1).ids != queue.sample(5, 2).ids


def test_what_is_held_rejected_or_corrected_in_it_is_wrong(queue: ReviewQueue) -> None:
    queue.sample(10, seed=1)
    one, two, three, four = queue.ids[:4]
    assert queue.estimate() == "nothing of the sample was decided on"
    queue.hold(one)
    queue.reject(two)
    queue.correct("runtime_minutes", 95, three)
    queue.approve(three)
    queue.approve(four)
    queue.approve(99)  # not of the sample
    assert queue.estimate() == "3 of 4 wrong: at most 98.8 % wrong, with 95 % confidence"
    queue.undo(one)
    assert queue.estimate() == "2 of 3 wrong: at most 98.4 % wrong, with 95 % confidence"


def test_what_was_set_before_it_was_drawn_is_not_wrong_for_that(queue: ReviewQueue) -> None:
    queue.correct("runtime_minutes", 95, 1)
    queue.sample(20)
    queue.approve(1)
    assert queue.estimate().startswith("0 of 1 wrong")


@pytest.mark.parametrize("n", [0, -1])
def test_a_sample_of_less_than_one_is_one_line(queue: ReviewQueue, n: int) -> None:
    with pytest.raises(UsageError, match=f"no sample of {n}; 20 movies without a finding"):
        queue.sample(n)


@pytest.mark.parametrize(
    "verb",
    [
        ReviewQueue.reload,
        lambda queue: queue.decide_all("hold", rule="runtime_missing"),
        lambda queue: queue.approve(queue.ids[0]),
        lambda queue: queue.open(queue.ids[3]),
    ],
    ids=["reload", "decide_all", "approve", "open"],
)
def test_a_sample_stays_in_view_until_others_are_shown(
    queue: ReviewQueue, verb: Callable[[ReviewQueue], object]
) -> None:
    drawn = queue.sample(5, seed=1).ids
    verb(queue)
    assert queue.ids == drawn
    queue.reload()
    assert queue.ids == drawn
    assert len(queue.show(state="all").ids) == 21
    queue.reload()
    assert len(queue.ids) == 21
