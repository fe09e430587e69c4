"""What is wrong with a whole column of ratings: one system's, as one provider gave them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from tmdbkit.ratings.aggregate import is_rated, wide
from tmdbkit.ratings.agreement import POINTS, VOTES
from tmdbkit.ratings.misaligned import misaligned
from tmdbkit.ratings.model import AUDIENCE
from tmdbkit.ratings.scales import Column, Gain, is_whole, put_on_scale, without_others
from tmdbkit.ratings.swaps import exchanged, impossible, swaps
from tmdbkit.schema import SYSTEMS

COLUMN = ["system", "provider"]
COLUMNS = pl.Schema(
    {
        "system": pl.String(),
        "provider": pl.String(),
        "rated": pl.UInt32(),
        "usual": pl.Float64(),
        "counted": pl.Float64(),
        "fault": pl.String(),
        "fits": pl.String(),
        "column_scale": pl.Float64(),
        "column_scale_share": pl.Float64(),
        "column_factor": pl.Float64(),
        "column_factor_share": pl.Float64(),
        "score_level": pl.Float64(),
        "score_width": pl.Float64(),
        "count_level": pl.Float64(),
        "count_width": pl.Float64(),
        "audience": pl.Boolean(),
    }
)

ENOUGH = 1_000  # ratings of a column that tell of all of it
FEW = 3  # movies with two systems or more; of fewer, none tells anything of a whole column
WITNESSED = pl.sum_horizontal(pl.col(f"{s}_raw").is_not_null() for s in SYSTEMS) > 1
# A column is the same everywhere when so many of so many ratings are the same.
SAME_SHARE, SAME_LEAST = 0.8, 6
# The share of films that critics and audience give the same points, and the standard errors by
# which it must be more to be none of chance.
BY_CHANCE, ERRORS = 0.03, 4.0


def explain(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return `COLUMNS`: of each column, the one explanation that fits best.

    `fault` is null where it is right, or where it cannot be said; `same`, one value everywhere;
    `scale`, on another, `column_scale`; `swapped`, another system's, `fits`; `votes`, times 10 to
    the power of `column_factor`; `others`, of other movies; `one_of_two`, it or another of the
    columns that contradict each other. A part of a column may have another scale or factor:
    `column_scale_share`, `column_factor_share`.

    Args:
        ratings: Preferred ones.
    """
    columns = _described(ratings)
    faults: dict[Column, tuple[str, str | None]] = dict.fromkeys(_same(columns), ("same", None))
    some = _enough(ratings)
    table = wide(_without(some, faults))
    scales, factors = list[Gain](), list[Gain]()
    if table.filter(WITNESSED).height >= FEW:
        beside, scales, factors = _beside_each_other(table)
        faults = beside | faults
    wrong = [column for column, (fault, _) in faults.items() if fault != "one_of_two"]
    right = wide(_without(some, wrong)) if wrong else table
    found = [(*column, *fault) for column, fault in faults.items()]
    told = pl.DataFrame(found, {n: COLUMNS[n] for n in (*COLUMN, "fault", "fits")}, orient="row")
    shares = (_shares(scales, "column_scale"), _shares(factors, "column_factor"))
    for more in (told, *shares, _audience_for_critics(ratings)):
        columns = columns.join(more, on=COLUMN, how="left", nulls_equal=True, maintain_order="left")
    for model, gains in ((POINTS, scales), (VOTES, factors)):
        right = without_others(right, model, gains)
    columns = columns.join(_levels(right), on="system", how="left", maintain_order="left")
    return columns.select(pl.col(name).cast(dtype) for name, dtype in COLUMNS.items())


def _beside_each_other(
    table: pl.DataFrame,
) -> tuple[dict[Column, tuple[str, str | None]], list[Gain], list[Gain]]:
    """Return what is wrong with columns by what the others say, scales first, and their shares."""
    faults: dict[Column, tuple[str, str | None]] = {}
    for swap in impossible(table):
        table = exchanged(table, swap)
        faults |= {swap.one: ("swapped", swap.other[0]), swap.other: ("swapped", swap.one[0])}
    scales, table = put_on_scale(table, POINTS)
    faults |= {g.column: ("scale", None) for g in scales if is_whole(g)}
    for swap in swaps(table):
        table = exchanged(table, swap)
        faults |= {swap.one: ("swapped", swap.other[0]), swap.other: ("swapped", swap.one[0])}
    factors, table = put_on_scale(table, VOTES)
    for gain in filter(is_whole, factors):
        faults.setdefault(gain.column, ("votes", None))
    for column, fault in misaligned(table).items():
        faults.setdefault(column, (fault, None))
    return faults, scales, factors


def without(ratings: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """Return the ratings but for those of some columns."""
    if columns.is_empty():  # as they mostly are, and the join reads all ratings
        return ratings
    return ratings.join(columns, on=COLUMN, how="anti", nulls_equal=True, maintain_order="left")


def _described(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return one row a column: how many ratings, its commonest points' share, those with votes."""
    points = pl.col("points").filter(is_rated())
    return ratings.group_by(COLUMN, maintain_order=True).agg(
        points.len().alias("rated"),
        (points.value_counts().struct.field("count").max() / points.len()).alias("usual"),
        (pl.col("votes").is_not_null() & pl.col("points").is_not_null())
        .sum()
        .truediv(pl.col("points").is_not_null().sum())
        .alias("counted"),
    )


def _same(columns: pl.DataFrame) -> list[Column]:
    same = (pl.col("usual") >= SAME_SHARE) & (pl.col("rated") >= SAME_LEAST)
    return columns.filter(same).select(COLUMN).rows()


def _without(ratings: pl.DataFrame, columns: Iterable[Column]) -> pl.DataFrame:
    schema = {name: COLUMNS[name] for name in COLUMN}
    return without(ratings, pl.DataFrame([*columns], schema, orient="row"))


def _enough(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return all ratings of so many movies that each column has `ENOUGH`, taken from all over."""
    rated = ratings.filter(is_rated()).select("tmdb_id", *COLUMN)
    columns = rated.partition_by(COLUMN, maintain_order=True)
    ordered = (column["tmdb_id"].sort() for column in columns)
    movies = [ids.gather_every(len(ids) // ENOUGH + 1) for ids in ordered]
    chosen = pl.concat([*movies, ratings["tmdb_id"].clear()]).unique()
    return ratings.filter(pl.col("tmdb_id").is_in(chosen.implode()))


def _levels(table: pl.DataFrame) -> pl.DataFrame:
    """Return the stage's own level and width of each system's points and votes."""
    score, count = POINTS.fitted(table), VOTES.fitted(table)
    rows = [(s, score.level[s], score.width[s], count.level[s], count.width[s]) for s in SYSTEMS]
    names = ("system", "score_level", "score_width", "count_level", "count_width")
    return pl.DataFrame(rows, {name: COLUMNS[name] for name in names}, orient="row")


def _audience_for_critics(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return whether a column has the audience's points far more often than by chance."""
    theirs = ratings.filter(pl.col("system") == AUDIENCE).select("tmdb_id", theirs="points")
    critics = ratings.filter(pl.col("system") == "rotten_tomatoes").filter(is_rated())
    both = critics.join(theirs.unique("tmdb_id"), on="tmdb_id", maintain_order="left")
    equal, chance = (pl.col("points") == pl.col("theirs")).sum(), pl.len() * BY_CHANCE
    surplus = (equal - chance) / (chance * (1 - BY_CHANCE)).sqrt()
    return both.group_by(COLUMN, maintain_order=True).agg(
        ((surplus > ERRORS) & (equal > 1)).alias("audience")
    )


def _shares(gains: list[Gain], name: str) -> pl.DataFrame:
    """Return of each column the other scale or factor that fits most of it, and how much of it."""
    rows = [(*gain.column, gain.other, gain.share) for gain in gains]
    schema = {n: COLUMNS[n] for n in (*COLUMN, name, f"{name}_share")}
    return (
        pl.DataFrame(rows, schema, orient="row")
        .sort(f"{name}_share", descending=True, maintain_order=True)
        .unique(COLUMN, keep="first", maintain_order=True)
    )
