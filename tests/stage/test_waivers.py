"""Waivers: the fault of a column, whichever, is let go by its own waiver and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.benchmarks.planted import constant, on_scale, shifted, swapped, with_votes
from tests.quality.test_quality import rated
from tests.ratings.drawn import twin
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.decisions import decision, judged
from tmdbkit.stage.tables import DECISIONS
from tmdbkit.stage.waivers import not_waived, with_waivers

from .conftest import T0

if TYPE_CHECKING:
    from typing import Any

pytestmark = pytest.mark.once

WHOLE = {
    "column_scale": on_scale(twin(80, seed=1), "tmdb", 5.0, None),
    "same_everywhere": constant(twin(80, seed=1), "letterboxd"),
    "swapped_systems": swapped(twin(200, seed=5), "imdb", "rotten_tomatoes"),
    "other_movies": shifted(twin(200, seed=4), "imdb"),
    "votes_scale": with_votes(twin(200, seed=6), "imdb", 0.001, None),
}
SINGLE = {
    "scale_mix_up": on_scale(twin(200, seed=6), "metacritic", 10.0, range(1, 6)),
    "votes_scale": with_votes(twin(200, seed=6), "imdb", 0.001, [1]),
}


def table_of(ratings: pl.DataFrame) -> pl.DataFrame:
    """A flat row for each movie that is rated."""
    points = ratings.pivot("system", index="tmdb_id", values="points", aggregate_function="first")
    columns = [
        (pl.col(s) if s in points.columns else pl.lit(None, pl.Float64)).alias(f"{s}_points")
        for s in SYSTEMS
    ]
    texts = [pl.lit("").alias(name) for name in ("title", "release_date", "imdb_id")]
    return points.select("tmdb_id", *texts, pl.lit(0).alias("runtime_minutes"), *columns)


def approvals(table: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """A log in which somebody approved all movies, and saw all that is found."""
    saw: dict[int, list[str]] = {}
    for tmdb_id, rule, system in (
        found.drop_nulls("system").select("tmdb_id", "rule", "system").rows()
    ):
        saw.setdefault(tmdb_id, []).append(f"{rule}:{system}")
    rows = [
        decision(n, "approve", name=f"{n}", by="ann", at=T0, judged=text, waived=saw.get(n))
        for n, text in table.select("tmdb_id", judged()).rows()
    ]
    return pl.concat([DECISIONS.to_frame(), *rows])


def errors(found: pl.DataFrame, rule: str) -> int:
    return found.filter(rule=rule).height


@pytest.mark.parametrize("rule", WHOLE)
def test_no_approval_of_films_lets_a_column_s_fault_go_and_its_own_waiver_does(rule: str) -> None:
    ratings = WHOLE[rule].ratings
    found, table = rated(ratings), table_of(ratings)
    of_column = found.filter(rule=rule, of_column=True)
    assert of_column.height > 20
    log = approvals(table, found)
    assert errors(not_waived(found, table, log).filter("of_column"), rule) == of_column.height
    for system in of_column["system"].unique():
        field = f"{rule}:{system}"
        waiver = decision(0, "waive", name=field, by="ben", at=T0, field=field)
        log = pl.concat([log, waiver])
    judged_again = with_waivers(found, table, log).filter("of_column", rule=rule)
    assert judged_again["let_go"].all()
    assert judged_again["waived_by"].unique().to_list() == ["ben"]


@pytest.mark.parametrize("rule", SINGLE)
def test_an_approval_lets_a_fault_of_one_rating_go_and_a_waiver_of_the_column_does_not(
    rule: str,
) -> None:
    ratings = SINGLE[rule].ratings
    found, table = rated(ratings), table_of(ratings)
    wrong = found.filter(rule=rule)
    assert 0 < wrong.height < 10
    assert not wrong["of_column"].any()
    assert errors(not_waived(found, table, approvals(table, found)), rule) == 0
    system = wrong["system"][0]
    waiver = decision(0, "waive", name="w", by="ben", at=T0, field=f"{rule}:{system}")
    assert errors(not_waived(found, table, waiver), rule) == wrong.height


@pytest.mark.parametrize(
    ("part", "value"), [("vote_pts_system", 7.0), ("vote_count_system", 90_000)]
)
def test_whoever_sets_the_votes_or_the_points_lets_the_votes_go(part: str, value: Any) -> None:
    ratings = SINGLE["votes_scale"].ratings
    found, table = rated(ratings), table_of(ratings)
    made = decision(1, "override", name="o", by="ann", at=T0, field=f"{part}.imdb", value=value)
    left = not_waived(found, table, made).filter(rule="votes_scale", tmdb_id=1)
    assert left.is_empty()
