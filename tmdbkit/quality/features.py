"""What rules about ratings look at: one row a rating, beside the others of its movie and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.ratings.aggregate import scale, score, wide
from tmdbkit.ratings.agreement import PRIOR, Model, is_heard
from tmdbkit.ratings.columns import COLUMN, STEPS, describe, faults
from tmdbkit.ratings.model import AUDIENCE
from tmdbkit.schema import INSTANT, SCALES, SYSTEMS

if TYPE_CHECKING:
    from datetime import datetime

# A column is the same everywhere when so many of so many ratings are the same.
SAME_SHARE, SAME_LEAST = 0.8, 6
# How far from the others is too far, in standard deviations: 2 of 100 ratings of the films that the
# model is from lie beyond. Letterboxd lies closer to the other audiences than the model says.
BANDS = {
    "imdb": 2.0,
    "letterboxd": 1.8,
    "metacritic": 2.0,
    "rotten_tomatoes": 1.9,
    "tmdb": 2.0,
}
WITHIN, NORMAL = 0.8, 1.2816  # 80 % of a normal distribution are within so many deviations
WIDTHS = (0.7, 1.6)  # faults and good luck move a system's width no further than this

CLEARLY = 1.25  # how much farther off than the next a rating is that alone is to blame

PER_SYSTEM = ("expected", "deviation", "residual")


def features(ratings: pl.DataFrame, movies: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Return one row a rating, `RATINGS` and what is known of it.

    Returns:
        `title`, `release_date` where the movies have them; `now`; `system_scale`; `score` 0 to 100;
        `step` of its system; of its column `rated, usual, counted, swapped_with, astray`;
        by the other systems `others` (how many there are), `expected` and `deviation` in points of
        100, `residual` in standard deviations, `band` in the same; `audience`, the audience's
        points where the row is the critics'; and `rescaled_from`, `rescaled`: the scale on which
        the points would fit best, and how far they would then lie off.
    """
    columns = describe(ratings)
    same = (pl.col("usual") >= SAME_SHARE) & (pl.col("rated") >= SAME_LEAST)
    trusted = _without(ratings, columns.filter(same))
    bad = faults(trusted)
    expected = _by_the_others(_without(trusted, bad))
    return (
        ratings.join(columns, on=COLUMN, how="left", nulls_equal=True, maintain_order="left")
        .join(bad, on=COLUMN, how="left", nulls_equal=True, maintain_order="left")
        .join(expected, on=["tmdb_id", "system"], how="left", maintain_order="left")
        .join(_audience(ratings), on=["tmdb_id", "system"], how="left", maintain_order="left")
        .join(_facts(movies), on="tmdb_id", how="left", maintain_order="left")
        .with_columns(
            scale().alias("system_scale"),
            score().alias("score"),
            pl.col("system").replace_strict(STEPS, default=None).alias("step"),
            pl.lit(now).cast(INSTANT).alias("now"),
        )
        .with_columns(*_judged(), *_rescaled())
    )


def _without(ratings: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    return ratings.join(columns, on=COLUMN, how="anti", nulls_equal=True, maintain_order="left")


def _audience(ratings: pl.DataFrame) -> pl.DataFrame:
    return (
        ratings.filter(pl.col("system") == AUDIENCE)
        .select(
            "tmdb_id",
            pl.lit("rotten_tomatoes").alias("system"),
            pl.col("points").alias("audience"),
        )
        .unique(["tmdb_id", "system"], keep="first")
    )


def _facts(movies: pl.DataFrame) -> pl.DataFrame:
    known = [name for name in ("title", "release_date") if name in movies.columns]
    return movies.select("tmdb_id", *known).unique("tmdb_id", keep="first")


def _by_the_others(trusted: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, system, others, expected, deviation` of each system by the trusted ratings.

    Nothing is expected of a rating by itself, nor by one of its movie that is clearly the only one
    to blame. The stage's own ratings say where its systems lie, and how wide their residuals are.
    """
    scores = wide(trusted)
    others = [_others(system).alias(f"{system}_others") for system in SYSTEMS]
    scores = scores.with_columns(others)
    model = Model().fitted(scores)
    judged = model.residuals(scores)
    for _ in range(2):  # of five ratings two may be wrong
        judged = _without_the_worst(judged, model)
    return pl.concat(_of_system(judged, system, _width(judged, system)) for system in SYSTEMS)


def _without_the_worst(judged: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Take out each movie's rating that is beyond its band and clearly farther than all others."""
    far = [_far(system) for system in SYSTEMS]
    worst, next_worst = pl.max_horizontal(far), pl.concat_list(far).list.sort().list.get(-2)
    to_blame = (worst > 1) & (worst > CLEARLY * next_worst)
    several = pl.sum_horizontal(_heard()) > 2
    at_odds = judged.filter(several & to_blame)
    heard = at_odds.with_columns(
        pl.when(off != worst).then(f"{system}_score").alias(f"{system}_score")
        for system, off in zip(SYSTEMS, far, strict=True)
    ).drop(f"{system}_{name}" for system in SYSTEMS for name in PER_SYSTEM)
    return pl.concat([judged.filter(~(several & to_blame)), model.residuals(heard)])


def _width(judged: pl.DataFrame, system: str) -> float:
    """Return how wide the stage's residuals of a system are against the model's, drawn to 1."""
    own = judged.filter(pl.col(f"{system}_others") > 0)[f"{system}_residual"].drop_nulls().abs()
    weight = own.len() / (own.len() + PRIOR)
    width = (own.quantile(WITHIN) or 0.0) / NORMAL
    return min(max(1 + weight * (width - 1), WIDTHS[0]), WIDTHS[1])


def _far(system: str) -> pl.Expr:
    return (pl.col(f"{system}_residual").abs() / BANDS[system]).fill_null(0.0)


def _heard() -> list[pl.Expr]:
    return [pl.col(f"{system}_score").is_not_null() & is_heard(system) for system in SYSTEMS]


def _others(system: str) -> pl.Expr:
    return pl.sum_horizontal(
        known for known, name in zip(_heard(), SYSTEMS, strict=True) if name != system
    )


def _of_system(judged: pl.DataFrame, system: str, width: float) -> pl.DataFrame:
    return judged.select(
        "tmdb_id",
        pl.lit(system).alias("system"),
        pl.col(f"{system}_others").alias("others"),
        pl.col(f"{system}_expected").alias("expected"),
        (pl.col(f"{system}_deviation") * width).alias("deviation"),
    )


def _judged() -> list[pl.Expr]:
    residual = (pl.col("score") - pl.col("expected")) / pl.col("deviation")
    band = pl.col("system").replace_strict(BANDS, default=None, return_dtype=pl.Float64)
    return [residual.alias("residual"), band.alias("band")]


def _rescaled() -> list[pl.Expr]:
    """Return the scale on which the points lie nearest to the expected, and how near."""
    scales = sorted(set(SCALES.values()))
    away = [
        pl.when((pl.col("system_scale") != other) & (pl.col("points") <= other)).then(
            ((pl.col("points") * 100 / other - pl.col("expected")) / pl.col("deviation")).abs()
        )
        for other in scales
    ]
    nearest = pl.min_horizontal(away)
    which = pl.coalesce(
        pl.when(off == nearest).then(other) for off, other in zip(away, scales, strict=True)
    )
    return [nearest.alias("rescaled"), which.alias("rescaled_from")]
