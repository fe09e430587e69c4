from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.notebook.conftest import WHOLE, opened
from tests.stage.conftest import T0, answers, payload
from tmdbkit.demo import sample
from tmdbkit.quality import RULES
from tmdbkit.ratings.rows import as_ratings
from tmdbkit.review import ReviewQueue, assessment
from tmdbkit.review.assessment import Assessment, assess, kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tmdbkit import Stage

pytestmark = pytest.mark.once


def same(one: Assessment, other: Assessment) -> None:
    for name in ("table", "findings"):
        frames = (getattr(seen, name) for seen in (one, other))
        assert_frame_equal(*frames, check_row_order=False)


def test_what_was_seen_is_kept_and_the_same(stage: Stage) -> None:
    seen = assess(stage)
    known = kept(stage)
    assert known is not None
    same(known[0], seen)
    assert known[1] == set()


def _fetch(stage: Stage) -> None:
    stage.store.add(answers((4, payload(4, "Delta", **WHOLE), T0)))


def _rate(stage: Stage) -> None:
    row = {"tmdb_id": 1, "system": "imdb", "points": 7.0, "votes": 900, "fetched_at": T0}
    stage.store.add_ratings(as_ratings(pl.DataFrame([row]), "table"))


def _tomorrow(stage: Stage) -> None:
    stage.store.now = lambda: T0 + timedelta(days=1)


@pytest.mark.parametrize("change", [_fetch, _rate, _tomorrow])
def test_other_movies_ratings_or_days_are_looked_at_anew(
    change: Callable[[Stage], None], stage: Stage
) -> None:
    assess(stage)
    change(stage)
    assert kept(stage) is None
    same(assess(stage), assessment.of_some(stage, None))


def test_other_rules_find_other_things(stage: Stage) -> None:
    assess(stage)
    assert assess(stage, RULES[:3]).findings.is_empty()


def test_a_value_that_a_person_set_is_judged_anew_and_the_rest_is_kept(stage: Stage) -> None:
    assess(stage)
    ReviewQueue(stage).correct("runtime_minutes", 95, 3)
    known = kept(stage)
    assert known is not None
    assert known[1] == {3}
    same(assess(stage), assessment.of_some(stage, None))
    again = kept(stage)
    assert again is not None
    assert again[1] == set()


def test_decisions_alone_change_nothing_that_is_kept(stage: Stage) -> None:
    queue = ReviewQueue(stage)
    queue.approve()
    queue.hold()
    known = kept(stage)
    assert known is not None
    assert known[1] == set()


def test_a_damaged_file_is_made_again(stage: Stage) -> None:
    assess(stage)
    path = stage.store.root.folder / "assessed" / "findings.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\0" * 40 + whole[44:])
    same(assess(stage), assessment.of_some(stage, None))


def test_a_file_that_is_cut_is_made_again(stage: Stage) -> None:
    assess(stage)
    path = stage.store.root.folder / "assessed" / "table.parquet"
    path.write_bytes(path.read_bytes()[:100])
    same(assess(stage), assessment.of_some(stage, None))


def test_where_nothing_can_be_kept_all_is_looked_at_each_time(stage: Stage) -> None:
    shutil.rmtree(stage.store.root.folder / "assessed")
    (stage.store.root.folder / "assessed").write_text("in the way")
    same(assess(stage), assessment.of_some(stage, None))
    assert kept(stage) is None


def test_a_correction_calls_forth_no_fault_of_a_column_that_the_whole_stage_has_not(
    tmp_path: Path,
) -> None:
    neighbours, all_of_them = range(1, 551), range(1, 901)
    stage = opened(tmp_path / "s")
    stage.store.add(answers(*((n, payload(n), T0) for n in all_of_them)))
    points = {n: 7.0 if n in neighbours else 4 + n % 50 / 10 for n in all_of_them}
    rows = [
        {"tmdb_id": n, "system": "imdb", "points": p, "votes": 900 + n, "fetched_at": T0}
        for n, p in points.items()
    ]
    stage.store.add_ratings(as_ratings(pl.DataFrame(rows), "table"))
    queue = ReviewQueue(stage, by="ann")
    assert "same_everywhere" not in queue.rules
    queue.correct("runtime_minutes", 95, 10)
    assert queue.item(10).findings.filter(pl.col("system").is_not_null()).is_empty()


def test_a_correction_leaves_what_a_movie_shares_with_a_distant_one(tmp_path: Path) -> None:
    stage = opened(tmp_path / "s")
    titles = {n: "The Same" if n in (1, 900) else f"Movie {n}" for n in range(1, 901)}
    stage.store.add(answers(*((n, payload(n, title), T0) for n, title in titles.items())))
    queue = ReviewQueue(stage, by="ann")
    queue.correct("runtime_minutes", 95, 1)
    assert "slug_repeated" in queue.item(1).findings["rule"].to_list()


def test_a_queue_says_in_a_line_how_far_it_is() -> None:
    queue = ReviewQueue(sample(), by="Ann")
    queue.approve()
    assert repr(queue) == "ReviewQueue(96 shown, 1 of 96 movies decided)"
