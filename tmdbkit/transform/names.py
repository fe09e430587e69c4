"""Names instead of ids: who and what the payloads name, counted over movies; pure."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from tmdbkit import transform
from tmdbkit.exceptions import UsageError, did_you_mean
from tmdbkit.schema import CREW
from tmdbkit.transform.payloads import NAMED, decode

_NAMING = pl.Struct(
    {
        "id": pl.Float64,
        "title": pl.String,
        "genres": pl.List(NAMED),
        "keywords": pl.Struct({"keywords": pl.List(NAMED)}),
        "production_companies": pl.List(NAMED),
        "belongs_to_collection": NAMED,
    }
)
_PART = NAMED.to_schema()
_CREDITED = pl.Struct(
    {
        "id": pl.Float64,
        "title": pl.String,
        "credits": pl.Struct(
            {
                "cast": pl.List(pl.Struct({**_PART, "character": pl.String, "order": pl.Float64})),
                "crew": pl.List(pl.Struct({**_PART, "department": pl.String, "job": pl.String})),
            }
        ),
    }
)
CREDITS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "person_id": pl.Int64(),
        "name": pl.String(),
        "department": pl.String(),
        "job": pl.String(),
        "character": pl.String(),
        "order": pl.Int64(),
    }
)
_MOVIE = pl.col("movie").struct
_WHERE = {
    "genres": _MOVIE.field("genres"),
    "keywords": _MOVIE.field("keywords").struct.field("keywords"),
    "studios": _MOVIE.field("production_companies"),
    "collections": pl.concat_list(_MOVIE.field("belongs_to_collection")),
}


def named(payloads: Iterable[pl.DataFrame], kind: str) -> pl.DataFrame:
    """Return `id, name, movies` of things of one kind, the most frequent first.

    Args:
        payloads: Frames of `tmdb_id, payload`, some movies at a time; each movie once.
        kind: `genres`, `keywords`, `studios` or `collections`.

    Raises:
        UsageError: It is another one.
    """
    if kind not in _WHERE:
        meant = did_you_mean(kind, _WHERE)
        raise UsageError(f"there are no names of {kind!r}; there are {', '.join(_WHERE)}{meant}")
    things = [
        some.select("tmdb_id", _WHERE[kind].alias("thing"))
        .explode("thing", empty_as_null=False, keep_nulls=False)
        .select("tmdb_id", pl.col("thing").struct.unnest())
        .cast({"id": pl.Int64})
        .drop_nulls("id")
        .unique(["tmdb_id", "id"], keep="first", maintain_order=True)
        .group_by("id")
        .agg(pl.col("name").first(), pl.len().alias("movies"))
        for frame in payloads
        for chunks, _ in decode(frame, _NAMING)
        for some in chunks
    ]
    schema = pl.Schema({"id": pl.Int64(), "name": pl.String(), "movies": pl.get_index_type()})
    return _counted(pl.concat([schema.to_frame(), *things]), ["id"], "name")


def people(payloads: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return `crew_id, crew_name, crew_type, movies`: a row for every person and job.

    Args:
        payloads: Frames of `tmdb_id, payload, fetched_at`, some movies at a time; each movie once.
    """
    key = ["crew_id", "crew_type"]
    credited = [
        transform.people(some)
        .group_by(key)
        .agg(pl.col("crew_name").last(), pl.col("tmdb_id").n_unique().alias("movies"))
        for some in payloads
    ]
    schema = pl.Schema({**CREW, "movies": pl.get_index_type()})
    found = pl.concat([schema.to_frame(), *(some.select(schema.names()) for some in credited)])
    return _counted(found, key, "crew_name").select(schema.names())


def credited(payloads: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return `CREDITS`: a row for each part that somebody had, in TMDB's order.

    Args:
        payloads: Frames of `tmdb_id, payload`, some movies at a time; each movie once.
    """
    acting = {"department": pl.lit("Acting"), "job": pl.lit("Actor")}
    found = [
        _parts(some, section, **more)
        for frame in payloads
        for chunks, _ in decode(frame, _CREDITED)
        for some in chunks
        for section, more in (("cast", acting), ("crew", {"character": pl.lit(None, pl.String)}))
    ]
    return pl.concat([CREDITS.to_frame(), *found]).sort("tmdb_id", maintain_order=True)


def _parts(decoded: pl.DataFrame, section: str, **more: pl.Expr) -> pl.DataFrame:
    person = pl.col("credits").struct.field(section).alias("person")
    rows = (
        decoded.select("tmdb_id", pl.col("movie").struct.field("credits"))
        .select("tmdb_id", person)
        .explode("person", empty_as_null=False, keep_nulls=False)
        .select("tmdb_id", pl.col("person").struct.unnest())
        .rename({"id": "person_id"})
        .with_columns(**more)
    )
    if section == "crew":
        rows = rows.with_columns(order=pl.lit(None, pl.Int64))
    return rows.select(pl.col(name).cast(kind) for name, kind in CREDITS.items()).drop_nulls("name")


def _counted(found: pl.DataFrame, key: list[str], name: str) -> pl.DataFrame:
    """Add up what some movies at a time have come to."""
    total = found.group_by(key, maintain_order=True).agg(
        pl.col(name).last(), pl.col("movies").sum()
    )
    return total.sort("movies", name, *key, descending=[True, False, *([False] * len(key))])
