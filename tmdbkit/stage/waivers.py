"""Errors that people let go: those that an approval saw, and a column's by a waiver of its own."""

from __future__ import annotations

import polars as pl

from tmdbkit.display import SYSTEM_NAMES
from tmdbkit.quality import RULES, withheld
from tmdbkit.stage.decisions import POINTS_FIELD, changed_since, standing

RATING_ERRORS = tuple(rule for rule in RULES if rule.of == "rating" and rule.severity == "error")
NEVER = [rule.name for rule in RATING_ERRORS if not rule.waivable]
ONE_BY_ONE = pl.lit(value=False)  # what rules that are of no column have as `of_column`
WAIVERS = frozenset(  # the fields that a waiver can have
    f"{rule.name}:{system}"
    for rule in RATING_ERRORS
    if rule.waivable and not rule.of_column.meta.eq(ONE_BY_ONE)
    for system in SYSTEM_NAMES
)
OF_VOTES = "votes_scale"  # the error that is about votes; all others are about points
RATING = ["tmdb_id", "system"]
WAIVED = ["tmdb_id", "rule", "system"]
NOBODY = "somebody"  # where a decision has no name
NAMED = 3  # ratings that one line names


def not_waived(
    findings: pl.DataFrame, table: pl.DataFrame, decisions: pl.DataFrame
) -> pl.DataFrame:
    """Return findings without those that a person let go, in the columns that they have."""
    judged = with_waivers(findings, table, decisions)
    return judged.filter(~pl.col("let_go")).select(findings.columns)


def with_waivers(
    findings: pl.DataFrame, table: pl.DataFrame, decisions: pl.DataFrame
) -> pl.DataFrame:
    """Return findings with `let_go`, and with `waived_by`, whoever waived it; null where nobody.

    An approval waives what it saw, as long as what it judged has not moved. An error of a whole
    column is waived by a waiver of its own, and a value that a person set stands in any case. A
    value outside its system's scale is let go by nobody. The table has the flat rows of the movies.
    """
    said = standing(decisions)
    found = findings
    for more, on in (
        (_approved(table, said), WAIVED),
        (_of_columns(said), WAIVED[1:]),
        (_corrected(said), RATING),
    ):
        found = found.join(more, on=on, how="left", maintain_order="left")
    may = ~pl.col("rule").is_in(NEVER)
    is_set = (
        pl.when(pl.col("rule") == OF_VOTES)
        .then(pl.col("sets_points").is_not_null())
        .otherwise("sets_points")
    )
    is_corrected = may & is_set.fill_null(value=False)
    by = pl.when("of_column").then("by_waiver").otherwise("by_approval")
    waived_by = pl.when(may & ~is_corrected).then(by)
    return found.select(
        *findings.columns,
        waived_by=waived_by,
        let_go=is_corrected | waived_by.is_not_null(),
    )


def waived(errors: pl.DataFrame) -> pl.DataFrame:
    """Return those of `with_waivers` that somebody waived, and that nothing else keeps back."""
    kept_back = withheld(errors.filter(~pl.col("let_go")))
    found = errors.filter(pl.col("waived_by").is_not_null(), severity="error")
    return found.join(kept_back, on=RATING, how="anti", maintain_order="left")


def waivable(errors: pl.DataFrame) -> pl.DataFrame:
    """Return those of `with_waivers` that an approval would waive."""
    never = pl.col("rule").is_in(NEVER)
    return errors.filter(~pl.col("let_go"), ~pl.col("of_column"), ~never, severity="error")


def summary(waived: pl.DataFrame, *, ids: bool = True) -> list[str]:
    """Return a line for each who `waived`: how many ratings, of which `ids`, and `by` whom."""
    alone = waived.filter(~pl.col("of_column")).group_by("waived_by", maintain_order=True)
    columns = waived.filter("of_column").group_by(*WAIVED[1:], "waived_by", maintain_order=True)
    lines = [f"waived {_ratings(some, ids=ids)}, by {by or NOBODY}" for (by,), some in alone]
    return lines + [
        f"waived {some.height:,} of a whole column: {rule} of {SYSTEM_NAMES[str(system)]}, "
        f"by {by or NOBODY}"
        for (rule, system, by), some in columns
    ]


def kept_back(errors: pl.DataFrame, *, ids: bool = True) -> list[str]:
    """Return a line for each error of `with_waivers`, with `ids`, that no approval waives."""
    left = errors.filter(~pl.col("let_go"), severity="error").group_by("rule", maintain_order=True)
    return [
        f"kept back {_ratings(some, ids=ids)}: "
        + (f"nothing waives {rule}" if rule in NEVER else f"{rule} has a waiver of its own")
        for (rule,), some in left
    ]


def _ratings(findings: pl.DataFrame, *, ids: bool) -> str:
    """Return how many ratings there are, and the first of them."""
    each = findings.unique(RATING, keep="first", maintain_order=True)
    shown = each.head(NAMED).select("system", "value", "tmdb_id").rows()
    told = [f"{SYSTEM_NAMES[system]} {value}{f' ({n})' * ids}" for system, value, n in shown]
    more = [f"{each.height - NAMED:,} more"] * (each.height > NAMED)
    return f"{each.height:,}: {', '.join(told + more)}"


def _approved(table: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """Return `WAIVED` and `by_approval` of what approvals saw that hold."""
    approved = said.filter(pl.col("kind") == "approve").join(
        changed_since(table, said), on="tmdb_id", how="anti"
    )
    named = approved.select("tmdb_id", "waived", by_approval="by").explode("waived").drop_nulls()
    return named.select("tmdb_id", *_named("waived"), "by_approval").unique(WAIVED)


def _of_columns(said: pl.DataFrame) -> pl.DataFrame:
    return said.filter(pl.col("kind") == "waive").select(*_named("field"), by_waiver="by")


def _corrected(said: pl.DataFrame) -> pl.DataFrame:
    """Return `RATING` and `sets_points`, whether the points are a person's or the votes alone."""
    names = pl.col("field").str.splitn(".", 2).struct
    sets = (names.field("field_0") == POINTS_FIELD) & (pl.col("value") != "null")
    corrected = said.filter(
        pl.col("kind") == "override", pl.col("field").str.contains(".", literal=True)
    )
    system = names.field("field_1").alias("system")
    return corrected.group_by("tmdb_id", system).agg(sets_points=sets.any())


def _named(column: str) -> list[pl.Expr]:
    """Return the rule and the system in texts `rule:system`."""
    parts = pl.col(column).str.splitn(":", 2).struct
    return [parts.field("field_0").alias("rule"), parts.field("field_1").alias("system")]
