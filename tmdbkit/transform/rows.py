"""Payloads to rows: pure polars, no clock, no network, no disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from tmdbkit.schema import CREW, GENRE, INSTANT, POINTS, ROW, SYSTEMS, VOTES
from tmdbkit.transform.languages import LANGUAGES
from tmdbkit.transform.payloads import MALFORMED, decode
from tmdbkit.transform.shape import (
    DEFAULTS,
    FLAGS,
    ROWS,
    STORED,
    TIERS,
    Options,
    Tier,
    line_of,
    shaped,
)
from tmdbkit.transform.slugs import movie_slug

# Raise it whenever the same payload would give another row: stages follow by themselves.
VERSION = 4

DIRECTORS, WRITERS = ("Director",), ("Screenplay", "Writer", "Story")  # jobs, as TMDB names them
# Theatrical first: a premiere (1) often has no certification, or another one.
RELEASE_TYPES = (3, 2, 4, 5, 6, 1)


@dataclass(frozen=True)
class Transformed:
    """Rows, and the payloads that could not become one.

    Attributes:
        rows: One for each good payload, in the order of the payloads: of `STORED` where they were
            derived, of `ROWS` where they were transformed.
        malformed: `tmdb_id, reason` of the others.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame


CREDIT = pl.Schema({"tmdb_id": pl.Int64(), **CREW})


def transform(payloads: pl.DataFrame, options: Options = DEFAULTS) -> Transformed:
    """Make rows of a frame of `tmdb_id, payload, fetched_at`, shaped by the options.

    A malformed payload is found, reported and left out; the others go on. The result has the same
    schema for any input, the empty one too.
    """
    made = derive(payloads)
    rows = shaped(made.rows.lazy(), options).select(ROWS.names()).collect()
    return Transformed(rows, made.malformed)


def derive(payloads: pl.DataFrame) -> Transformed:
    """Make the rows that a stage keeps, from which those of any options are shaped."""
    rows, malformed = [STORED.to_frame()], [MALFORMED.to_frame()]
    for chunks, bad in decode(payloads):
        rows += pl.collect_all([_rows(chunk.lazy()) for chunk in chunks])
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


def _rows(decoded: pl.LazyFrame) -> pl.LazyFrame:
    at = pl.col("fetched_at").cast(INSTANT)
    movie = decoded.select(at, pl.col("movie").struct.unnest()).with_columns(billed=_billed())
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
        _certifications().alias("certifications"),
        _image("poster_path").alias("main_poster"),
        _image("backdrop_path").alias("main_backdrop"),
        _nothing("screenshots"),
        _trailer().alias("trailer_url"),
        *(_of_tier(tier, "id").cast(pl.List(pl.Int64)).alias(tier.ids) for tier in TIERS),
        _ids(_section("credits", "crew")).alias("crew"),
        _ids(_of_jobs(DIRECTORS)).alias("directors"),
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
        *(_of_tier(tier, "name").alias(tier.names) for tier in TIERS),
        _called(_of_jobs(DIRECTORS)).alias("director_names"),
        _called(pl.col("genres")).alias("genre_names"),
        _called(_of_jobs(WRITERS)).alias("writer_names"),
        _called(_section("keywords", "keywords")).alias("keyword_names"),
        _called(pl.col("production_companies")).alias("studio_names"),
        *(pl.col(name).fill_null(value=False) for name in FLAGS),
        "fetched_at",
    ).match_to_schema(STORED)


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


def _image(name: str) -> pl.Expr:
    return pl.when(_text(name) != "").then(_text(name))


def _section(section: str, name: str) -> pl.Expr:
    return pl.col(section).struct.field(name)


def _by_billing(cast: pl.Expr) -> pl.Expr:
    order = pl.element().struct.field("order").fill_null(float("inf"))
    return cast.list.eval(pl.element().sort_by(order, maintain_order=True))


def _billed() -> pl.Expr:
    """Return everybody in the cast once, by billing."""
    ids = pl.element().struct.field("id")
    once = pl.element().filter(ids.is_not_null() & ids.is_first_distinct())
    return _by_billing(_section("credits", "cast")).list.eval(once).fill_null([])


def _of_tier(tier: Tier, member: str) -> pl.Expr:
    """Return a member of those who are billed in a tier; one that is missing keeps its place."""
    billed = pl.col("billed")
    first = billed if tier.count is None else billed.list.head(tier.count)
    return first.list.eval(pl.element().struct.field(member))


def _of_jobs(jobs: tuple[str, ...]) -> pl.Expr:
    has_one = pl.element().struct.field("job").is_in(list(jobs))
    return _section("credits", "crew").list.eval(pl.element().filter(has_one))


def _ids(people_or_things: pl.Expr) -> pl.Expr:
    """Return their ids in order, without repeats."""
    ids = people_or_things.list.eval(
        pl.element().struct.field("id").cast(pl.Int64).drop_nulls().unique(maintain_order=True)
    )
    return ids.fill_null([])


def _called(people_or_things: pl.Expr) -> pl.Expr:
    """Return the names that belong to `_ids`."""
    ids = pl.element().struct.field("id")
    each = pl.element().filter(ids.is_not_null() & ids.is_first_distinct())
    return people_or_things.list.eval(each.struct.field("name").drop_nulls()).fill_null([])


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


def _certifications() -> pl.Expr:
    """Return a line for each region: its first that is not empty, theatrical releases first."""
    entry = pl.element().struct
    releases = entry.field("release_dates")
    each = releases.explode(empty_as_null=False, keep_nulls=False).struct
    regions = entry.field("iso_3166_1").repeat_by(releases.list.len().fill_null(0))
    ranks = {float(kind): place for place, kind in enumerate(RELEASE_TYPES)}
    every = _section("release_dates", "results").list.eval(
        pl.struct(
            regions.explode(empty_as_null=False, keep_nulls=False).alias("region"),
            each.field("certification").str.strip_chars().alias("certification"),
            each.field("type").replace_strict(ranks, default=len(ranks)).alias("rank"),
        )
    )
    given = every.list.eval(pl.element().filter(entry.field("certification") != ""))
    ranked = given.list.eval(pl.element().sort_by(entry.field("rank"), maintain_order=True))
    lines = line_of(entry.field("region"), entry.field("certification"))
    first = ranked.list.eval(lines.filter(entry.field("region").is_first_distinct()))
    return first.list.join("\n").fill_null("")


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
