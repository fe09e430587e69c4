"""Whether an IMDb id is that of the film: what IMDb has of it beside what TMDB has, and rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl

from tmdbkit.matching.titles import likeness
from tmdbkit.quality.movie_rules import DAY, FORM
from tmdbkit.quality.rule import Rule

MoreTitles = Callable[[list[int]], Mapping[int, Iterable[str]]]

# What speaks for one film, and against it, as natural logarithms of how many times as often it is
# so of right ids as of wrong ones; fitted by `tests.benchmarks.same_film`.
ALIKE, PARTLY = 0.9, 0.8  # likeness of titles that are the same; of those with a part in common
SAME_TITLE, PART_OF_TITLE, OTHER_TITLE = 0.7, 0.5, -2.8
YEARS, OTHER_YEAR = {0: 2.8, 1: 0.4, 2: -1.2, 5: -2.7, 12: -5.0}, -7.0
MINUTES, OTHER_MINUTES = {1: 3.3, 3: 0.8, 7: -0.7, 15: -1.0}, -4.0
DOUBTFUL = -2.8

SERIES = {
    "tvSeries": "a series",
    "tvMiniSeries": "a mini-series",
    "tvEpisode": "an episode",
    "tvPilot": "a pilot",
    "videoGame": "a game",
}
FILMS = {
    "movie": "a film",
    "tvMovie": "a television film",
    "video": "a video",
    "tvSpecial": "a special",
    "short": "a short",
    "tvShort": "a short for television",
}
SHORTS = ("short", "tvShort")
LONGEST_SHORT, SHORTEST_FEATURE = 45, 60  # minutes; what is between may count as either
NEW = 90  # days from the release in which a data set may not have a film
IMDB_TITLES = ("imdb_title", "imdb_original_title")
KINDS = {**SERIES, **FILMS}


def beside_imdb(
    movies: pl.DataFrame, known: pl.DataFrame, since: datetime, more_titles: MoreTitles
) -> pl.DataFrame:
    """Return movies with what IMDb has of their ids, and in `imdb_likeness` how alike the titles.

    Args:
        movies: With `tmdb_id, imdb_id` and what there is of `title, original_title`.
        known: What IMDb has, frames of `ratings.imdb_titles.TITLES`.
        since: Since when it has that.
        more_titles: Returns what else movies are called, by `tmdb_id`; asked for those alone that
            nothing else makes alike.
    """
    free = movies.drop((name for name in known.columns if name != "imdb_id"), strict=False)
    rows = free.join(known, on="imdb_id", how="left", maintain_order="left")
    names = [name for name in ("title", "original_title") if name in movies.columns]
    called = rows.select(
        "tmdb_id", pl.concat_list(names), theirs=pl.concat_list(*IMDB_TITLES)
    ).rows()
    alike = [best_likeness(ours, theirs) for _, ours, theirs in called]
    pairs = zip(called, alike, strict=True)
    unlike = {n for (n, _, theirs), found in pairs if any(theirs) and (found or 0.0) < ALIKE}
    more = more_titles(sorted(unlike)) if unlike else {}
    for place, (tmdb_id, ours, theirs) in enumerate(called):
        if tmdb_id in more:
            alike[place] = best_likeness([*ours, *more[tmdb_id]], theirs)
    return rows.with_columns(
        pl.Series("imdb_likeness", alike, pl.Float64), imdb_since=pl.lit(since)
    )


def best_likeness(ours: Sequence[str | None], theirs: Sequence[str | None]) -> float | None:
    """Return how alike the two titles are that are most so; None where scripts differ.

    A title in one script says nothing about one in another.
    """
    pairs = [(one, other) for one in ours if one for other in theirs if other]
    if any(one == other for one, other in pairs):
        return 1.0
    comparable = [pair for pair in pairs if _is_comparable(*map(_scripts, pair))]
    return max((likeness(one, other) for one, other in comparable), default=None)


def _is_comparable(one: set[str], other: set[str]) -> bool:
    return not one or not other or bool(one & other)


def _scripts(title: str) -> set[str]:
    """Return the scripts of a title's letters, such as `LATIN` and `HANGUL`."""
    return {unicodedata.name(c, "").partition(" ")[0] for c in re.findall(r"[^\W\d_]", title)}


def _by_gap(one: str, other: str, weights: Mapping[int, float], beyond: float) -> pl.Expr:
    """Return what two numbers say by how far they are apart; nothing where one is not known."""
    known = (pl.col(one) > 0) & (pl.col(other) > 0)
    gap = (pl.col(one).cast(pl.Int64) - pl.col(other).cast(pl.Int64)).abs()
    weight = pl.lit(beyond)
    for most in sorted(weights, reverse=True):
        weight = pl.when(gap <= most).then(weights[most]).otherwise(weight)
    return pl.when(known).then(weight).otherwise(0.0)


def _evidence() -> pl.Expr:
    """Return how much speaks for one film, in natural logarithms of how often right ids have it."""
    alike = pl.col("imdb_likeness")
    titles = pl.when(alike >= ALIKE).then(SAME_TITLE).when(alike >= PARTLY).then(PART_OF_TITLE)
    return (
        pl.when(alike.is_null()).then(0.0).otherwise(titles.otherwise(OTHER_TITLE))
        + _by_gap("year", "imdb_year", YEARS, OTHER_YEAR)
        + _by_gap("runtime_minutes", "imdb_minutes", MINUTES, OTHER_MINUTES)
    )


def _said(*parts: pl.Expr) -> pl.Expr:
    return pl.concat_str(*parts, separator=", ", ignore_nulls=True)


KIND, IMDB_MINUTES, RUNTIME = pl.col("imdb_kind"), pl.col("imdb_minutes"), pl.col("runtime_minutes")
HAS = _said(
    pl.col("imdb_title"),
    pl.when(pl.col("imdb_original_title") != pl.col("imdb_title")).then("imdb_original_title"),
    pl.col("imdb_year"),
    IMDB_MINUTES.cast(pl.String) + " min",
    KIND.replace(KINDS),
)
TMDB_HAS = pl.format(
    "TMDB has: {}",
    _said(
        pl.col("title"), pl.col("year"), pl.when(RUNTIME > 0).then(RUNTIME).cast(pl.String) + " min"
    ),
)
IS_SERIES = KIND.is_in(list(SERIES))
IS_SHORT = (
    KIND.is_in(SHORTS)
    & (IMDB_MINUTES.fill_null(0) <= LONGEST_SHORT)
    & (RUNTIME >= SHORTEST_FEATURE)
)
IS_FEATURE = (
    ~KIND.is_in(SHORTS) & (IMDB_MINUTES >= SHORTEST_FEATURE) & RUNTIME.is_between(1, LONGEST_SHORT)
)
SINCE = pl.col("imdb_since").dt.date()
IS_NEW = (SINCE - timedelta(days=NEW) < DAY).fill_null(value=True)
NOTE = (
    pl.when(IS_NEW)
    .then(pl.lit("; the film is new, and may be in a later one"))
    .otherwise(pl.lit(""))
)


def _warning(name: str, sentence: str, broken: pl.Expr) -> Rule:
    return Rule(name, "warning", sentence, broken, "movie", HAS, TMDB_HAS, degree=-_evidence())


SAME_FILM_RULES = (
    _warning(
        "imdb_id_other_film",
        "The IMDb id is another film's, by titles, year and runtime",
        (_evidence() < DOUBTFUL) & ~IS_SERIES & ~(IS_SHORT | IS_FEATURE).fill_null(value=False),
    ),
    _warning(
        "imdb_id_series",
        "The IMDb id is that of a series, an episode or a game",
        IS_SERIES,
    ),
    _warning(
        "imdb_id_short",
        "Of the film and what has the IMDb id, one is a short and the other a feature",
        IS_SHORT | IS_FEATURE,
    ),
    Rule(
        "imdb_id_unknown",
        "warning",
        "IMDb's data set does not have the IMDb id",
        KIND.is_null() & pl.col("imdb_id").str.contains(FORM),
        "movie",
        pl.col("imdb_id"),
        pl.format("not in the data set of {}{}", SINCE, NOTE),
        degree=pl.when(IS_NEW).then(0.5).otherwise(1.0),
    ),
)
