"""The contract: the documents of the tables movies, crew and genres, and the five systems."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

SYSTEMS = ("imdb", "letterboxd", "metacritic", "rotten_tomatoes", "tmdb")

# The highest points that each system gives; the lowest is 0 everywhere.
SCALES = {
    "imdb": 10.0,
    "letterboxd": 5.0,
    "metacritic": 100.0,
    "rotten_tomatoes": 100.0,
    "tmdb": 10.0,
}

VOTES = pl.Struct(dict.fromkeys(SYSTEMS, pl.Int64()))
POINTS = pl.Struct(dict.fromkeys(SYSTEMS, pl.Float64))
COLLECTION = pl.Struct(
    {"id": pl.Int64, "name": pl.String, "poster_path": pl.String, "backdrop_path": pl.String}
)

# A row of the stage: all of the document that comes from TMDB, in the document's order.
_FIELDS: dict[str, Any] = {
    "title": pl.String,
    "tmdb_id": pl.Int64,
    "imdb_id": pl.String,
    "slug": pl.String,
    "original_title": pl.String,
    "original_language": pl.String,
    "synopsis": pl.String,
    "tagline": pl.String,
    "status": pl.String,
    "release_date": pl.String,
    "runtime_minutes": pl.Int64,
    "budget": pl.Int64,
    "revenue": pl.Int64,
    "popularity": pl.Float64,
    "mpaa_rating": pl.String,
    "main_poster": pl.String,
    "main_backdrop": pl.String,
    "screenshots": pl.List(pl.String),
    "trailer_url": pl.String,
    "cast": pl.List(pl.Int64),
    "crew": pl.List(pl.Int64),
    "directors": pl.List(pl.Int64),
    "genres": pl.List(pl.Int64),
    "keywords": pl.List(pl.Int64),
    "production_studio": pl.List(pl.Int64),
    "country": pl.List(pl.String),
    "language": pl.List(pl.String),
    "mood": pl.List(pl.String),
    "belong_to_collection": COLLECTION,
    "vote_count_system": VOTES,
    "vote_pts_system": POINTS,
    "tmdb_data_imported_at": pl.String,
}
ROW = pl.Schema(_FIELDS)
INSTANT = pl.Datetime("us", "UTC")

# The whole document: what the app adds, and the times of a push.
_FROM_THE_APP: dict[str, Any] = {
    "screenshot_id_list": pl.List(pl.String),
    "screenshot_url": pl.String,
    "created_at": pl.String,
    "updated_at": pl.String,
}
MOVIE = pl.Schema({**_FIELDS, **_FROM_THE_APP})
CREW = pl.Schema({"crew_id": pl.Int64, "crew_name": pl.String, "crew_type": pl.String})
GENRE = pl.Schema({"genre_id": pl.Int64, "name": pl.String})

# Absent where there is none; every other field is always there.
OPTIONAL = frozenset(
    {"main_poster", "main_backdrop", "screenshot_id_list", "screenshot_url", "crew"}
)
# Of the optional ones, those that an app may lack which was there before.
NEW_WITH_US = frozenset({"crew"})
NULLABLE = frozenset({"belong_to_collection"})

# What the app owns: set when a document is created, and never again.
CREATED_ONLY = frozenset(
    {"created_at", "slug", "mood", "screenshots", "screenshot_id_list", "screenshot_url"}
)
# These move with a change, and are none themselves.
STAMPS = frozenset({"updated_at", "tmdb_data_imported_at"})
IMAGES = frozenset({"main_poster", "main_backdrop"})
RATINGS = frozenset({"vote_count_system", "vote_pts_system"})
# Numbers of which 0 says that nobody knows.
ZERO_IS_UNKNOWN = frozenset({"runtime_minutes", "budget", "revenue"})

LAST_ID = 2**53  # of those that Convex's numbers hold
KEYS = {"movies": "tmdb_id", "crew": "crew_id", "genres": "genre_id"}


def validator(table: str) -> dict[str, Any]:
    """Return what a table accepts, in the form in which Convex exports its validators."""
    if table != "movies":
        return _object({"crew": CREW, "genres": GENRE}[table], frozenset(), frozenset())
    return _object(MOVIE, OPTIONAL, NULLABLE)


def own_validator(dtype: pl.DataType) -> dict[str, Any]:
    """Return what a field of a user's own accepts, which is always optional."""
    return {"fieldType": _type(dtype, nullable=False), "optional": True}


def _object(
    members: pl.Schema, optional: frozenset[str], nullable: frozenset[str]
) -> dict[str, Any]:
    value = {
        name: {
            "fieldType": _type(dtype, nullable=name in nullable),
            "optional": name in optional,
        }
        for name, dtype in members.items()
    }
    return {"type": "object", "value": value}


def _type(dtype: pl.DataType, *, nullable: bool) -> dict[str, Any]:
    if nullable:
        return {"type": "union", "value": [_type(dtype, nullable=False), {"type": "null"}]}
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        return {"type": "array", "value": _type(inner, nullable=False)}  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return _object(pl.Schema(dtype), frozenset(), _nullable_members(dtype))
    if dtype == pl.Boolean:
        return {"type": "boolean"}
    return {"type": "string" if dtype == pl.String else "number"}


def _nullable_members(dtype: pl.Struct) -> frozenset[str]:
    return frozenset(SYSTEMS) | {"poster_path", "backdrop_path"}


def checked_ids(ids: Iterable[int]) -> list[int]:
    """Return the ids without repeats, in order.

    Raises:
        UsageError: One is not a whole number above 0.
    """
    found: dict[int, None] = {}
    each: Iterable[Any] = ids  # numpy's numbers among them, which are no `int`
    for given in each:
        is_whole = isinstance(given, Integral) and not isinstance(given, bool)
        tmdb_id = int(given) if is_whole else 0
        if not 1 <= tmdb_id <= LAST_ID:
            raise UsageError(f"{given!r:.60} is not a TMDB id, a whole number above 0 such as 603")
        found[tmdb_id] = None
    return list(found)
