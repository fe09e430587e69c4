"""TMDB's payloads, read: which of their fields count, and which payloads are no movies."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.schema import INSTANT

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK, AT_ONCE = 500, 8
MALFORMED = pl.Schema({"tmdb_id": pl.Int64, "reason": pl.String})

_NAMED = pl.List(pl.Struct({"id": pl.Float64, "name": pl.String}))
_PERSON = {"id": pl.Float64, "name": pl.String}
# What is read of a payload. Every number is a float: polars reads a float where an int is declared
# as null, and TMDB sends both. Keys that are not named here are passed over.
PAYLOAD = pl.Struct(
    {
        "id": pl.Float64,
        "imdb_id": pl.String,
        "title": pl.String,
        "original_title": pl.String,
        "original_language": pl.String,
        "overview": pl.String,
        "tagline": pl.String,
        "status": pl.String,
        "release_date": pl.String,
        "runtime": pl.Float64,
        "budget": pl.Float64,
        "revenue": pl.Float64,
        "popularity": pl.Float64,
        "vote_average": pl.Float64,
        "vote_count": pl.Float64,
        "poster_path": pl.String,
        "backdrop_path": pl.String,
        "genres": _NAMED,
        "production_companies": pl.List(pl.Struct({"id": pl.Float64})),
        "production_countries": pl.List(pl.Struct({"name": pl.String})),
        "spoken_languages": pl.List(
            pl.Struct({"english_name": pl.String, "iso_639_1": pl.String, "name": pl.String})
        ),
        "belongs_to_collection": pl.Struct(
            {
                "id": pl.Float64,
                "name": pl.String,
                "poster_path": pl.String,
                "backdrop_path": pl.String,
            }
        ),
        "credits": pl.Struct(
            {
                "cast": pl.List(pl.Struct({**_PERSON, "order": pl.Float64})),
                "crew": pl.List(pl.Struct({**_PERSON, "job": pl.String})),
            }
        ),
        "keywords": pl.Struct({"keywords": pl.List(pl.Struct({"id": pl.Float64}))}),
        "release_dates": pl.Struct(
            {
                "results": pl.List(
                    pl.Struct(
                        {
                            "iso_3166_1": pl.String,
                            "release_dates": pl.List(
                                pl.Struct({"certification": pl.String, "type": pl.Float64})
                            ),
                        }
                    )
                )
            }
        ),
        "videos": pl.Struct(
            {
                "results": pl.List(
                    pl.Struct(
                        {
                            "site": pl.String,
                            "type": pl.String,
                            "key": pl.String,
                            "official": pl.Boolean,
                        }
                    )
                )
            }
        ),
    }
)


def decode(payloads: pl.DataFrame) -> Iterator[tuple[list[pl.DataFrame], pl.DataFrame]]:
    """Parse the payloads, a few thousand at a time, so that no more than these are held unpacked.

    In chunks, for two reasons: polars works on several at once, and where it finds one wrong value
    it raises for the whole column, so that a chunk is halved until the wrong one stands alone.

    Yields:
        Frames of `tmdb_id, fetched_at, movie`, and one of `MALFORMED`.
    """
    chunks = payloads.select("tmdb_id", "fetched_at", "payload").iter_slices(CHUNK)
    while some := list(islice(chunks, AT_ONCE)):
        good: list[pl.DataFrame] = []
        bad: list[tuple[int, str]] = []
        _decode_chunks(some, good, bad)
        yield good, pl.DataFrame(bad, schema=MALFORMED, orient="row")


_DECODED = (
    pl.col("tmdb_id").cast(pl.Int64),
    pl.col("fetched_at").cast(INSTANT),
    pl.col("payload").cast(pl.String).str.json_decode(PAYLOAD).alias("movie"),
)
_IS_MOVIE = (
    (pl.col("movie").struct.field("id").cast(pl.Int64) == pl.col("tmdb_id"))
    & pl.col("movie").struct.field("title").is_not_null()
).alias("is_movie")


def _decode_chunks(
    chunks: list[pl.DataFrame], good: list[pl.DataFrame], bad: list[tuple[int, str]]
) -> None:
    """Add the chunks' movies to `good`, and what stands alone and cannot be read to `bad`."""
    plans = [chunk.lazy().select(_DECODED).with_columns(_IS_MOVIE) for chunk in chunks]
    try:
        decoded = pl.collect_all(plans)
        sound = all(map(_is_sound, chunks, decoded))
    except pl.exceptions.PolarsError:
        sound = False
    if sound:
        good += [chunk.drop("is_movie") for chunk in decoded]
    elif len(chunks) == chunks[0].height == 1:
        tmdb_id, _, payload = chunks[0].row(0)
        bad.append((tmdb_id, why_malformed(tmdb_id, payload)))
    else:
        for part in chunks if len(chunks) > 1 else _halves(chunks[0]):
            _decode_chunks([part], good, bad)


def _is_sound(chunk: pl.DataFrame, decoded: pl.DataFrame) -> bool:
    """Tell whether each text gave one movie; an empty text gives none, and two values give two."""
    same_height = decoded.height == chunk.height
    return same_height and decoded["is_movie"].all(ignore_nulls=False) is True


def _halves(chunk: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    middle = chunk.height // 2
    return chunk[:middle], chunk[middle:]


def why_malformed(tmdb_id: int, payload: str | None) -> str:
    """Say in a person's words why a payload is no movie."""
    try:
        value = json.loads(payload or "")
    except ValueError as error:
        return f"not JSON: {error}"
    if not isinstance(value, dict):
        return f"not a movie: a JSON {type(value).__name__}"
    if value.get("id") != tmdb_id:
        return f"not this movie: its id is {value.get('id')!r}"
    if not isinstance(value.get("title"), str):
        return "not a movie: it has no title"
    wrong = [name for name in PAYLOAD.to_schema() if name in value and not _fits(name, value[name])]
    return f"not TMDB's shape: {', '.join(wrong)}" if wrong else "not TMDB's shape"


def _fits(name: str, value: object) -> bool:
    try:
        text = pl.Series([json.dumps({name: value})])
        text.str.json_decode(pl.Struct({name: PAYLOAD.to_schema()[name]}))
    except pl.exceptions.PolarsError:
        return False
    return True
