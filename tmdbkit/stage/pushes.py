"""The import log: as a push writes it, and as it is read, each intent with its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.stage.tables import IMPORTS, OUTCOMES

if TYPE_CHECKING:
    from tmdbkit.stage.store import StageStore

CHANGE = ["push", "tmdb_id"]
WROTE = pl.col("outcome").is_in(["created", "updated", "deleted"])
IS_INTENT = pl.col("kind").is_not_null()
IS_SETTLED = WROTE | pl.col("outcome").is_in(["unchanged", "conflict"])
VALUES = ("before", "after", "content_hash")


@dataclass(frozen=True)
class PushLog:
    """Writes the rows of one push to the import log.

    Attributes:
        store: The stage's.
        push: The name of the push.
        plan: The name of the saved plan that it sends.
        target: Where it goes.
        identity: By which the target is known wherever it lies; "" where it has none.
    """

    store: StageStore
    push: str
    plan: str | None
    target: str
    identity: str

    def append(self, rows: pl.DataFrame) -> None:
        """Append intents or outcomes."""
        self.store.add_imports(
            rows.with_columns(
                push=pl.lit(self.push),
                plan=pl.lit(self.plan, pl.String),
                target=pl.lit(self.target),
                identity=pl.lit(self.identity or None, pl.String),
            )
        )


def joined(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row for each movie of a push, and at which `place` of the log it is.

    A row is logged before a change is sent, and has its values; another one, without them, says
    what came of it, `unknown` where there is none. Where several say so, since somebody looked
    too early, what was done counts, else the latest. Rows of older tmdbkits have it all in one.
    """
    logged = rows.unique(maintain_order=True).with_row_index("place")
    intents = logged.filter(IS_INTENT)
    said = logged.filter(~IS_INTENT)
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
    in_time = joined(rows).sort("pushed_at", "tmdb_id", "place")
    return in_time.select(IMPORTS.names()).collect()


def unsettled(rows: pl.LazyFrame) -> pl.DataFrame:
    """Return the joined rows of all movies with an intent of which not all is known, as logged.

    That one was not done may have been found too early, until something else was.
    """
    narrow = rows.drop(VALUES)
    intents, said = (narrow.filter(kind) for kind in (IS_INTENT, ~IS_INTENT & IS_SETTLED))
    without = _ids(intents.join(said, on=CHANGE, how="anti"))
    if without.is_empty():  # as a rule; this costs next to nothing
        return IMPORTS.to_frame()
    wrote = pl.col("place").filter(WROTE).max().over("target", "tmdb_id")
    latest = wrote.is_null() | (wrote < pl.col("place"))
    of_these = joined(narrow.filter(pl.col("tmdb_id").is_in(without.implode())))
    found = _ids(of_these.filter(IS_INTENT & ~IS_SETTLED & latest))
    wanted = joined(rows.filter(pl.col("tmdb_id").is_in(found.implode())))
    return wanted.sort("place").select(IMPORTS.names()).collect()


def _ids(rows: pl.LazyFrame) -> pl.Series:
    """Return the movies of rows, each once."""
    return rows.select("tmdb_id").unique().collect()["tmdb_id"]


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
