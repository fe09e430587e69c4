"""Decisions in words: who decided what, when and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from tmdbkit.display import plain
from tmdbkit.progress import counted
from tmdbkit.stage.decisions import WORDS

NOBODY = "somebody"  # where a decision has no name
DONE = {**WORDS, "undecide": "set back to undecided", "override": "set", "undo": "took back"}
UNITS = (("day", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def sentence(decision: dict[str, Any], now: datetime) -> str:
    """Say who decided what on a movie, and how long ago."""
    field, value = decision["field"], decision["value"]
    done = DONE.get(decision["kind"], decision["kind"])
    what = {"override": f"set {field} to {value}", "undo": "took back a decision on this"}
    told = what.get(decision["kind"], f"{done} this")
    note = decision["note"] and f": {decision['note']}"
    return plain(f"{decision['by'] or NOBODY} {told} {_ago(now - decision['at'])}{note}")


def lines(history: pl.DataFrame) -> list[str]:
    """Return a history as lines: when, who, what, why, and whether it was taken back."""
    told = []
    for row in history.iter_rows(named=True):
        what = DONE.get(row["kind"], row["kind"])
        value = f" {row['field']}: {row['old']} → {row['value']}" if row["field"] else ""
        note = row["note"] and f": {row['note']}"
        back = " (taken back)" if row["taken_back"] else ""
        by = row["by"] or NOBODY
        told.append(plain(f"{row['at']:%Y-%m-%d %H:%M} {by} {what}{value}{note}{back}"))
    return told


def _ago(passed: timedelta) -> str:
    seconds = int(max(passed.total_seconds(), 0))
    unit, size = next((each for each in UNITS if seconds >= each[1]), UNITS[-1])
    count = seconds // size
    return f"{counted(count, unit) if unit == 'day' else f'{count} {unit}'} ago"
