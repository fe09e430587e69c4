"""What rules find: one row a movie or rating that breaks one, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from tmdbkit.exceptions import UsageError
from tmdbkit.quality.features import features
from tmdbkit.quality.movie_rules import MOVIE_RULES
from tmdbkit.quality.rating_rules import RATING_RULES
from tmdbkit.quality.rule import Rule
from tmdbkit.quality.same_film import SAME_FILM_RULES
from tmdbkit.schema import INSTANT

RULES: tuple[Rule, ...] = (*RATING_RULES, *MOVIE_RULES, *SAME_FILM_RULES)
FINDINGS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "rule": pl.String(),
        "severity": pl.String(),
        "system": pl.String(),
        "value": pl.String(),
        "why": pl.String(),
        "proposal_field": pl.String(),
        "proposal_value": pl.String(),
        "of_column": pl.Boolean(),
    }
)


def find(
    movies: pl.DataFrame,
    ratings: pl.DataFrame,
    rules: Sequence[Rule] = RULES,
    *,
    now: datetime,
    columns: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return `FINDINGS`: errors before warnings, then by rule, then the farthest off.

    Args:
        movies: With `tmdb_id` and what there is of the columns of `stage.card.flat`; rules about
            others are passed over. `asked_title` and `asked_year` may say what was asked for.
        ratings: Preferred ones of these movies, frames of `RATINGS`.
        rules: What to look for.
        now: The time, for what is in the future or stale.
        columns: What `ratings.columns.explain` says of the columns, where these are some of many.

    Raises:
        UsageError: A rule of one's own cannot be computed.
    """
    order = {rule.name: place for place, rule in enumerate(rules)}
    rows = {
        "movie": movies.with_columns(pl.lit(now).cast(INSTANT).alias("now")),
        "rating": features(ratings, movies, now=now, columns=columns),
    }
    found = [_found(rows[kind], [rule for rule in rules if rule.of == kind]) for kind in rows]
    return (
        pl.concat([each for frames in found for each in frames] or [_nothing()])
        .sort(
            pl.col("severity") != "error",
            pl.col("rule").replace_strict(order, default=None, return_dtype=pl.Int32),
            -pl.col("degree"),
            "tmdb_id",
            "system",
        )
        .select(FINDINGS.names())
    )


def withheld(findings: pl.DataFrame) -> pl.DataFrame:
    """Return `tmdb_id, system` of the ratings that an error keeps out of a push."""
    errors = findings.filter(pl.col("severity") == "error").drop_nulls("system")
    return errors.select("tmdb_id", "system").unique(maintain_order=True)


def _found(rows: pl.DataFrame, rules: Sequence[Rule]) -> list[pl.DataFrame]:
    """Return what each rule finds, of those whose columns are there."""
    able = [rule for rule in rules if rule.needs() <= set(rows.columns)]
    try:
        return _found_together(rows, able)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if len(able) == 1:
            said = " ".join(str(error).partition("\n\n")[0].split())  # then it says where
            raise UsageError(f"the rule {able[0].name} cannot be looked at: {said}") from error
    return [found for rule in able for found in _found(rows, [rule])]  # one of them is wrong


def _found_together(rows: pl.DataFrame, able: Sequence[Rule]) -> list[pl.DataFrame]:
    # Lazily, so that what several rules compute is computed once.
    broken = (
        rows.lazy()
        .select(rule.expression.fill_null(value=False).alias(rule.name) for rule in able)
        .collect()
    )
    kept = [name for name in ("tmdb_id", "title", "system") if name in rows.columns]
    return [
        # In one piece: polars 2.1 panics when it formats a frame whose first chunk is empty.
        _complete(rule.finds(rows.filter(broken[rule.name]).rechunk(), kept))
        for rule in able
        if broken[rule.name].any()
    ]


def _complete(found: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of `FINDINGS`, null where the rows had none, and `degree`."""
    missing = [pl.lit(None, dtype).alias(n) for n, dtype in FINDINGS.items() if n not in found]
    return found.with_columns(missing).select(
        *(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items()), "degree"
    )


def _nothing() -> pl.DataFrame:
    return FINDINGS.to_frame().with_columns(pl.lit(None, pl.Float64).alias("degree"))
