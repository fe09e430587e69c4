"""All that a reviewer sees of a stage's movies, kept in a file until something in it changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from tmdbkit import __version__, transform
from tmdbkit.exceptions import StopError
from tmdbkit.quality import FINDINGS, RULES, Rule, find, withheld
from tmdbkit.ratings.aggregate import CONSENSUS, consensus
from tmdbkit.ratings.columns import COLUMNS, explain
from tmdbkit.stage.asked import TOLD
from tmdbkit.stage.card import AGREED, FOR_RULES_ALONE, flat
from tmdbkit.stage.decisions import overrides
from tmdbkit.stage.log import Log
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.store import ASSESSED

MANY = 500  # changed movies from which on all are judged anew
TABLE = pl.Schema(
    {
        **flat(transform.ROWS.to_frame()).schema,
        **TOLD,
        **{name: CONSENSUS[name] for name in AGREED},
    }
)
KEPT = {"table": TABLE, "findings": FINDINGS, "columns": COLUMNS}  # each whole or not there
OF, BY_HAND = "tmdbkit.assessed", "tmdbkit.by_hand"


@dataclass(frozen=True)
class Assessment:
    """Movies as a reviewer sees them.

    Attributes:
        table: Flat rows with `consensus`, `certainty` and `spread`.
        findings: What is suspicious about them, in `FINDINGS`.
        columns: What is known of all columns of ratings, by which a few movies are judged.
    """

    table: pl.DataFrame
    findings: pl.DataFrame
    columns: pl.DataFrame

    @cached_property
    def rules(self) -> dict[str, int]:
        """Rules by name, and how many findings each has, many first."""
        return dict(self.findings["rule"].value_counts(sort=True).iter_rows())

    @cached_property
    def decades(self) -> list[int]:
        """The decades that the movies are of."""
        return (self.table["year"].drop_nulls() // 10 * 10).unique().sort().to_list()

    def row(self, tmdb_id: int) -> dict[str, Any]:
        """Return a movie's row of the table."""
        place = self.table["tmdb_id"].index_of(tmdb_id)
        assert place is not None  # noqa: S101 - whoever asks has seen it there
        return self.table.row(place, named=True)

    def reread(self, stage: Stage, ids: Collection[int]) -> Assessment:
        """Return it with some movies' values as the stage has them now; the findings stay."""
        table = _table(*stage.store.for_rules(ids))
        others = ~pl.col("tmdb_id").is_in(list(ids))
        return replace(self, table=pl.concat([self.table.filter(others), table]))

    def rejudged(
        self, stage: Stage, ids: Collection[int], rules: Sequence[Rule] = RULES
    ) -> Assessment:
        """Return it with some movies read and judged anew, by what is known of all."""
        if not ids:
            return self
        fresh = of_some(stage, [*ids, *self._alike(ids)], rules, self.columns)
        changed = pl.col("tmdb_id").is_in(list(ids))
        return replace(
            self,
            table=pl.concat([self.table.filter(~changed), fresh.table.filter(changed)]),
            findings=pl.concat([self.findings.filter(~changed), fresh.findings.filter(changed)]),
        )

    def _alike(self, ids: Collection[int]) -> list[int]:
        """Return the other movies of the same slug or IMDb id, which rules see together."""
        these = pl.col("tmdb_id").is_in(list(ids))
        own = self.table.filter(these)
        shares = (
            (pl.col(name) != "") & pl.col(name).is_in(own[name].implode())
            for name in ("slug", "imdb_id")
        )
        return self.table.filter(~these, pl.any_horizontal(shares)).head(MANY)["tmdb_id"].to_list()


def assess(stage: Stage, rules: Sequence[Rule] = RULES) -> Assessment:
    """Return what there is to see of all movies of a stage, and keep it for the next time."""
    mark, by_hand = _mark(stage, rules), _by_hand(stage)
    known = kept(stage, rules)
    if known is not None and not known[1]:
        return known[0]
    made = known[0].rejudged(stage, known[1], rules) if known else of_some(stage, None, rules)
    if made.table.is_empty():  # a stage that is none may be a name that was mistyped
        return made
    tags = {OF: mark, BY_HAND: json.dumps(by_hand)}
    with suppress(StopError):  # a folder that cannot be written to: then nothing is kept
        for name in KEPT:
            _log(stage, name).append(getattr(made, name), name=name, tags=tags)
    return made


def kept(stage: Stage, rules: Sequence[Rule] = RULES) -> tuple[Assessment, set[int]] | None:
    """Return what was kept, and the movies of which a person set values since.

    None where the movies, the ratings, the rules or the day are others.
    """
    tags = {_log(stage, name).tag(name, OF) for name in KEPT}
    if tags != {_mark(stage, rules)}:
        return None
    with suppress(pl.exceptions.PolarsError, OSError, ValueError):
        then = {tuple(row) for row in json.loads(_log(stage, "table").tag("table", BY_HAND) or "")}
        changed = {row[0] for row in then.symmetric_difference(_by_hand(stage))}
        kept = (
            _log(stage, name).scan([name]).select(schema.names()).collect()
            for name, schema in KEPT.items()
        )
        return (Assessment(*kept), changed) if len(changed) <= MANY else None
    return None


def of_some(
    stage: Stage,
    ids: Collection[int] | None,
    rules: Sequence[Rule] = RULES,
    columns: pl.DataFrame | None = None,
) -> Assessment:
    """Return what there is to see of some movies, or of all.

    Args:
        stage: Where they are.
        ids: Which; None for all.
        rules: By what they are judged.
        columns: What is known of the columns of ratings; default by these movies.
    """
    movies, ratings = stage.store.for_rules(ids)
    columns = explain(ratings) if columns is None else columns
    found = find(movies, ratings, rules, now=stage.store.now(), columns=columns)
    right = ratings.join(withheld(found), on=["tmdb_id", "system"], how="anti")
    return Assessment(_table(movies, ratings, right), found, columns)


def _table(
    movies: pl.DataFrame, ratings: pl.DataFrame, right: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the flat table with what the right ratings say, and how far apart all of them lie."""
    spread = consensus(ratings).select("tmdb_id", *AGREED)
    if right is not None and right.height < ratings.height:
        agreed = consensus(right).select("tmdb_id", *AGREED[:-1])
        spread = spread.select("tmdb_id", AGREED[-1]).join(agreed, on="tmdb_id", how="left")
    return movies.drop(FOR_RULES_ALONE).join(
        spread.select("tmdb_id", *AGREED), on="tmdb_id", how="left", maintain_order="left"
    )


def _log(stage: Stage, name: str) -> Log:
    return Log(stage.store.root.under(ASSESSED), KEPT[name])


def _mark(stage: Stage, rules: Sequence[Rule]) -> str:
    """Return a text that is another one when other movies, rules, or days would find other things.

    What people set by hand is told apart: it changes a movie at a time.
    """
    day = str(stage.store.now().date())
    seen = [__version__, stage.store.version(), day, *map(_summary, rules)]
    return hashlib.sha256("\n".join(seen).encode()).hexdigest()


def _summary(rule: Rule) -> str:
    return f"{rule} {rule.expression} {rule.value} {rule.why} {rule.degree} {rule.of_column}"


def _by_hand(stage: Stage) -> list[tuple[int, str, str]]:
    return overrides(stage.decisions()).select("tmdb_id", "field", "value").rows()
