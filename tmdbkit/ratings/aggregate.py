"""Five systems' ratings of one movie put together: the document's two objects, and a consensus."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.ratings.agreement import CORRELATION, DISPERSION, LEVEL, credibility, shrunk
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import POINTS, SCALES, SYSTEMS, VOTES

if TYPE_CHECKING:
    from collections.abc import Sequence

DECIMALS = 3  # as fine as TMDB, the finest of the five
# The scale of a consensus: where the five systems lie, and how far apart films are, on average.
MIDDLE, UNIT = mean(LEVEL.values()), mean(DISPERSION.values())

CONSENSUS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "consensus": pl.Float64(),
        "certainty": pl.Float64(),
        "spread": pl.Float64(),
        "systems": pl.UInt32(),
    }
)


def prefer(ratings: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Return one of `RATINGS` for each movie and system: points and votes of the same provider.

    The first provider in `order` that has points wins, then one that is not in it; of one provider,
    the newest. Where none has points, the first that has votes stands.
    """
    place = pl.col("provider").replace_strict(
        {name: at for at, name in enumerate(order)}, default=len(order), return_dtype=pl.Int32
    )
    unrated = ~is_rated()
    return (
        ratings.select(RATINGS.names())
        .sort(
            unrated,
            pl.col("votes").is_null() & unrated,
            place,
            "fetched_at",
            descending=[False, False, False, True],
            nulls_last=True,
            maintain_order=True,
        )
        .unique(["tmdb_id", "system"], keep="first", maintain_order=True)
        .sort("tmdb_id", "system")
    )


def vote_objects(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, vote_count_system, vote_pts_system` as a document has them.

    Args:
        ratings: Preferred ones; those of other systems than the document's five are left out.
    """
    table = wide(ratings)
    points = (pl.col(f"{system}_points").round(DECIMALS).alias(system) for system in SYSTEMS)
    votes = (pl.col(f"{system}_votes").alias(system) for system in SYSTEMS)
    return table.select(
        "tmdb_id",
        pl.struct(*votes).cast(VOTES).alias("vote_count_system"),
        pl.struct(*points).cast(POINTS).alias("vote_pts_system"),
    )


def wide(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return one row a movie: `{system}_points`, `{system}_votes`, `{system}_score` of the five.

    Points and score (0 to 100) are null where nobody voted, and votes where they are 0; the score
    also where the points are not on their system's scale.
    """
    table = ratings.select("tmdb_id").unique(maintain_order=True)
    for system in SYSTEMS:
        scale = SCALES[system]
        points = pl.when(is_rated()).then("points")
        own = (
            ratings.select("tmdb_id", "system", "points", "votes")
            .filter(pl.col("system") == system)
            .unique("tmdb_id", keep="first")
            .select(
                "tmdb_id",
                points.alias(f"{system}_points"),
                pl.when(pl.col("votes") > 0).then("votes").alias(f"{system}_votes"),
                pl.when(is_on(scale)).then(points * 100 / scale).alias(f"{system}_score"),
            )
        )
        table = table.join(own, on="tmdb_id", how="left", maintain_order="left")
    return table


def consensus(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return what the systems say together of each movie, for a person to look at.

    Each score is drawn towards its system's level where few voted (`agreement.shrunk`), and then
    measured in its system's own dispersion, so that a system that always rates low, or wide, says
    nothing by that.

    Returns:
        `tmdb_id`; `consensus`, the mean of the five, 0 to 100 on an average system's scale;
        `certainty`, 0 to 1, how reliable that mean is: K r / (1 + (K - 1) r) with r the
        mean correlation of two systems and K the systems' summed credibility (Spearman and Brown,
        British Journal of Psychology 3, 1910); `spread`, the systems' standard deviation in the
        same points, null below two; `systems`, how many there are.
    """
    table = wide(ratings)
    known = [
        pl.when(pl.col(f"{system}_score").is_not_null()).then(
            credibility(system, pl.col(f"{system}_votes"))
        )
        for system in SYSTEMS
    ]
    r, systems = mean(CORRELATION.values()), pl.sum_horizontal(*known)
    standing = pl.concat_list(_standing(system) for system in SYSTEMS).list.drop_nulls()
    return table.select(
        "tmdb_id",
        (MIDDLE + UNIT * standing.list.mean()).clip(0.0, 100.0).alias("consensus"),
        (systems * r / (1 + (systems - 1) * r)).alias("certainty"),
        (UNIT * standing.list.std()).alias("spread"),
        standing.list.len().alias("systems"),
    ).cast(dict(CONSENSUS))  # type: ignore[arg-type]


def is_rated() -> pl.Expr:
    """Return whether a row of `RATINGS` has points that somebody gave."""
    return pl.col("points").is_not_null() & (pl.col("votes").fill_null(1) > 0)


def is_on(scale: float | pl.Expr) -> pl.Expr:
    """Return whether a row's points are possible on a scale that begins at 0."""
    return pl.col("points").is_finite() & pl.col("points").is_between(0, scale)


def _standing(system: str) -> pl.Expr:
    drawn = shrunk(system, pl.col(f"{system}_score"), pl.col(f"{system}_votes"))
    return (drawn - LEVEL[system]) / DISPERSION[system]
