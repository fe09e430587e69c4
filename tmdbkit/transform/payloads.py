"""TMDB's payloads, read: which of their fields count, and which payloads are no movies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from reprlib import repr as shortened
from typing import Any

import polars as pl

from tmdbkit.surrogates import whole

# Polars parses a column in one thread, and the fewer at a time, the more stays in the processor's
# cache: so chunks are shared among threads, and each is parsed in pieces.
PIECE, CHUNK, AT_ONCE = 24, 480, 8
PARTS = 4  # of a piece in which something cannot be read
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
        "adult": pl.Boolean,
        "softcore": pl.Boolean,
        "poster_path": pl.String,
        "backdrop_path": pl.String,
        "genres": pl.List(NAMED),
        "production_companies": pl.List(NAMED),
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
        "keywords": pl.Struct({"keywords": pl.List(NAMED)}),
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

    Args:
        payloads: Frames of `tmdb_id, payload`, and of what is to stay beside them.
        kind: What is read of them; `id` and `title` at least.

    Yields:
        The same frames with a `movie` instead of the payload, and one of `MALFORMED`.
    """
    reading = _Reading(kind)
    chunks = payloads.iter_slices(CHUNK)
    with ThreadPoolExecutor(pl.thread_pool_size()) as threads:
        while some := list(islice(chunks, AT_ONCE)):
            good, bad = zip(*threads.map(reading.read, some), strict=True)
            yield list(good), pl.concat(bad)


class _Reading:
    """Parses chunks, and takes out the payloads that are no sound movies.

    Whatever is made of a movie that is sound cannot fail: neither a row, nor people, nor names.
    """

    def __init__(self, kind: pl.Struct) -> None:
        movie, text = pl.col("movie"), pl.col("payload").cast(pl.String).str.strip_chars(" \t\r\n")
        # Polars reads the texts as one, in which a blank one would be none.
        parsed = pl.when(text != "").then(text).str.json_decode(kind)
        self._parsed = (pl.col("tmdb_id").cast(pl.Int64), parsed.alias("movie"))
        self._unread = (pl.col("tmdb_id").cast(pl.Int64), pl.lit(None, kind).alias("movie"))
        self._is_sound = pl.all_horizontal(
            (movie.struct.field("id") == pl.col("tmdb_id")).fill_null(value=False),
            movie.struct.field("title").is_not_null(),
            *_numbers(movie, kind),
        ).alias("is_sound")

    def read(self, chunk: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return its movies, in order, and what is `MALFORMED`."""
        parsed = [part for piece in chunk.iter_slices(PIECE) for part in self._parse(piece)]
        movies = pl.concat(parsed, rechunk=True)  # what is in many pieces is slow to go through
        is_sound = movies.select(self._is_sound).to_series()
        good, bad = movies.drop("payload"), MALFORMED.to_frame()
        if not is_sound.all():
            texts = movies.filter(~is_sound).select("tmdb_id", "payload").rows()
            told = [(tmdb_id, why_malformed(tmdb_id, text)) for tmdb_id, text in texts]
            good, bad = good.filter(is_sound), pl.DataFrame(told, MALFORMED, orient="row")
        return good, bad

    def _parse(self, piece: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield it with a `movie` for each payload, which is null where that cannot be read.

        Where polars finds one such it raises for the whole column: a piece is parted until that one
        stands alone. A text of two values makes two of them.
        """
        with suppress(pl.exceptions.PolarsError):
            movies = piece.with_columns(self._parsed)
            if movies.height == piece.height:
                yield movies
                return
        if piece.height == 1:
            yield piece.with_columns(self._unread)
            return
        for part in piece.iter_slices(max(piece.height // PARTS, 1)):
            yield from self._parse(part)


def _numbers(value: pl.Expr, kind: Any, name: str = "") -> Iterator[pl.Expr]:
    """Yield for each number in a value whether it can be meant, one expression for each name.

    Beyond 2 ** 53 a float is no exact number, nor is it one to Convex; an id is a whole one.
    """
    if isinstance(kind, pl.List):
        if inner := list(_numbers(pl.element(), kind.inner, name)):
            yield value.list.eval(pl.all_horizontal(inner)).list.all().fill_null(value=True)
    elif isinstance(kind, pl.Struct):
        for member, inner_kind in kind.to_schema().items():
            yield from _numbers(value.struct.field(member), inner_kind, member)
    elif kind == pl.Float64:
        fits = value.abs() < EXACT
        fits = fits & (value == value.floor()) if name == "id" else fits
        yield fits.fill_null(value=True)


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
    fields = {whole(key): inner for key, inner in value.items()}
    if names := sorted(_unreadable(fields)):
        return f"{_SHAPE}: {', '.join(names)[:LONGEST_NAMES]}"
    if names := sorted(_beyond(fields)):
        return f"{_BEYOND}: {', '.join(names)[:LONGEST_NAMES]}"
    return _SHAPE


def _unreadable(fields: dict[str, Any]) -> Iterator[str]:
    """Yield the names of those that polars cannot read, which are found by halves."""
    try:
        _read(fields)
    except pl.exceptions.PolarsError:
        in_order, middle = list(fields.items()), len(fields) // 2
        if middle == 0:
            yield in_order[0][0]
            return
        yield from _unreadable(dict(in_order[:middle]))
        yield from _unreadable(dict(in_order[middle:]))


def _beyond(fields: dict[str, Any]) -> list[str]:
    """Return the names of those in which a number cannot be meant."""
    read = _read(fields)
    sound = read.select(
        pl.all_horizontal(*_numbers(pl.col(name), kind, name), True).alias(name)
        for name, kind in read.schema.items()
    )
    return [name for name, is_sound in sound.row(0, named=True).items() if not is_sound]


def _read(fields: dict[str, Any]) -> pl.DataFrame:
    """Return what is read of them; any JSON will do where nothing is."""
    kind = {name: of for name, of in PAYLOAD.to_schema().items() if name in fields} or {
        "id": pl.Float64
    }
    read = pl.Series([json.dumps(fields)]).str.json_decode(pl.Struct(kind))
    return read.struct.unnest()
