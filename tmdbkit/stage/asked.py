"""What lists of titles asked for, beside the movies that came of it."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tmdbkit.schema import INSTANT
from tmdbkit.stage.log import Log
from tmdbkit.stage.storage import Root

TOLD = pl.Schema({"asked_title": pl.String(), "asked_year": pl.Int32()})
ASKED = pl.Schema({"tmdb_id": pl.Int64(), **TOLD, "at": INSTANT})
_SAME = ["tmdb_id", *TOLD]


def log_of(root: Root) -> Log:
    """Return the log of a stage's folder; a row is what one row of a list asked for."""
    return Log(root.under("asked"), ASKED, age=pl.col("at"), mixed=True)


def note(root: Root, asked: pl.DataFrame, at: datetime) -> int:
    """Keep what lists asked for, and return of how many movies that is not known yet.

    `asked` has `tmdb_id, asked_title, asked_year`; several rows may name one movie.
    """
    log = log_of(root)
    known = _newest(log).select(_SAME).collect()
    rows = asked.select(pl.col(name).cast(ASKED[name]) for name in _SAME).unique(
        maintain_order=True
    )
    changed = rows.join(known, on=_SAME, how="anti", nulls_equal=True)["tmdb_id"].unique()
    new = rows.filter(pl.col("tmdb_id").is_in(changed.implode()))
    if not new.is_empty():
        log.append(new.with_columns(at=pl.lit(at)))
    return changed.len()


def beside(table: pl.LazyFrame, log: Log) -> pl.LazyFrame:
    """Return the flat table with `TOLD`: of several rows that name a movie the one farthest off."""
    asked = _newest(log).select(_SAME).collect()
    joined = table.join(asked.lazy(), on="tmdb_id", how="left")
    if not asked["tmdb_id"].is_duplicated().any():
        return joined
    off = (pl.col("asked_year") - pl.col("year")).abs()
    return joined.sort(off, descending=True, nulls_last=True).unique("tmdb_id", keep="first")


def _newest(log: Log) -> pl.LazyFrame:
    """Return the rows that came last for each movie."""
    return log.scan().filter(pl.col("part") == pl.col("part").max().over("tmdb_id"))
