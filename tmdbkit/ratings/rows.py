"""What providers share: rows of ratings, and who can be asked for by its IMDb id."""

from __future__ import annotations

from typing import TypeVar

import polars as pl

from tmdbkit.ratings.model import FAILED, POINTS_OF, RATINGS

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

IMDB_ID = r"^tt[0-9]{7,10}$"


def as_ratings(found: Frame, provider: str) -> Frame:
    """Return frames of `RATINGS`.

    Args:
        found: Frames of `tmdb_id, system, points, votes, fetched_at`, the points on the system's
            own scale.
        provider: Who says so.
    """
    scale = pl.col("system").replace_strict(POINTS_OF, return_dtype=pl.Float64)
    return found.with_columns(
        scale=scale, score_100=pl.col("points") * (100 / scale), provider=pl.lit(provider)
    ).select(pl.col(name).cast(dtype) for name, dtype in RATINGS.items())


def by_imdb_id(wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the movies whose IMDb id can be one, and the others as frames of `FAILED`."""
    known = pl.col("imdb_id").str.contains(IMDB_ID).fill_null(value=False)
    named = pl.format("{} is no IMDb id, which is one such as tt0133093", "imdb_id")
    missing = pl.col("imdb_id").fill_null("") == ""
    reason = pl.when(missing).then(pl.lit("has no IMDb id")).otherwise(named)
    others = wanted.filter(~known).select("tmdb_id", reason=reason).match_to_schema(FAILED)
    return wanted.filter(known), others
