"""The flat table for reading: without what a push withholds, unless all is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.convex.bench import payload, staged
from tests.convex.test_withheld import rate
from tmdbkit.review import ReviewQueue

if TYPE_CHECKING:
    from pathlib import Path

    from tmdbkit import Stage

pytestmark = pytest.mark.once


@pytest.fixture
def wrong(tmp_path: Path) -> Stage:
    """The Matrix, with a Metacritic rating out of 10."""
    stage = staged(tmp_path / "s", payload(603))
    rate(stage, (603, "imdb", 8.4), (603, "metacritic", 7.3), (603, "rotten_tomatoes", 83.0))
    return stage


def metacritic(stage: Stage, *, raw: bool = False) -> float | None:
    points: float | None = stage.table(raw=raw)["metacritic_points"].item()
    return points


def test_what_a_push_withholds_is_null_unless_all_is_asked_for(wrong: Stage) -> None:
    assert metacritic(wrong) is None
    assert metacritic(wrong, raw=True) == 7.3
    assert wrong.table()["imdb_points"].item() == 8.4
    assert wrong.table().columns == wrong.table(raw=True).columns


def test_nothing_that_is_withheld_counts_for_the_consensus(wrong: Stage) -> None:
    with_it = wrong.table(raw=True)["consensus"].item()
    assert with_it == wrong.table()["consensus"].item()
    queue = ReviewQueue(wrong, by="ann")
    queue.correct("metacritic", None, 603)
    assert wrong.table()["consensus"].item() == pytest.approx(with_it, abs=0.01)


def test_what_an_approval_waives_is_there(wrong: Stage) -> None:
    ReviewQueue(wrong, by="ann").approve(603)
    assert metacritic(wrong) == 7.3


def test_what_is_proposed_can_be_set(wrong: Stage) -> None:
    queue = ReviewQueue(wrong, by="ann")
    (found,) = queue.item(603).findings.filter(rule="scale_mix_up").rows(named=True)
    queue.correct(found["proposal_field"], float(found["proposal_value"]), 603)
    assert metacritic(wrong) == 73.0
    assert "scale_mix_up" not in queue.item(603).findings["rule"].to_list()


def test_a_rule_s_sentence_stands_with_its_finding(wrong: Stage) -> None:
    told = [said for _, said in ReviewQueue(wrong, by="ann").item(603).suspicions()]
    of_scale = [said for said in told if said.endswith("(The points are on another scale)")]
    assert [said[:31] for said in of_scale] == ["Metacritic 7.3 of 100: IMDb 8.4"]


def test_findings_of_the_table_are_of_all_ratings(wrong: Stage) -> None:
    for raw in (False, True):
        assert "scale_mix_up" in wrong.table(raw=raw)["findings"].item()
    assert wrong.store.scan_table().select(pl.col("metacritic_points")).collect().item() == 7.3
