"""Decisions that a file holds and a stage has not: looked at first, then written at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from getpass import getuser
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.display import Drawn, counted_facts, first_facts
from tmdbkit.exceptions import UsageError
from tmdbkit.stage.decisions import decision, standing
from tmdbkit.stage.tables import DECISIONS

if TYPE_CHECKING:
    from tmdbkit.stage.stage import Stage


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
    """

    _heading = "Of the file"

    decisions: pl.DataFrame = field(default_factory=DECISIONS.to_frame)
    changes: tuple[str, ...] = ()
    known: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    batch: str = ""

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

    def write(self, stage: Stage) -> None:
        """Append the new ones to the stage's log."""
        stage.store.add_decisions(self.decisions)

    def _facts(self) -> list[tuple[str, str]]:
        others = {n: c for n, c in self.counts().items() if n not in ("applied", "batch")}
        return [
            *counted_facts({"new": len(self.decisions), **others}),
            *first_facts("change", self.changes),
            *first_facts("conflict", self.conflicts),
            *first_facts("refused", self.refused),
            *(("note", note) for note in self.notes),
        ]


def decided(stage: Stage, tmdb_id: int, kind: str, **said: Any) -> pl.DataFrame:
    """Return what whoever works here decides now, as a frame of `DECISIONS`."""
    try:
        by = stage.store.settings.reviewer or getuser()
    except (OSError, KeyError, ImportError):  # a machine that knows no logins
        by = ""
    return decision(tmdb_id, kind, name=token_hex(8), by=by, at=datetime.now(UTC), **said)


def undo_batch(stage: Stage, batch: str) -> int:
    """Take back the decisions of a batch that still stand, and return how many there were.

    Raises:
        UsageError: There is no such batch, or nothing of it stands any more.
    """
    there = standing(stage.decisions()).filter(batch=batch)
    if there.is_empty():
        raise UsageError(f"nothing of a batch {batch} stands here that could be taken back")
    stage.store.add_decisions(
        pl.concat(
            decided(stage, tmdb_id, "undo", undoes=name)
            for tmdb_id, name in there.select("tmdb_id", "decision").rows()
        )
    )
    return there.height
