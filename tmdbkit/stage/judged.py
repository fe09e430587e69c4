"""The flat table with what is said of each movie: by rules, by the systems together, by people.

What it takes needs as long to import as a movie's card to be shown, so that nobody does at once.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tmdbkit.quality import find, withheld
from tmdbkit.ratings.aggregate import consensus
from tmdbkit.schema import SYSTEMS
from tmdbkit.stage.card import AGREED, FOR_RULES_ALONE
from tmdbkit.stage.decisions import verdicts
from tmdbkit.stage.store import StageStore
from tmdbkit.stage.waivers import RATING, not_waived


def findings_of(store: StageStore, tmdb_id: int) -> pl.DataFrame:
    """Return what rules find that look at one movie."""
    return find(*store.for_rules([tmdb_id]), now=store.now())


def flat_table(
    movies: pl.DataFrame,
    ratings: pl.DataFrame,
    decisions: pl.DataFrame,
    *,
    now: datetime,
    raw: bool,
) -> pl.DataFrame:
    """Return the flat table with `AGREED`, `findings`, `decision`; without what a push withholds.

    Where it is `raw`, the withheld points and votes are shown as well.
    """
    found = find(movies, ratings, now=now)
    held = withheld(not_waived(found, movies, decisions))
    agreed = consensus(ratings.join(held, on=RATING, how="anti", maintain_order="left"))
    by_movie = found.group_by("tmdb_id", maintain_order=True)
    names = by_movie.agg(findings=pl.col("rule").unique(maintain_order=True))
    said = verdicts(decisions).select("tmdb_id", decision="kind")
    shown = movies.drop(FOR_RULES_ALONE)
    table = shown if raw else _without(shown, held)
    for more in (agreed.select("tmdb_id", pl.col(AGREED).round(2)), names, said):
        table = table.join(more, on="tmdb_id", how="left", maintain_order="left")
    return table.with_columns(pl.col("findings").fill_null(pl.lit([], pl.List(pl.String))))


def _without(table: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the table with null for the points and votes of some ratings."""
    ids = {s: held.filter(system=s)["tmdb_id"].implode() for s in SYSTEMS}
    return table.with_columns(
        pl.when(~pl.col("tmdb_id").is_in(ids[s])).then(f"{s}_{name}").alias(f"{s}_{name}")
        for s in SYSTEMS
        for name in ("points", "votes")
    )
