"""What a push came to: an outcome for every movie, and their counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.display import draw_facts
from tmdbkit.schema import INSTANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tmdbkit.convex.planned import Plan

OUTCOMES = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "withheld": pl.Int64(),
        "before": pl.String(),
        "after": pl.String(),
        "content_hash": pl.String(),
        "pushed_at": INSTANT,
    }
)


@dataclass(frozen=True)
class PushResult:
    """What a push came to.

    Attributes:
        target: Which target it went to.
        created: How many documents were made.
        updated: How many were changed.
        unchanged: How many were as they should be.
        withheld: How many movies, or ratings of movies, were not sent, each with a reason.
        conflicts: How many had been changed by someone else meanwhile, and were left alone.
        failed: How many were refused or could not be sent.
        batches: How many mutations were sent.
        outcomes: One row for each movie.
        left_out: Fields and tables that the target does not know.
        deleted: How many were deleted, on the way back.
        anew: A new plan for the conflicts, to be looked at and sent with `push(..., plan=...)`.
        advice: What to do next with what was written.
    """

    target: str
    created: int
    updated: int
    unchanged: int
    withheld: int
    conflicts: int
    failed: int
    batches: int
    outcomes: pl.DataFrame = field(repr=False)
    left_out: tuple[str, ...] = ()
    deleted: int = 0
    anew: Plan | None = field(default=None, repr=False)
    advice: tuple[str, ...] = ()

    def counts(self) -> dict[str, str | int]:
        """Return the target and the counts by name."""
        return {name: getattr(self, name) for name in _COUNTED}

    def with_failures(self, unsent: Sequence[tuple[int, str]]) -> PushResult:
        """Return it with movies that never came as far as the target, `tmdb_id, reason`."""
        rows = [(tmdb_id, "", "failed", reason, 0) for tmdb_id, reason in unsent]
        more = pl.DataFrame(rows, self.outcomes.schema, orient="row")
        outcomes = pl.concat([self.outcomes, more])
        return replace(self, failed=self.failed + len(unsent), outcomes=outcomes)

    def _facts(self) -> list[tuple[str, str]]:
        facts = [(name, f"{n:,}" if isinstance(n, int) else n) for name, n in self.counts().items()]
        if self.deleted:
            facts.append(("deleted", f"{self.deleted:,}"))
        if self.left_out:
            facts.append(("not known there", ", ".join(self.left_out)))
        facts += [("next", line) for line in self.advice]
        if self.anew is not None:
            counts = self.anew.counts()
            named = ", ".join(f"{counts[kind]} {kind}" for kind in _REPLANNED)
            facts.append(("planned anew", named))
        why = self.outcomes.filter(pl.col("reason") != "").head(10)
        rows = why.select("tmdb_id", "title", "outcome", "reason", "withheld").rows()
        return facts + [
            # A movie that is as it should be has reasons of those ratings alone that are not sent.
            (
                "withheld" if ratings and outcome in _WENT else outcome,
                f"{title or f'movie {tmdb_id}'}: {reason}",
            )
            for tmdb_id, title, outcome, reason, ratings in rows
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Pushed", self._facts())


_WENT = ("created", "updated", "unchanged")
_REPLANNED = ("update", "unchanged", "withheld")
_COUNTED = (
    "target",
    "created",
    "updated",
    "unchanged",
    "withheld",
    "conflicts",
    "failed",
    "batches",
)


@dataclass(frozen=True)
class DeleteResult:
    """What a deletion came to.

    Attributes:
        target: Which target.
        deleted: How many movies were deleted.
        absent: How many were not there.
        outcomes: `tmdb_id, outcome`.
    """

    target: str
    deleted: int
    absent: int
    outcomes: pl.DataFrame = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {"deleted": self.deleted, "absent": self.absent}

    def _facts(self) -> list[tuple[str, str]]:
        return [("target", self.target), *((k, f"{n:,}") for k, n in self.counts().items())]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Deleted", self._facts())


def told(outcomes: pl.DataFrame) -> pl.DataFrame:
    """Return what a result keeps of outcomes; the import log has the rest."""
    return outcomes.select("tmdb_id", "title", "outcome", "reason", "withheld")


def add_up(
    target: str,
    outcomes: Iterable[pl.DataFrame],
    *,
    batches: int,
    left_out: tuple[str, ...],
    advice: tuple[str, ...],
) -> PushResult:
    """Add up what a push came to.

    Args:
        target: Which target it went to.
        outcomes: As `told` returns them.
        batches: How many mutations were sent.
        left_out: Fields and tables that the target does not know.
        advice: What to do next with what was written.
    """
    rows = pl.concat([told(OUTCOMES.to_frame()), *outcomes])
    count = Counter(rows["outcome"].to_list())
    return PushResult(
        target=target,
        created=count["created"],
        updated=count["updated"],
        unchanged=count["unchanged"],
        withheld=count["withheld"] + int(rows["withheld"].sum()),
        conflicts=count["conflict"],
        failed=count["failed"],
        deleted=count["deleted"],
        batches=batches,
        outcomes=rows,
        left_out=left_out,
        advice=advice,
    )
