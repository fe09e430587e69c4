"""The way back from a push: the import log, read backwards, as a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from tmdbkit.convex.changes import Change
from tmdbkit.convex.intents import UNREADABLE, unknown, values
from tmdbkit.convex.plan import UNDO, Plan
from tmdbkit.convex.target import TargetName
from tmdbkit.exceptions import UsageError

WROTE = ("created", "updated", "deleted")
EARLIER = "nothing that the latest push changed still stands; this takes back an earlier one"


def plan_undo(imports: pl.DataFrame, title: TargetName, push_id: str | None) -> Plan:
    """Return the plan that takes a push back, as far as it still stands.

    What nobody knows of it, since it was killed and someone edited the documents, is only said.
    Where no push is named, it is the latest to that target that is no undo, and of which an undo
    has not come to every movie yet.

    Raises:
        UsageError: The log has no such push, or nothing of it is left to take back.
    """
    there = title.rows_of(imports)
    known = pl.concat([standing(there), there.filter(IS_UNKNOWN)])
    changes = known.sort("pushed_at", "tmdb_id", maintain_order=True)
    chosen = push_id or _latest(there, changes)
    of_push = changes.filter(pl.col("push") == chosen)
    if of_push.is_empty():
        raise UsageError(_nothing_left(there, str(title), push_id))
    done = of_push.filter(~IS_UNKNOWN).iter_rows(named=True)
    back = (*(_backwards(row) for row in done), *unknown(of_push))
    plan = Plan.to(title, back, undoes=chosen)
    is_earlier = push_id is None and there.filter(~IS_UNDO).item(-1, "push") != chosen
    return replace(plan, notes=(*plan.notes, EARLIER)) if is_earlier else plan


def standing(imports: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the import log whose change was not taken back, in the log's order.

    An undo takes back what it has written, movie by movie, unless it was taken back itself; and
    what it found as it should be.
    """
    wrote = imports.filter(pl.col("outcome").is_in(WROTE))
    undone = wrote.select(CHANGE).clear()
    undos = imports.filter(IS_UNDO & pl.col("outcome").is_in([*WROTE, "unchanged"]))
    for undo in _last_word_first(dict(undos.select("push", OF).rows())):
        rows = undos.filter(pl.col("push") == undo).join(undone, on=CHANGE, how="anti")
        undone = pl.concat([undone, rows.select(UNDONE)])
    return wrote.join(undone, on=CHANGE, how="anti", maintain_order="left")


CHANGE = ["push", "tmdb_id"]
IS_UNDO = pl.col("plan").str.starts_with(UNDO).fill_null(value=False)
OF = pl.col("plan").str.strip_prefix(UNDO)
UNDONE = (OF.alias("push"), "tmdb_id")
IS_UNKNOWN = (pl.col("outcome") == "unknown") & pl.col("kind").is_not_null()
IS_SAID_UNKNOWN = (pl.col("outcome") == "unknown") & pl.col("kind").is_null()


def _last_word_first(undos: dict[str, str]) -> list[str]:
    """Return undos, and which push each takes back, each after those that take it back.

    No clock is asked for it.
    """

    def depth(push: str, before: frozenset[str] = frozenset()) -> int:
        if push not in undos or push in before:  # a circle is of another program's making
            return 0
        return 1 + depth(undos[push], before | {push})

    return sorted(undos, key=depth, reverse=True)


def _latest(there: pl.DataFrame, changes: pl.DataFrame) -> str:
    """Return the latest push of which something stands that no undo has come to yet.

    An undo has come to what it left alone, since someone edited it or points at it; else no push
    before that one could ever be meant.
    """
    was_left = pl.col("outcome").is_in(["conflict", "withheld"]) | IS_SAID_UNKNOWN
    left_alone = there.filter(IS_UNDO & was_left).select(UNDONE)
    meant = changes.filter(~IS_UNDO).join(left_alone, on=CHANGE, how="anti", maintain_order="left")
    return str(meant.item(-1, "push")) if meant.height else ""


def _nothing_left(there: pl.DataFrame, target: str, push_id: str | None) -> str:
    pushed = there.filter(pl.col("outcome").is_in(WROTE))["push"]
    if push_id and push_id in pushed:
        return f"push {push_id} is taken back already; tmdbkit status names the latest ones"
    if push_id or pushed.is_empty():
        named = f"push {push_id}" if push_id else "push"
        return f"the import log of this stage has no {named} that changed {target}"
    return (
        f"all pushes to {target} are taken back already, but for what someone edited or points "
        "at since; "
        "undo PUSH goes over one of them again, an undo as well"
    )


def _backwards(row: dict[str, Any]) -> Change:
    before, after = values(row["before"]), values(row["after"])
    if before is None or after is None:
        return Change(row["tmdb_id"], str(row["tmdb_id"]), "unknown", reason=UNREADABLE)
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
