"""Rules about a movie's document; none is an error, since TMDB may send all of it."""

from __future__ import annotations

import polars as pl

from tmdbkit.quality.rule import Rule
from tmdbkit.transform.languages import LANGUAGES

LONGEST = 20 * 60  # minutes
MILLIONS = 1_000  # a budget below is more likely millions than dollars
SHOWN = 3  # movies that are named of those that share something
YEARS = 1  # a festival and the release may lie in two years

IMDB, BUDGET, RUNTIME = pl.col("imdb_id"), pl.col("budget"), pl.col("runtime_minutes")
SLUG, STATUS, DATE = pl.col("slug"), pl.col("status"), pl.col("release_date")
LANGUAGE, POSTER = pl.col("original_language"), pl.col("main_poster")
DAY = DATE.str.to_date("%Y-%m-%d", strict=False)
FORM = r"^tt\d{7,}$"


def _shared(name: pl.Expr) -> pl.Expr:
    return (name != "") & name.is_duplicated()


def _by_whom(name: pl.Expr) -> pl.Expr:
    """Return which movies share a value, of those that do; the first few of many."""
    movies = pl.format("{} ({})", pl.col("title").fill_null("a movie"), pl.col("tmdb_id"))
    shown = movies.head(SHOWN).str.join(" and ").over(name)
    more = pl.len().over(name).cast(pl.Int64) - SHOWN
    rest = pl.when(more > 0).then(pl.format(" and {} more", more)).otherwise(pl.lit(""))
    return pl.format("{}{}", shown, rest)


def _plain(title: pl.Expr) -> pl.Expr:
    """Return a title's letters and digits, without accents, case and a leading article."""
    letters = title.str.normalize("NFKD").str.to_lowercase()
    return letters.str.replace_all(r"^(?:the|an?) |[^\p{L}\p{N}]+", "")


def _is_titled(title: str) -> pl.Expr:
    """Return whether one of two titles begins or ends with the other."""
    differ = pl.col("asked_title").str.to_lowercase() != pl.col(title).str.to_lowercase()
    asked, own = (_plain(pl.when(differ).then(name)) for name in ("asked_title", title))
    longer = own.str.starts_with(asked) | own.str.ends_with(asked)
    shorter = (own != "") & (asked.str.starts_with(own) | asked.str.ends_with(own))
    return ~differ | longer | shorter


def _warning(
    name: str, sentence: str, broken: pl.Expr, value: pl.Expr, why: pl.Expr | None = None
) -> Rule:
    return Rule(name, "warning", sentence, broken, "movie", value, why)


MOVIE_RULES = (
    _warning(
        "imdb_id_malformed",
        "The IMDb id is none: tt and at least seven digits",
        (IMDB != "") & ~IMDB.str.contains(FORM),
        IMDB,
    ),
    _warning(
        "imdb_id_is_tmdb_id",
        "The IMDb id is the movie's TMDB id",
        IMDB.str.extract(r"^(?:tt)?0*(\d+)$").cast(pl.Int64, strict=False)
        == pl.col("tmdb_id").cast(pl.Int64),
        IMDB,
    ),
    _warning(
        "imdb_id_shared",
        "Two movies have the same IMDb id",
        _shared(IMDB),
        IMDB,
        _by_whom(IMDB),
    ),
    _warning(
        "title_not_asked_for",
        "The title is not the one that was asked for",
        (pl.col("asked_title") != "") & ~_is_titled("title") & ~_is_titled("original_title"),
        pl.col("title"),
        pl.format("asked for: {}", pl.col("asked_title")),
    ),
    _warning(
        "year_not_asked_for",
        "The year is not the one that was asked for",
        (pl.col("year").cast(pl.Int64) - pl.col("asked_year").cast(pl.Int64)).abs() > YEARS,
        pl.col("year"),
        pl.format("asked for: {}", pl.col("asked_year")),
    ),
    _warning(
        "date_malformed",
        "The release date is none: YYYY-MM-DD",
        (DATE != "") & (DAY.is_null() | ~DATE.str.contains(r"^\d{4}-\d\d-\d\d$")),
        DATE,
    ),
    _warning(
        "released_in_future",
        "The film counts as released, and its date is still to come",
        (STATUS == "Released") & (pl.col("now").dt.date() < DAY),
        DATE,
    ),
    _warning(
        "runtime_missing",
        "A released film without a runtime",
        (STATUS == "Released") & (RUNTIME.fill_null(0) <= 0),
        pl.when(RUNTIME != 0).then(RUNTIME),
    ),
    _warning("runtime_long", "The film runs for more than 20 hours", RUNTIME > LONGEST, RUNTIME),
    _warning(
        "budget_in_millions",
        "The budget is below 1,000 dollars, as if it were in millions",
        (BUDGET > 0) & (BUDGET < MILLIONS),
        BUDGET,
    ),
    _warning("slug_empty", "The slug is empty", SLUG.fill_null("") == "", SLUG),
    _warning("slug_repeated", "Two movies have the same slug", _shared(SLUG), SLUG, _by_whom(SLUG)),
    _warning(
        "synopsis_missing",
        "There is no synopsis",
        pl.col("synopsis").fill_null("").str.strip_chars() == "",
        pl.lit(""),
    ),
    _warning(
        "taken_back",
        "TMDB has no longer what it had when the movie was fetched before",
        pl.col("taken_back").fill_null("") != "",
        pl.col("taken_back"),
    ),
    _warning("not_on_tmdb", "TMDB has the movie no longer", pl.col("not_on_tmdb"), pl.lit("")),
    _warning("adult", "TMDB has it among films for adults alone", pl.col("adult"), pl.lit("")),
    _warning("softcore", "TMDB has it among softcore films", pl.col("softcore"), pl.lit("")),
    _warning("poster_missing", "TMDB has no poster", POSTER.fill_null("") == "", POSTER),
    _warning(
        "language_unknown",
        "The original language is none that TMDB knows",
        ~LANGUAGE.fill_null("").is_in(list(LANGUAGES.values())),
        LANGUAGE,
    ),
    _warning(
        "director_missing",
        "Nobody is named as director",
        pl.col("directors").list.len().fill_null(0) == 0,
        pl.lit(""),
        pl.col("directors").list.len().cast(pl.String) + " directors",
    ),
)
