"""Decisions that a file holds and a stage has not: looked at first, then written at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from getpass import getuser
from secrets import token_hex
from typing import Any

import polars as pl

from tmdbkit.display import Drawn, counted_facts, first_facts
from tmdbkit.exceptions import UsageError
from tmdbkit.stage.decisions import WORDS, decision, live, standing
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import DECISIONS

Row = dict[str, Any]
Key = tuple[int, str]  # a movie, and the field of a correction


@dataclass(frozen=True, repr=False)
class PendingDecisions(Drawn):
    """What applying a file to a stage would do.

    Attributes:
        decisions: What would be written, in `DECISIONS`.
        changes: A line for each correction: title, field, old → new.
        known: How many decisions the stage has already.
        conflicts: A line for each decision that would overrule what the file does not know of.
        refused: A line for each that does not fit.
        notes: What a person should know of it.
        batch: What the decisions are undone by in one; "" where they are not of one hand.
        seen: What stood in the stage when the file was read.
    """

    _heading = "Of the file"

    decisions: pl.DataFrame = field(default_factory=DECISIONS.to_frame)
    changes: tuple[str, ...] = ()
    known: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    batch: str = ""
    seen: pl.DataFrame = field(default_factory=DECISIONS.to_frame)

    def counts(self) -> dict[str, str | int]:
        """Return how many are new, known, in conflict or refused, and the batch."""
        return {
            "applied": self.decisions.height,
            "known": self.known,
            "conflicts": len(self.conflicts),
            "refused": len(self.refused),
            "batch": self.batch,
        }

    def __bool__(self) -> bool:
        return not self.decisions.is_empty()

    def write(self, stage: Stage) -> PendingDecisions:
        """Append the new ones to the stage's log, and return what became of them.

        What others decided since the file was read is not overruled: a conflict.
        """
        seen, there = by_key(self.seen), by_key(standing(stage.decisions()))
        undone = set(self.decisions["undoes"])
        fates: list[str] = []
        conflicts: dict[Key, str] = {}
        for row in self.decisions.iter_rows(named=True):
            key = key_of(row)
            now = None if row["kind"] == "undo" or row["decision"] in undone else there.get(key)
            fates.append(_fate(row, seen.get(key), now))
            if now and fates[-1] == "conflict":
                conflicts[key] = f"{said_of(now)} here meanwhile; decide in review"
        is_new = [fate == "new" for fate in fates]
        written = self.decisions.filter(pl.Series(is_new, dtype=pl.Boolean))
        if not written.is_empty():
            stage.store.add_decisions(written)
        return replace(
            self,
            decisions=written,
            changes=tuple(line for line, new in zip(self.changes, is_new, strict=False) if new),
            known=self.known + Counter(fates)["known"],
            conflicts=(*self.conflicts, *conflicts.values()),
            batch=self.batch if any(is_new) else "",
        )

    def _facts(self) -> list[tuple[str, str]]:
        others = {n: c for n, c in self.counts().items() if n not in ("applied", "batch")}
        return [
            *counted_facts({"new": len(self.decisions), **others}),
            *first_facts("change", self.changes),
            *first_facts("conflict", self.conflicts),
            *first_facts("refused", self.refused),
            *(("note", note) for note in self.notes),
        ]


def key_of(row: Row) -> Key:
    """Return what a decision is about."""
    return row["tmdb_id"], row["field"]


def by_key(decisions: pl.DataFrame) -> dict[Key, Row]:
    """Return decisions that stand by what they are about."""
    return {key_of(row): row for row in decisions.iter_rows(named=True)}


def said_of(row: Row) -> str:
    """Say in words what somebody decided."""
    did = (
        f"set {row['field']} of"
        if row["kind"] == "override"
        else WORDS.get(row["kind"], f"said {row['kind']} of")
    )
    return f"{row['by'] or 'somebody'} {did} {row['tmdb_id']}"


def _fate(row: Row, seen: Row | None, now: Row | None) -> str:
    """Return whether a decision is `new`, `known` or a `conflict` with what stands by now."""
    before, after = (each and each["decision"] for each in (seen, now))
    if now is None or before == after:
        return "new"
    return "known" if (now["kind"], now["value"]) == (row["kind"], row["value"]) else "conflict"


def who_works_on(stage: Stage) -> str:
    """Return the name of whoever decides here, "" where nobody knows it."""
    try:
        return stage.store.settings.reviewer or getuser()
    except (OSError, KeyError, ImportError):  # a machine that knows no logins
        return ""


def decided(stage: Stage, tmdb_id: int, kind: str, **said: Any) -> pl.DataFrame:
    """Return what whoever works here decides now, as a frame of `DECISIONS`."""
    by, at = who_works_on(stage), datetime.now(UTC)
    return decision(tmdb_id, kind, name=token_hex(8), by=by, at=at, **said)


def undo_batch(stage: Stage, batch: str) -> int:
    """Take back what nobody took back of a batch, the overruled too; return how many there were.

    Raises:
        UsageError: There is no such batch, or nothing of it stands any more.
    """
    there = live(stage.decisions()).filter(batch=batch)
    if there.is_empty():
        raise UsageError(f"nothing of a batch {batch} stands here that could be taken back")
    stage.store.add_decisions(
        pl.concat(
            decided(stage, tmdb_id, "undo", undoes=name)
            for tmdb_id, name in there.select("tmdb_id", "decision").rows()
        )
    )
    return there.height
