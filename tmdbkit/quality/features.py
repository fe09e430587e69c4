"""What rules about ratings look at: one row a rating, beside the others of its movie and column."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.ratings.aggregate import wide
from tmdbkit.ratings.agreement import FILMS, PRIOR, Model, is_heard
from tmdbkit.ratings.columns import COLUMN, STEPS, describe, faults
from tmdbkit.ratings.model import AUDIENCE, POINTS_OF
from tmdbkit.schema import INSTANT, SCALES, SYSTEMS

if TYPE_CHECKING:
    from datetime import datetime

# A column is the same everywhere when so many of so many ratings are the same.
SAME_SHARE, SAME_LEAST = 0.8, 6
# How far below the others and above them is too far, in standard deviations: of real films with
# three systems or more, 1 of 100 ratings lies beyond each. Of a normal distribution, it is 2.3.
BANDS = {
    "imdb": (3.2, 2.3),
    "letterboxd": (2.6, 2.9),
    "metacritic": (2.5, 2.3),
    "rotten_tomatoes": (2.4, 2.4),
    "tmdb": (2.7, 3.0),
}
# A stage of its own shows it by its inner 80 %, which faults move little; of the same real films
# these are within so many deviations, in each system.
INNER, WITHIN = 0.8, 1.24
WIDTHS = (0.7, 1.6)  # faults and good luck move a system's width no further than this

CLEARLY = 1.0  # by how many squared bands the one to blame is farther off than the next

PER_SYSTEM = ("expected", "deviation", "residual")
OF_A_SYSTEM = ("others", "expected", "deviation")


def features(ratings: pl.DataFrame, movies: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Return one row a rating, `RATINGS` and what is known of it.

    Returns:
        `title`, `released` where the movies have them; `now`; `system_scale`, `step` of its
        system; of its column `rated, usual, counted, swapped_with, astray, sure`; by the others
        `others` (how many there are), `expected` and `deviation` in points of 100, `residual` in
        standard deviations, `off` in its system's bands; `audience`, the audience's points where
        the row is the critics'; and `rescaled_from`, `rescaled`: the scale on which the points
        would fit best, and how many bands they would then lie off.
    """
    columns = describe(ratings)
    same = (pl.col("usual") >= SAME_SHARE) & (pl.col("rated") >= SAME_LEAST)
    trusted = _without(ratings, columns.filter(same))
    bad = faults(trusted)
    columns = columns.join(bad, on=COLUMN, how="left", nulls_equal=True, maintain_order="left")
    beside = _by_the_others(_without(trusted, bad.filter("sure")))
    for more in (_audience(ratings), _facts(movies)):
        beside = beside.join(more, on="tmdb_id", how="left", maintain_order="left")
    each = [_one_system(ratings, system, columns, beside) for system in POINTS_OF]
    return pl.concat(each).with_columns(pl.lit(now).cast(INSTANT).alias("now"))


def _one_system(
    ratings: pl.DataFrame, system: str, columns: pl.DataFrame, beside: pl.DataFrame
) -> pl.DataFrame:
    """Return one system's rows; those of the audience, which is no system, have no others."""
    known = system in SYSTEMS
    nothing = {name: pl.lit(None, beside.schema[f"imdb_{name}"]) for name in OF_A_SYSTEM}
    own = beside.select(
        "tmdb_id",
        *(pl.col(f"{system}_{n}").alias(n) if known else nothing[n].alias(n) for n in OF_A_SYSTEM),
        *(name for name in ("title", "released") if name in beside.columns),
        pl.col("audience")
        if system == "rotten_tomatoes"
        else pl.lit(None, pl.Float64).alias("audience"),
    )
    return (
        ratings.filter(pl.col("system") == system)
        .join(columns, on=COLUMN, how="left", nulls_equal=True, maintain_order="left")
        .join(own, on="tmdb_id", how="left", maintain_order="left")
        .with_columns(
            pl.lit(POINTS_OF[system]).alias("system_scale"),
            pl.lit(STEPS.get(system), pl.Float64).alias("step"),
            _deviations(POINTS_OF[system]).alias("residual"),
            _off(system, _deviations(POINTS_OF[system])).alias("off"),
            *_rescaled(system),
        )
    )


def _deviations(scale: float) -> pl.Expr:
    return (pl.col("points") * 100 / scale - pl.col("expected")) / pl.col("deviation")


def _off(system: str, residual: pl.Expr) -> pl.Expr:
    """Return how many of its system's bands a residual is wide; an audience has no bands."""
    below, above = BANDS.get(system, (math.nan, math.nan))
    return pl.when(residual < 0).then(-residual / below).otherwise(residual / above)


def _rescaled(system: str) -> list[pl.Expr]:
    """Return which other scale would bring the points nearest to the expected, and how near."""
    others = sorted(set(SCALES.values()) - {POINTS_OF[system]})
    away = [
        pl.when(pl.col("points") <= other).then(_off(system, _deviations(other)))
        for other in others
    ]
    nearest = pl.min_horizontal(away)
    which = pl.coalesce(
        pl.when(off == nearest).then(other) for off, other in zip(away, others, strict=True)
    )
    return [nearest.alias("rescaled"), which.alias("rescaled_from")]


def _audience(ratings: pl.DataFrame) -> pl.DataFrame:
    audience = ratings.filter(pl.col("system") == AUDIENCE)
    return audience.select("tmdb_id", pl.col("points").alias("audience")).unique("tmdb_id")


def _without(ratings: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    return ratings.join(columns, on=COLUMN, how="anti", nulls_equal=True, maintain_order="left")


def _facts(movies: pl.DataFrame) -> pl.DataFrame:
    """Return title and day of release, as far as the movies have them."""
    facts = [pl.col("title")] if "title" in movies.columns else []
    if "release_date" in movies.columns:
        facts.append(pl.col("release_date").str.to_date("%Y-%m-%d", strict=False).alias("released"))
    return movies.select(pl.col("tmdb_id").cast(pl.Int64), *facts).unique("tmdb_id", keep="first")


def _by_the_others(trusted: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id` and `{system}_others, _expected, _deviation` by the trusted ratings.

    Nothing is expected of a rating by itself, nor by one of its movie that is clearly the only one
    to blame. The stage's own ratings say where its systems lie, and how wide their residuals are.
    """
    scores = wide(trusted)
    scores = scores.with_columns(_others(system).alias(f"{system}_others") for system in SYSTEMS)
    model = FILMS.fitted(scores)
    judged = model.residuals(scores)
    for _ in range(2):  # of five ratings two may be wrong
        judged = _without_the_worst(judged, model)
    return judged.select(
        "tmdb_id",
        *(f"{system}_{name}" for system in SYSTEMS for name in ("others", "expected")),
        *(pl.col(f"{system}_deviation") * _width(judged, system) for system in SYSTEMS),
    )


def _without_the_worst(judged: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Take out each movie's rating that is beyond its band and clearly farther than all others."""
    far = [_far(system) for system in SYSTEMS]
    worst, next_worst = pl.max_horizontal(far), _second(far)
    to_blame = (worst > 1) & (worst**2 > next_worst**2 + CLEARLY)
    several = pl.sum_horizontal(_heard()) > 2
    at_odds = judged.filter(several & to_blame)
    if at_odds.is_empty():
        return judged
    heard = at_odds.with_columns(
        pl.when(off != worst).then(f"{system}_score").alias(f"{system}_score")
        for system, off in zip(SYSTEMS, far, strict=True)
    ).drop(f"{system}_{name}" for system in SYSTEMS for name in PER_SYSTEM)
    return pl.concat([judged.filter(~(several & to_blame)), model.residuals(heard)])


def _width(judged: pl.DataFrame, system: str) -> float:
    """Return by how much a system lies wider in the stage than in films at large, drawn to 1."""
    own = judged.filter(pl.col(f"{system}_others") > 0)[f"{system}_residual"].drop_nulls().abs()
    weight = own.len() / (own.len() + PRIOR)
    width = (own.quantile(INNER) or 0.0) / WITHIN
    return min(max(1 + weight * (width - 1), WIDTHS[0]), WIDTHS[1])


def _far(system: str) -> pl.Expr:
    return _off(system, pl.col(f"{system}_residual")).fill_null(0.0)


def _second(values: list[pl.Expr]) -> pl.Expr:
    """Return the second highest: the highest of what is the lower one of each two."""
    return pl.max_horizontal(pl.min_horizontal(pair) for pair in combinations(values, 2))


def _heard() -> list[pl.Expr]:
    return [pl.col(f"{system}_score").is_not_null() & is_heard(system) for system in SYSTEMS]


def _others(system: str) -> pl.Expr:
    return pl.sum_horizontal(
        known for known, name in zip(_heard(), SYSTEMS, strict=True) if name != system
    )
