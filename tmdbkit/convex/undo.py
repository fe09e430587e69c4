"""The way back from a push: the import log, read backwards, as a plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.convex.plan import Change
from tmdbkit.convex.planned import Plan
from tmdbkit.exceptions import UsageError

if TYPE_CHECKING:
    from tmdbkit.convex.target import Document


def way_back(imports: pl.DataFrame, target: str, push_id: str | None) -> Plan:
    """Return the plan that takes a push back.

    Args:
        imports: The import log.
        target: The target's title, as the log has it.
        push_id: Which push; None is the latest to that target.

    Raises:
        UsageError: The log has no such push.
    """
    there = imports.filter(
        (pl.col("target") == target) & pl.col("outcome").is_in(["created", "updated", "deleted"])
    )
    chosen = push_id or next(iter(there["push"].reverse()), "")
    done = there.filter(pl.col("push") == chosen)
    if done.is_empty():
        named = f"push {push_id}" if push_id else "push"
        raise UsageError(f"the import log of this stage has no {named} that changed {target}")
    changes = tuple(_backwards(row) for row in done.iter_rows(named=True))
    return Plan(target, changes, undoes=chosen)


def _backwards(row: dict[str, Any]) -> Change:
    before: Document = json.loads(row["before"] or "{}")
    after: Document = json.loads(row["after"] or "{}")
    title = str(after.get("title") or before.get("title") or row["tmdb_id"])
    if row["outcome"] == "created":
        return Change(row["tmdb_id"], title, "delete", before=after)
    if row["outcome"] == "deleted":
        return Change(row["tmdb_id"], title, "create", set=before)
    return Change(
        row["tmdb_id"],
        title,
        "update",
        set=before,
        unset=tuple(name for name in after if name not in before),
        before=after,
    )
