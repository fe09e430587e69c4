"""The import log as it is read: each intent with its outcome, and the pushes that they are of."""

from __future__ import annotations

import polars as pl

from tmdbkit.stage.tables import IMPORTS, OUTCOMES

CHANGE = ["push", "tmdb_id"]
WROTE = pl.col("outcome").is_in(["created", "updated", "deleted"])
VALUES = ("before", "after", "content_hash")


def joined(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each movie of a push, and at which `place` of the log it is.

    A row is logged before a change is sent, and has its values; another one, without them, says
    what came of it, `unknown` where there is none. Where several say so, since somebody looked
    too early, what was done counts, else the latest. Rows of older tmdbkits have it all in one.
    """
    logged = rows.unique(maintain_order=True).with_row_index("place")
    intents = logged.filter(pl.col("kind").is_not_null())
    said = logged.filter(pl.col("kind").is_null())
    last = said.sort(WROTE, "place").unique(CHANGE, keep="last", maintain_order=True)
    of_intents = intents.drop("outcome", "reason", "withheld").join(
        last.select(*CHANGE, "outcome", "reason", "withheld"), on=CHANGE, how="left"
    )
    alone = said.join(intents, on=CHANGE, how="anti")
    filled = of_intents.with_columns(
        pl.col("outcome").fill_null("unknown"),
        pl.col("reason").fill_null(""),
        pl.col("withheld").fill_null(0),
    )
    names = alone.collect_schema().names()
    return pl.concat([alone, filled.select(names)])


def read(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the joined rows in the order of time."""
    return joined(rows).sort("pushed_at", "tmdb_id").select(IMPORTS.names()).collect()


def unsettled(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the joined rows of all movies with an intent of which not all is known, as logged.

    That one was not done may have been found too early, until something else was.
    """
    wrote = pl.col("place").filter(WROTE).max().over("target", "tmdb_id")
    is_open = pl.col("kind").is_not_null() & ~WROTE & ~pl.col("outcome").is_in(["conflict"])
    latest = wrote.is_null() | (wrote < pl.col("place"))
    found = joined(rows.drop(VALUES)).filter(is_open & latest).select("tmdb_id").unique().collect()
    if found.is_empty():
        return IMPORTS.to_frame()
    of_these = rows.filter(pl.col("tmdb_id").is_in(found["tmdb_id"].implode()))
    return joined(of_these).sort("place").select(IMPORTS.names()).collect()


def by_push(imports: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each push, the newest first: when, which plan, where to, outcomes."""
    of_outcome = {
        name: (pl.col("outcome") == outcome).sum().cast(pl.Int64)
        for name, outcome in OUTCOMES.items()
    }
    rows = imports.group_by("push", "plan", "target").agg(
        pl.col("pushed_at").min().alias("began_at"),
        pl.len().cast(pl.Int64).alias("movies"),
        **of_outcome,
    )
    return rows.sort("began_at", "push", descending=True)
