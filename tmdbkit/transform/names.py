"""Names instead of ids: who and what the payloads name, counted over movies; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import transform
from tmdbkit.schema import CREW
from tmdbkit.transform.payloads import NAMED, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    """
    things = [
        some.select("tmdb_id", _WHERE[kind].alias("thing"))
        .explode("thing", empty_as_null=False, keep_nulls=False)
        .select("tmdb_id", pl.col("thing").struct.unnest())
        .cast({"id": pl.Int64})
        .drop_nulls("id")
        .unique(["tmdb_id", "id"])
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


def _counted(found: pl.DataFrame, key: list[str], name: str) -> pl.DataFrame:
    """Add up what some movies at a time have come to."""
    total = found.group_by(key, maintain_order=True).agg(
        pl.col(name).last(), pl.col("movies").sum()
    )
    return total.sort("movies", name, *key, descending=[True, False, *([False] * len(key))])
