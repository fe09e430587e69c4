"""What a row of each log of a stage is."""

from __future__ import annotations

import polars as pl

from tmdbkit.schema import INSTANT

LAYOUT, MARKER = 2, "stage.json"  # of the logs in a stage's folder; the file that says it
STAGED, MISSING, DROPPED = 200, 404, 410  # a payload's status: HTTP's words fit

PAYLOADS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "payload": pl.String(),
        "fetched_at": INSTANT,
        "http_status": pl.Int16(),
    }
)
FAILURES = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "reason": pl.String(),
        "passing": pl.Boolean(),
        "attempts": pl.Int32(),
        "http_status": pl.Int16(),
        "failed_at": INSTANT,
    }
)
IMPORTS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "push": pl.String(),
        "plan": pl.String(),
        "target": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "withheld": pl.Int64(),
        "before": pl.String(),
        "after": pl.String(),
        "content_hash": pl.String(),
        "pushed_at": INSTANT,
        "kind": pl.String(),  # create, update, delete: of an intent, logged before it is sent
        "title": pl.String(),
        "identity": pl.String(),  # of a snapshot, however its path is written
    }
)
DECISIONS = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "kind": pl.String(),  # approve, hold, reject, undecide, override, waive, undo
        "field": pl.String(),  # of an override; of a waiver `rule:system`; "" of the others
        "value": pl.String(),  # JSON, of an override
        "old": pl.String(),  # JSON, what the override replaced
        "note": pl.String(),
        "by": pl.String(),
        "at": INSTANT,
        "judged": pl.String(),  # JSON, the values that were in view
        "waived": pl.List(pl.String()),  # `rule:system` of the findings that an approval saw
        "decision": pl.String(),  # its own name
        "undoes": pl.String(),  # the name of the one that an undo takes back
        "batch": pl.String(),  # a name that those share which were decided, or undone, at once
        "overrules": pl.String(),  # the name of somebody else's that this one replaced, knowingly
    }
)
OUTCOMES = {
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged",
    "withheld": "withheld",
    "conflicts": "conflict",
    "failed": "failed",
    "deleted": "deleted",
    "unknown": "unknown",
}
