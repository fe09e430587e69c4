"""Five systems' ratings of one movie put together: the document's two objects, and a consensus."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

import polars as pl

from tmdbkit.ratings.agreement import POINTS as MODEL
from tmdbkit.ratings.model import RATINGS
from tmdbkit.schema import POINTS, SCALES, SYSTEMS, VOTES

DECIMALS = 3  # as fine as TMDB, the finest of the five
# The scale of a consensus: where the five systems lie, and how far apart films are, on average.
MIDDLE, UNIT = mean(MODEL.level.values()), mean(MODEL.dispersion.values())
# The critics of both say nearly the same: together they are one voice.
VOICE = dict(zip(SYSTEMS, (1.0, 1.0, 0.4, 0.4, 1.0), strict=True))
USUAL = 2.0  # the mean square of residuals, in deviations, of films on which systems agree

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
    """Return one row a movie with what each system says, null where nobody voted.

    `{system}_points`, `_votes`, `_provider`; `_raw`, the points of 100; `_score`, the same where it
    is on the scale; `_count`, log10 of the votes.
    """
    points = pl.when(is_rated()).then("points")
    scale = pl.col("system").replace_strict(SCALES, default=None, return_dtype=pl.Float64)
    raw = points * 100 / scale
    long = ratings.select(
        "tmdb_id",
        "system",
        points=points,
        votes=pl.when(pl.col("votes") > 0).then("votes"),
        provider="provider",
        raw=pl.when(raw.is_finite()).then(raw),
        score=pl.when(is_on(scale)).then(raw),
        count=log10_votes(),
    )
    by_system = long.partition_by("system", as_dict=True, include_key=False)
    table = ratings.select("tmdb_id").unique(maintain_order=True)
    for system in SYSTEMS:
        own = by_system.get((system,), long.clear().drop("system")).unique("tmdb_id", keep="first")
        own.columns = [n if n == "tmdb_id" else f"{system}_{n}" for n in own.columns]
        table = table.join(own, on="tmdb_id", how="left", maintain_order="left")
    # Two systems never count the same: who says so made one up, and it tells nothing.
    count = {s: pl.col(f"{s}_count") for s in SYSTEMS}
    alike = {
        s: pl.any_horizontal(
            (count[s] == count[o]).fill_null(value=False) for o in SYSTEMS if o != s
        )
        for s in SYSTEMS
    }
    return table.with_columns(
        pl.when(~alike[s]).then(count[s]).alias(f"{s}_count") for s in SYSTEMS
    )


def consensus(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return what the systems say together of each movie, for a person to look at.

    Each system is measured in its own dispersion, so that one which always rates low, or wide, says
    nothing by that, and each counts by what it tells of the others (`agreement.Model`).

    Returns:
        `tmdb_id`; `consensus`, what a system that has not rated it yet may be expected to say, or
        the mean where all five have, 0 to 100 on an average system's scale; `certainty`, 0 to 1,
        how much of the mean of five is known by those that there are, less where they disagree more
        than is usual; `spread`, the systems' standard deviation in the same points, null below two;
        `systems`, how many there are.
    """
    table = wide(ratings)
    compared = MODEL.compare(table)
    known = {s: MODEL.value(s).is_not_null() for s in SYSTEMS}
    standing = {s: (MODEL.value(s) - MODEL.level[s]) / MODEL.dispersion[s] for s in SYSTEMS}
    unheard = {
        s: (pl.col(f"{s}_score_expected") - MODEL.level[s]) / MODEL.dispersion[s] for s in SYSTEMS
    }
    unheard_mean = _weighted_mean({s: pl.when(~known[s]).then(unheard[s]) for s in SYSTEMS})
    heard = pl.concat_list(standing.values()).list.drop_nulls()
    apart = pl.mean_horizontal(
        pl.when(MODEL.others(s) > 0).then(pl.col(f"{s}_score_residual") ** 2) for s in SYSTEMS
    )
    told = MODEL.explained(table)
    together = MIDDLE + UNIT * pl.coalesce(unheard_mean, _weighted_mean(standing))
    return (
        compared.with_columns(told.alias("told"), standing=heard)
        .select(
            "tmdb_id",
            pl.when(pl.col("standing").list.len() > 0)
            .then(together.clip(0.0, 100.0))
            .alias("consensus"),
            (pl.col("told") / (apart / USUAL).clip(lower_bound=1).fill_null(1.0)).alias(
                "certainty"
            ),
            (UNIT * pl.col("standing").list.std()).alias("spread"),
            pl.col("standing").list.len().alias("systems"),
        )
        .cast(dict(CONSENSUS))  # type: ignore[arg-type]
    )


def _weighted_mean(standing: dict[str, pl.Expr]) -> pl.Expr:
    """Return the mean of what there is of some values."""
    voices = pl.sum_horizontal(pl.when(standing[s].is_not_null()).then(VOICE[s]) for s in SYSTEMS)
    total = pl.sum_horizontal(standing[s] * VOICE[s] for s in SYSTEMS)
    return pl.when(voices > 0).then(total / voices)


def is_rated() -> pl.Expr:
    """Return whether a row of `RATINGS` has points that somebody gave."""
    return pl.col("points").is_not_null() & (pl.col("votes").fill_null(1) > 0)


def log10_votes() -> pl.Expr:
    """Return the logarithm of a row's votes where it has points and votes."""
    told = (pl.col("points") > 0) & (pl.col("votes") > 0)
    return pl.when(told).then(pl.col("votes").cast(pl.Float64).log10())


def is_on(scale: float | pl.Expr) -> pl.Expr:
    """Return whether a row's points are possible on a scale that begins at 0."""
    return pl.col("points").is_finite() & pl.col("points").is_between(0, scale)
