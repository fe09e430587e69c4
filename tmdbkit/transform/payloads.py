"""TMDB's payloads, read: which of their fields count, and which payloads are no movies."""

from __future__ import annotations

import json
from itertools import islice
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.surrogates import whole

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK, AT_ONCE = 500, 8
EXACT = 2.0**53
LONGEST_NAMES = 100  # characters of the names of fields that are told
DIGITS = 18  # of a whole number that is read as one, and not as a float
_SHAPE, _BEYOND = "not TMDB's shape", "a number that cannot be meant"
MALFORMED = pl.Schema({"tmdb_id": pl.Int64, "reason": pl.String})

NAMED = pl.Struct({"id": pl.Float64, "name": pl.String})
_PERSON = NAMED.to_schema()
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
        "genres": pl.List(NAMED),
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


def decode(
    payloads: pl.DataFrame, kind: pl.Struct = PAYLOAD
) -> Iterator[tuple[list[pl.DataFrame], pl.DataFrame]]:
    """Parse the payloads, a few thousand at a time, so that no more than these are held unpacked.

    In chunks, for two reasons: polars works on several at once, and where it finds one wrong value
    it raises for the whole column, so that a chunk is halved until the wrong one stands alone.

    Args:
        payloads: Frames of `tmdb_id, payload`, and of what is to stay beside them.
        kind: What is read of them; `id` and `title` at least.

    Yields:
        The same frames with a `movie` instead of the payload, and one of `MALFORMED`.
    """
    reading = _Reading(kind)
    chunks = payloads.iter_slices(CHUNK)
    while some := list(islice(chunks, AT_ONCE)):
        good: list[pl.DataFrame] = []
        bad: list[tuple[int, str]] = []
        _decode_chunks(some, reading, good, bad)
        yield good, pl.DataFrame(bad, schema=MALFORMED, orient="row")


class _Reading:
    """Parses chunks, and tells whether all movies of one are sound.

    Whatever is made of a movie that is sound cannot fail: neither a row, nor people, nor names.
    """

    def __init__(self, kind: pl.Struct) -> None:
        movie = pl.col("movie")
        self._parsed = (
            pl.col("tmdb_id").cast(pl.Int64),
            pl.col("payload").cast(pl.String).str.json_decode(kind).alias("movie"),
        )
        is_movie = (movie.struct.field("id") == pl.col("tmdb_id")) & (
            movie.struct.field("title").is_not_null()
        )
        self._sound = pl.all_horizontal(is_movie.all(ignore_nulls=False), *_numbers(movie, kind))

    def parsed(self, chunk: pl.DataFrame) -> pl.LazyFrame:
        """Return it with a `movie` instead of the payload."""
        return chunk.lazy().with_columns(self._parsed).drop("payload")

    def is_sound(self, chunk: pl.DataFrame, movies: pl.DataFrame) -> bool:
        """Tell whether each text gave one: an empty one gives none, two values in one give two."""
        return movies.height == chunk.height and movies.select(self._sound).item() is True


def _numbers(value: pl.Expr, kind: Any, name: str = "") -> Iterator[pl.Expr]:
    """Yield for each number in a value whether it can be meant, one expression for each name.

    Beyond 2 ** 53 a float is no exact number, nor is it one to Convex; an id is a whole one.
    """
    if isinstance(kind, pl.List):
        elements = value.explode(empty_as_null=False, keep_nulls=False)
        yield from _numbers(elements, kind.inner, name)
    elif isinstance(kind, pl.Struct):
        for member, inner in kind.to_schema().items():
            yield from _numbers(value.struct.field(member), inner, member)
    elif kind == pl.Float64:
        fits = value.abs() < EXACT
        yield (fits & (value == value.floor()) if name == "id" else fits).all()


def _decode_chunks(
    chunks: list[pl.DataFrame],
    reading: _Reading,
    good: list[pl.DataFrame],
    bad: list[tuple[int, str]],
) -> None:
    """Add the chunks' movies to `good`, and what stands alone and is not sound to `bad`."""
    try:
        movies = pl.collect_all(map(reading.parsed, chunks))
        sound = all(map(reading.is_sound, chunks, movies))
    except pl.exceptions.PolarsError:
        sound = False
    if sound:
        good += movies
    elif len(chunks) == chunks[0].height == 1:
        tmdb_id, payload = chunks[0].select("tmdb_id", "payload").row(0)
        bad.append((tmdb_id, why_malformed(tmdb_id, payload)))
    else:
        for part in chunks if len(chunks) > 1 else _halves(chunks[0]):
            _decode_chunks([part], reading, good, bad)


def _halves(chunk: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    middle = chunk.height // 2
    return chunk[:middle], chunk[middle:]


def why_malformed(tmdb_id: int, payload: str | None) -> str:
    """Say in a person's words why a payload is no movie."""
    try:
        value = json.loads(payload or "", object_pairs_hook=_first_of_each, parse_int=_number)
        return _why_no_movie(tmdb_id, value)
    except RecursionError:
        return "not TMDB's shape: it is nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object as polars reads it: of a key that is repeated the first value counts."""
    return dict(reversed(pairs))


def _number(digits: str) -> int | float:
    """Return a whole number; Python refuses one of some thousand digits."""
    return int(digits) if len(digits) <= DIGITS else float(digits)


def _why_no_movie(tmdb_id: int, value: Any) -> str:
    if not isinstance(value, dict):
        return f"not a movie: a JSON {type(value).__name__}"
    if value.get("id") != tmdb_id:
        return f"not this movie: its id is {shortened(value.get('id'))}"
    if value.get("title") is None:
        return "not a movie: it has no title"
    faults = {name: _fault(name, inner) for key, inner in value.items() for name in [whole(key)]}
    for fault in (_SHAPE, _BEYOND):
        if names := sorted(name for name, found in faults.items() if found == fault):
            return f"{fault}: {', '.join(names)[:LONGEST_NAMES]}"
    return _SHAPE


def _fault(name: str, value: object) -> str:
    """Return what is wrong with a field; "" where it is sound, or any JSON that is not read."""
    kind = PAYLOAD.to_schema().get(name, pl.Struct({}))
    try:
        field = pl.Series("value", [json.dumps({name: value})]).str.json_decode(
            pl.Struct({name: kind})
        )
    except pl.exceptions.PolarsError:
        return _SHAPE
    sound = pl.all_horizontal(*_numbers(pl.col("value"), field.dtype), True)
    return "" if field.to_frame().select(sound).item() else _BEYOND
