"""Payloads to rows: pure polars, no clock, no network, no disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.images import PREFIX
from tmdbkit.schema import CREW, GENRE, INSTANT, POINTS, ROW, SYSTEMS, VOTES
from tmdbkit.transform.languages import LANGUAGES
from tmdbkit.transform.payloads import MALFORMED, decode
from tmdbkit.transform.slugs import movie_slug

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tmdbkit.settings import Settings

# Raise it whenever the same payload would give another row: stages follow by themselves.
VERSION = 2

# Theatrical first: a premiere (1) often has no certification, or another one.
RELEASE_TYPES = (3, 2, 4, 5, 6, 1)


@dataclass(frozen=True)
class Options:
    """What of the settings shapes a row.

    Attributes:
        images: Whether a row holds an image's `url` or its bare `path`.
        poster_size: TMDB's name of a poster's size.
        backdrop_size: TMDB's name of a backdrop's size.
        cast: How many of the cast a row holds, by billing.
        region: Whose certifications, ISO 3166-1.
    """

    images: str = "url"
    poster_size: str = "w500"
    backdrop_size: str = "w1280"
    cast: int = 10
    region: str = "US"

    @classmethod
    def of(cls, settings: Settings) -> Options:
        """Take them from the settings."""
        return cls(
            settings.images,
            settings.poster_size,
            settings.backdrop_size,
            settings.cast,
            settings.region,
        )

    def tag(self) -> str:
        """Return the transform's version with these options: rows of another tag are made again."""
        return "/".join(
            map(
                str,
                (
                    VERSION,
                    self.images,
                    self.poster_size,
                    self.backdrop_size,
                    self.cast,
                    self.region,
                ),
            )
        )


@dataclass(frozen=True)
class Transformed:
    """Rows, and the payloads that could not become one.

    Attributes:
        rows: One of `ROWS` for each good payload, in the order of the payloads.
        malformed: `tmdb_id, reason` of the others.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame


NAMES = pl.Struct(dict.fromkeys(("cast", "directors", "genres"), pl.List(pl.String)))
ROWS = pl.Schema({**ROW, "names": NAMES, "fetched_at": INSTANT})  # names are for reading only
CREDIT = pl.Schema({"tmdb_id": pl.Int64(), **CREW})


def transform(payloads: pl.DataFrame, options: Options = Options()) -> Transformed:
    """Make rows of a frame of `tmdb_id, payload, fetched_at`.

    A malformed payload is found, reported and left out; the others go on. The result has the same
    schema for any input, the empty one too.
    """
    rows, malformed = [ROWS.to_frame()], [MALFORMED.to_frame()]
    for chunks, bad in decode(payloads):
        rows += pl.collect_all([_rows(chunk.lazy(), options) for chunk in chunks])
        malformed.append(bad)
    return Transformed(pl.concat(rows), pl.concat(malformed))


def people(payloads: pl.DataFrame) -> pl.DataFrame:
    """Return `CREDIT`, `tmdb_id` and `schema.CREW`: everybody in the credits, once for each job.

    The job of the cast is "Actor". Order: cast by billing, then crew, as TMDB has them.
    """
    job = pl.col("person").struct.field("job")
    cast, crew = [CREDIT.to_frame()], [CREDIT.to_frame()]
    for chunk in _decoded(payloads):
        cast.append(_credited(chunk, "cast", pl.lit("Actor")))
        crew.append(_credited(chunk, "crew", job))
    return pl.concat(cast + crew).unique(maintain_order=True)


def genres(payloads: pl.DataFrame) -> pl.DataFrame:
    """Return `schema.GENRE`: the genres that the payloads name."""
    genre = pl.col("genre").struct
    named = [
        chunk.select(pl.col("movie").struct.field("genres").alias("genre"))
        .explode("genre", empty_as_null=False, keep_nulls=False)
        .select(genre.field("id").cast(pl.Int64).alias("genre_id"), genre.field("name"))
        for chunk in _decoded(payloads)
    ]
    found = pl.concat([GENRE.to_frame(), *named]).drop_nulls()
    return found.unique("genre_id", maintain_order=True).sort("genre_id")


def _decoded(payloads: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield frames of `tmdb_id, movie`, without the malformed ones."""
    for chunks, _ in decode(payloads):
        yield from chunks


def _credited(decoded: pl.DataFrame, section: str, job: pl.Expr) -> pl.DataFrame:
    person = pl.col("person").struct
    credited = pl.col("movie").struct.field("credits").struct.field(section)
    in_order = _by_billing(credited) if section == "cast" else credited
    return (
        decoded.select("tmdb_id", in_order.alias("person"))
        .explode("person", empty_as_null=False, keep_nulls=False)
        .select(
            "tmdb_id",
            person.field("id").cast(pl.Int64).alias("crew_id"),
            person.field("name").alias("crew_name"),
            job.alias("crew_type"),
        )
        .drop_nulls()
    )


def _rows(decoded: pl.LazyFrame, options: Options) -> pl.LazyFrame:
    at = pl.col("fetched_at").cast(INSTANT)
    movie = decoded.select(at, pl.col("movie").struct.unnest())
    return movie.select(
        _title().alias("title"),
        _whole("id").alias("tmdb_id"),
        _text("imdb_id").alias("imdb_id"),
        _slug().alias("slug"),
        _text("original_title").alias("original_title"),
        _language_name("original_language").alias("original_language"),
        _text("overview").alias("synopsis"),
        _text("tagline").alias("tagline"),
        _text("status").alias("status"),
        _text("release_date").alias("release_date"),
        _whole("runtime").alias("runtime_minutes"),
        _whole("budget").alias("budget"),
        _whole("revenue").alias("revenue"),
        pl.col("popularity").fill_null(0.0).alias("popularity"),
        _certification(options.region).alias("mpaa_rating"),
        _image("poster_path", options.images, options.poster_size).alias("main_poster"),
        _image("backdrop_path", options.images, options.backdrop_size).alias("main_backdrop"),
        _nothing("screenshots"),
        _trailer().alias("trailer_url"),
        _ids(_cast()).list.head(options.cast).alias("cast"),
        _ids(_section("credits", "crew")).alias("crew"),
        _ids(_directors()).alias("directors"),
        _ids(pl.col("genres")).alias("genres"),
        _ids(_section("keywords", "keywords")).alias("keywords"),
        _ids(pl.col("production_companies")).alias("production_studio"),
        _names(pl.col("production_countries"), pl.element().struct.field("name")).alias("country"),
        _names(pl.col("spoken_languages"), _spoken()).alias("language"),
        _nothing("mood"),
        _collection().alias("belong_to_collection"),
        _systems(VOTES, _whole("vote_count")).alias("vote_count_system"),
        _systems(POINTS, pl.col("vote_average")).alias("vote_pts_system"),
        pl.col("fetched_at").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").alias("tmdb_data_imported_at"),
        pl.struct(
            _called(_cast(), options.cast).alias("cast"),
            _called(_directors()).alias("directors"),
            _called(pl.col("genres")).alias("genres"),
        ).alias("names"),
        "fetched_at",
    ).match_to_schema(ROWS)


def _text(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars().fill_null("")


def _whole(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0).cast(pl.Int64)


def _title() -> pl.Expr:
    title = _text("title")
    return pl.when(title != "").then(title).otherwise(_text("original_title"))


def _slug() -> pl.Expr:
    def slugs(batch: pl.Series) -> pl.Series:
        titles = zip(*(batch.struct.field(name) for name in batch.struct.fields), strict=True)
        return pl.Series([movie_slug(*title) for title in titles], dtype=pl.String)

    parts = pl.struct(_text("title"), _text("original_title"), _whole("id"))
    return parts.map_batches(slugs, return_dtype=pl.String, is_elementwise=True)


def _language_name(name: str) -> pl.Expr:
    """Return the English name of a language code; a code that TMDB does not list stays as it is."""
    return _text(name).replace(LANGUAGES)


def _image(name: str, form: str, size: str) -> pl.Expr:
    path = pl.when(_text(name) != "").then(_text(name))
    return pl.lit(f"{PREFIX}{size}") + path if form == "url" else path


def _section(section: str, name: str) -> pl.Expr:
    return pl.col(section).struct.field(name)


def _by_billing(cast: pl.Expr) -> pl.Expr:
    order = pl.element().struct.field("order").fill_null(float("inf"))
    return cast.list.eval(pl.element().sort_by(order, maintain_order=True))


def _cast() -> pl.Expr:
    return _by_billing(_section("credits", "cast"))


def _directors() -> pl.Expr:
    is_director = pl.element().struct.field("job") == "Director"
    return _section("credits", "crew").list.eval(pl.element().filter(is_director))


def _ids(people_or_things: pl.Expr) -> pl.Expr:
    """Return their ids in order, without repeats."""
    ids = people_or_things.list.eval(
        pl.element().struct.field("id").cast(pl.Int64).drop_nulls().unique(maintain_order=True)
    )
    return ids.fill_null([])


def _called(people_or_things: pl.Expr, most: int | None = None) -> pl.Expr:
    """Return the names that belong to `_ids`, of the first so many."""
    ids = pl.element().struct.field("id")
    each = pl.element().filter(ids.is_not_null() & ids.is_first_distinct())
    first = each if most is None else each.head(most)
    return people_or_things.list.eval(first.struct.field("name").drop_nulls()).fill_null([])


def _names(things: pl.Expr, name: pl.Expr) -> pl.Expr:
    names = name.str.strip_chars()
    return things.list.eval(
        names.filter(names != "").unique(maintain_order=True)  # a missing name is no name
    ).fill_null([])


def _spoken() -> pl.Expr:
    """Return a spoken language's English name; where TMDB left it empty, that of its code."""
    spoken = pl.element().struct
    english = spoken.field("english_name")
    code = spoken.field("iso_639_1")
    by_code = code.replace_strict(LANGUAGES, default=None, return_dtype=pl.String)
    return pl.when(english != "").then(english).otherwise(by_code).fill_null(spoken.field("name"))


def _certification(region: str) -> pl.Expr:
    """Return the region's first certification that is not empty, theatrical releases first."""
    in_region = pl.element().struct.field("iso_3166_1") == region
    releases = (
        _section("release_dates", "results")
        .list.eval(pl.element().filter(in_region).struct.field("release_dates").explode())
        .list
    )
    certification = pl.element().struct.field("certification").str.strip_chars()
    rank = (
        pl.element()
        .struct.field("type")
        .replace_strict(
            {float(kind): place for place, kind in enumerate(RELEASE_TYPES)},
            default=len(RELEASE_TYPES),
        )
    )
    given = releases.eval(
        certification.sort_by(rank, maintain_order=True).filter(
            certification.sort_by(rank, maintain_order=True) != ""
        )
    )
    return given.list.first().fill_null("")


def _trailer() -> pl.Expr:
    """Return the address of a trailer on YouTube, an official one first, never another site's."""
    video = pl.element().struct
    is_trailer = (
        (video.field("site") == "YouTube")
        & (video.field("type") == "Trailer")
        & (video.field("key") != "")
    )
    trailers = pl.element().filter(is_trailer)
    official = trailers.struct.field("official").fill_null(value=False)
    keys = _section("videos", "results").list.eval(
        trailers.struct.field("key").sort_by(official, descending=True, maintain_order=True)
    )
    return ("https://www.youtube.com/watch?v=" + keys.list.first()).fill_null("")


def _collection() -> pl.Expr:
    member = pl.col("belongs_to_collection").struct
    collection = pl.struct(
        member.field("id").cast(pl.Int64),
        member.field("name").fill_null(""),
        member.field("poster_path"),
        member.field("backdrop_path"),
    )
    return pl.when(member.field("id").is_not_null()).then(collection)


def _systems(dtype: pl.Struct, tmdb: pl.Expr) -> pl.Expr:
    """Return the five systems with TMDB's own value; without votes there is none."""
    rated = pl.when(pl.col("vote_count") > 0).then(tmdb)
    kinds = dtype.to_schema()
    return pl.struct(
        (rated if system == "tmdb" else pl.lit(None)).cast(kinds[system]).alias(system)
        for system in SYSTEMS
    )


def _nothing(name: str) -> pl.Expr:
    return pl.lit([], dtype=ROW[name]).alias(name)
