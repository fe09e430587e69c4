"""What became of movies over time: the versions that a stage holds, compared."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tmdbkit.schema import INSTANT


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


def history(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return a movie's dates, titles, status, points and votes at each time it was fetched.

    `rows` are its versions, in `transform.ROWS`, with the `part` that each came in.
    """
    return rows.sort("part").select("fetched_at", **SHOWN).collect()


def pairs(versions: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """Return `tmdb_id, old_at, new_at` of the movies of which two versions are to be compared.

    Versions are `tmdb_id, fetched_at`, as they came. The last is compared with what was the last at
    an instant, or, where a movie was fetched for the first time since, with its first.
    """
    at = pl.col("fetched_at")
    then = at.filter(at <= since).last()
    spans = versions.group_by("tmdb_id").agg(old_at=then.fill_null(at.first()), new_at=at.last())
    return spans.filter(pl.col("old_at") != pl.col("new_at"))


def of_pairs(versions: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return those of the versions that some pair has."""
    times = pairs.unpivot(on=["old_at", "new_at"], index="tmdb_id", value_name="fetched_at")
    return versions.join(times, on=["tmdb_id", "fetched_at"], how="semi")


def drift(rows: pl.LazyFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return what changed between the versions of `pairs`, in `DRIFT`: a row a movie and field.

    Old and new are texts; people, genres and other lists are joined by commas.
    """
    versions = rows.select("tmdb_id", "fetched_at", **COMPARED).collect()
    old = pairs.join(versions, left_on=["tmdb_id", "old_at"], right_on=["tmdb_id", "fetched_at"])
    both = old.join(
        versions, left_on=["tmdb_id", "new_at"], right_on=["tmdb_id", "fetched_at"], suffix=" new"
    )
    changed = [_changed(both, field) for field in COMPARED]
    return pl.concat([DRIFT.to_frame(), *changed]).sort("tmdb_id", maintain_order=True)


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
