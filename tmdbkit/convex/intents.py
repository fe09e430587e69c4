"""What a push is about to change: logged before it is sent, and settled by what is there after."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from tmdbkit.convex.changes import Change, content_hash
from tmdbkit.convex.delivery import WROTE, asked
from tmdbkit.convex.target import ABSENT, Document, Target, by_movie, differing
from tmdbkit.schema import INSTANT, STAMPS
from tmdbkit.surrogates import loads

Row = dict[str, Any]
Verdict = tuple[str, str]

INTENTS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "kind": pl.String(),
        "before": pl.String(),
        "after": pl.String(),
        "content_hash": pl.String(),
        "pushed_at": INSTANT,
    }
)
NOT_DONE = "the push ended before it was done"
UNREADABLE = "what the import log has of it was not written by this tmdbkit"


def intents(changes: Iterable[Change], at: datetime) -> pl.DataFrame:
    """Return what is about to be sent of changes, in `INTENTS`: all that the way back takes."""
    rows = [
        (
            change.tmdb_id,
            change.title,
            change.kind,
            _json(change.before) if change.kind != "create" else None,
            _json(change.set) if change.kind != "delete" else None,
            content_hash(change.set) if change.kind != "delete" else None,
            at,
        )
        for change in changes
        if change.goes
    ]
    return pl.DataFrame(rows, INTENTS, orient="row")


class UnsettledIntents:
    """Intents of earlier pushes to a target of which it is not known whether they were done.

    They are settled by documents that somebody reads anyway. One that was not done stays here: its
    mutation may still have been running. `imports` are all rows of the import log of such movies;
    `log` is given an outcome that it does not have yet.
    """

    def __init__(
        self,
        imports: pl.DataFrame,
        log: Callable[[pl.DataFrame], None],
        now: Callable[[], datetime],
    ) -> None:
        self._log, self._now, self._schema = log, now, imports.schema
        self._rows: dict[int, list[Row]] = defaultdict(list)
        for row in imports.iter_rows(named=True):
            self._rows[row["tmdb_id"]].append(row)
        self._rows = {n: rows for n, rows in self._rows.items() if any(map(_is_open, rows))}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def settle(self, tmdb_ids: Collection[int], documents: Iterable[Document]) -> pl.DataFrame:
        """Log what became of the intents for some movies, by all documents there are of them.

        What of it is new is returned.
        """
        there = by_movie(documents if self._rows else ())
        rows = [
            row
            for tmdb_id in self._rows.keys() & set(tmdb_ids)
            for row in self._settled(self._rows[tmdb_id], there[tmdb_id])
        ]
        new = pl.DataFrame(rows, self._schema)
        if rows:
            self._log(new.select(*_NAMES, pl.lit(self._now(), INSTANT).alias("pushed_at")))
        return new

    def look_up(self, target: Target, tmdb_ids: Collection[int] | None = None) -> pl.DataFrame:
        """Settle all of them, or those for some movies, by asking the target for these alone."""
        wanted = sorted(self._rows if tmdb_ids is None else self._rows.keys() & set(tmdb_ids))
        return self.settle(wanted, asked(target.documents, wanted))

    def _settled(self, rows: list[Row], there: Sequence[Document]) -> list[Row]:
        """Return of the rows of one movie those of which something else is known now."""
        new: list[Row] = []
        last: Row = {}
        for row in _latest(rows):
            if _is_open(row):
                outcome, reason = _verdict(row, there)
                if outcome in WROTE.values() and _is_same(row, last):
                    outcome = "unchanged"  # that push had done all of this before
                if (outcome, reason) != (row["outcome"], row["reason"]):
                    row |= {"outcome": outcome, "reason": reason}
                    new.append(row)
            if row["outcome"] in WROTE.values():
                last = row
        return new


_NAMES = ("tmdb_id", "push", "plan", "target", "identity", "outcome", "reason")


def unknown(settled: pl.DataFrame) -> list[Change]:
    """Return what of settled intents nobody can tell, as changes of a plan that only say so."""
    return [
        Change(row["tmdb_id"], row["title"] or str(row["tmdb_id"]), "unknown", reason=row["reason"])
        for row in settled.filter(outcome="unknown").iter_rows(named=True)
    ]


def _latest(rows: list[Row]) -> list[Row]:
    """Return the rows from the last change on that was done: none before it can still be."""
    done = [place for place, row in enumerate(rows) if row["outcome"] in WROTE.values()]
    return rows[done[-1] :] if done else rows


def _is_open(row: Row) -> bool:
    """Tell whether what became of a row is not known, or may have become known too early."""
    return bool(row["kind"]) and (row["outcome"] == "unknown" or row["reason"] == NOT_DONE)


def _is_same(row: Row, other: Row) -> bool:
    return bool(other) and all(row[name] == other[name] for name in ("kind", "before", "after"))


def _verdict(row: Row, there: Sequence[Document]) -> Verdict:
    """Return what became of an intent by the documents of its movie: the outcome, and why."""
    before, after = values(row["before"]), values(row["after"])
    if before is None or after is None or row["kind"] not in WROTE:
        return _unknown(row, UNREADABLE)
    if len(there) > 1:
        return _unknown(row, f"there are {len(there)} documents of it")
    if not there:
        by_kind = {"delete": ("deleted", ""), "create": ("failed", NOT_DONE)}
        return by_kind.get(row["kind"]) or _unknown(row, "there is no document of it")
    wanted = {**dict.fromkeys(before, ABSENT), **after}
    if row["kind"] != "delete" and not differing(there[0], wanted):
        return WROTE[row["kind"]], ""
    was = {**dict.fromkeys(after, ABSENT), **before}
    moved = [name for name in differing(there[0], was) if name not in STAMPS]
    if row["kind"] != "create" and not moved:
        return "failed", NOT_DONE
    other = differing(there[0], before if row["kind"] == "delete" else wanted)
    return _unknown(row, f"other values now: {', '.join(other)}")


def values(text: str | None) -> Document | None:
    """Return values as the import log has them; None where that is no object."""
    try:
        found = loads(text or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _unknown(row: Row, why: str) -> Verdict:
    return "unknown", f"push {row['push']} may have changed it; {why}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
