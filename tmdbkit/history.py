"""What became of movies over time: the versions that a stage holds, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.schema import INSTANT

if TYPE_CHECKING:
    from datetime import datetime


def _members(name: str, member: str) -> pl.Expr:
    return pl.col(name).struct.field(member)


def _joined(values: pl.Expr) -> pl.Expr:
    return values.cast(pl.List(pl.String)).list.join(", ")


_VOTES = {
    "tmdb_points": _members("vote_pts_system", "tmdb"),
    "tmdb_votes": _members("vote_count_system", "tmdb"),
}
_PLAIN = (
    "title", "original_title", "status", "release_date", "runtime_minutes", "budget", "revenue",
    "popularity", "imdb_id", "mpaa_rating",
)  # fmt: skip
_TEXTS = ("original_language", "synopsis", "tagline", "main_poster", "main_backdrop", "trailer_url")
_LISTS = ("crew", "keywords", "production_studio", "country", "language")
_NAMED = ("cast", "directors", "genres")

# What a history shows, and a drift compares besides.
SHOWN: dict[str, pl.Expr] = {**{name: pl.col(name) for name in _PLAIN}, **_VOTES}
COMPARED: dict[str, pl.Expr] = {
    **SHOWN,
    **{name: pl.col(name) for name in _TEXTS},
    **{name: _joined(_members("names", name)) for name in _NAMED},
    **{name: _joined(pl.col(name)) for name in _LISTS},
    "collection": _members("belong_to_collection", "name"),
}
DRIFT = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "field": pl.String(),
        "old": pl.String(),
        "new": pl.String(),
        "old_at": INSTANT,
        "new_at": INSTANT,
    }
)


def history(versions: pl.LazyFrame, tmdb_id: int) -> pl.DataFrame:
    """Return a movie's dates, titles, status, points and votes at each time it was fetched.

    Args:
        versions: Rows of `transform.ROWS`, several a movie.
        tmdb_id: Which movie.
    """
    own = versions.filter(pl.col("tmdb_id") == tmdb_id).sort("fetched_at")
    return own.select("fetched_at", **SHOWN).collect()


def drift(versions: pl.LazyFrame, since: datetime) -> pl.DataFrame:
    """Return what changed since an instant, in `DRIFT`: one row for each movie and field.

    A movie's newest version is compared with the one that was the newest then, or, where it was
    fetched for the first time since, with its first. Old and new are texts; people, genres and
    other lists are joined by commas.

    Args:
        versions: Rows of `transform.ROWS`, several a movie.
        since: The instant.
    """
    pairs = _pairs(versions, since)
    wide = versions.select("tmdb_id", "fetched_at", **COMPARED)
    old = pairs.join(wide, left_on=["tmdb_id", "old_at"], right_on=["tmdb_id", "fetched_at"])
    both = old.join(
        wide, left_on=["tmdb_id", "new_at"], right_on=["tmdb_id", "fetched_at"], suffix=" new"
    ).collect()
    changed = [_changed(both, field) for field in COMPARED]
    return pl.concat([DRIFT.to_frame(), *changed]).sort("tmdb_id", maintain_order=True)


def _pairs(versions: pl.LazyFrame, since: datetime) -> pl.LazyFrame:
    """Return `tmdb_id, old_at, new_at` of the movies that have two versions to compare.

    They are found among narrow columns, so that wide ones are read of these alone.
    """
    times = versions.select("tmdb_id", "fetched_at").group_by("tmdb_id")
    at = pl.col("fetched_at")
    then = at.filter(at <= since).max()
    return times.agg(old_at=then.fill_null(at.min()), new_at=at.max()).filter(
        pl.col("old_at") < pl.col("new_at")
    )


def _changed(both: pl.DataFrame, field: str) -> pl.DataFrame:
    """Return the movies of which one field changed."""
    old, new = pl.col(field), pl.col(f"{field} new")
    return both.filter(old.ne_missing(new)).select(
        "tmdb_id",
        pl.col("title new").alias("title"),
        pl.lit(field).alias("field"),
        old.cast(pl.String).alias("old"),
        new.cast(pl.String).alias("new"),
        "old_at",
        "new_at",
    )
