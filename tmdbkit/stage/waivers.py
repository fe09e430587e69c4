"""Findings that an approval waives: those that it saw, while what it judged stays as it was."""

from __future__ import annotations

import polars as pl

from tmdbkit.quality import RULES
from tmdbkit.stage.decisions import changed_since, verdicts

RATING_ERRORS = tuple(rule for rule in RULES if rule.of == "rating" and rule.severity == "error")
WAIVED = ["tmdb_id", "rule", "system"]


def not_waived(
    findings: pl.DataFrame, table: pl.DataFrame, decisions: pl.DataFrame
) -> pl.DataFrame:
    """Return findings without those that an approval waives.

    It waives the findings that it saw, as long as what it judged has not moved, and as long as they
    can be waived.
    """
    said = verdicts(decisions)
    approved = said.filter(pl.col("kind") == "approve").join(
        changed_since(table, said), on="tmdb_id", how="anti"
    )
    never = [rule.name for rule in RATING_ERRORS if not rule.waivable]
    named = approved.select("tmdb_id", pl.col("waived")).explode("waived").drop_nulls()
    parts = pl.col("waived").str.splitn(":", 2).struct
    waived = named.select("tmdb_id", rule=parts.field("field_0"), system=parts.field("field_1"))
    waived = waived.filter(~pl.col("rule").is_in(never))
    return findings.join(waived, on=WAIVED, how="anti", maintain_order="left")
