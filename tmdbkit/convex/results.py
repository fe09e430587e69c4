"""What a push came to, an outcome for every movie; and how a target compares with the stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import polars as pl

from tmdbkit.convex.shown import aside_facts, first_lines
from tmdbkit.display import Drawn, counted_facts, first_facts
from tmdbkit.schema import INSTANT

if TYPE_CHECKING:
    from tmdbkit.convex.plan import Plan

T = TypeVar("T")

OUTCOMES = pl.Schema(
    {
        "tmdb_id": pl.Int64(),
        "title": pl.String(),
        "outcome": pl.String(),
        "reason": pl.String(),
        "withheld": pl.Int64(),
        "pushed_at": INSTANT,
    }
)
_WENT = ("created", "updated", "unchanged")
_REPLANNED = ("update", "unchanged", "withheld")
_COUNTED = (
    *("target", "push", "created", "updated", "deleted", "unchanged", "withheld"),
    *("conflicts", "failed", "unknown", "batches"),
)
TOLD = ("tmdb_id", "title", "outcome", "reason", "withheld")  # what a result keeps of outcomes
_ASIDE = ("withheld", "not_staged", "unknown")  # kinds of a plan that compare nothing
_CALLED = {"update": "different", "create": "absent"}


@dataclass(frozen=True, repr=False)
class PushResult(Drawn):
    """What a push came to.

    Attributes:
        target: Which target it went to.
        created: How many documents were made.
        updated: How many were changed.
        unchanged: How many were as they should be.
        withheld: How many movies, or ratings of movies, were not sent, each with a reason.
        conflicts: How many had been changed by someone else meanwhile, and were left alone.
        failed: How many were refused or could not be sent.
        unknown: How many nobody can tell of, as all answers were lost; the next run finds out.
        batches: How many mutations were sent.
        outcomes: One row for each movie.
        left_out: Fields and tables that the target does not know.
        deleted: How many were deleted, on the way back.
        push: Its name in the import log; "" where there is none.
        anew: A new plan for the conflicts, to be looked at and sent with `push(..., plan=...)`.
        advice: What to do next with what was written.
        notes: What a person should know of it.
    """

    _heading = "Pushed"

    target: str
    created: int
    updated: int
    unchanged: int
    withheld: int
    conflicts: int
    failed: int
    unknown: int
    batches: int
    outcomes: pl.DataFrame = field(repr=False)
    left_out: tuple[str, ...] = ()
    deleted: int = 0
    push: str = ""
    anew: Plan | None = field(default=None, repr=False)
    advice: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def counts(self) -> dict[str, str | int]:
        """Return the target and the counts by name."""
        return {name: getattr(self, name) for name in _COUNTED}

    def with_failures(self, unsent: Sequence[tuple[int, str]]) -> PushResult:
        """Return it with movies that never came as far as the target, `tmdb_id, reason`."""
        rows = [(tmdb_id, "", "failed", reason, 0) for tmdb_id, reason in unsent]
        more = pl.DataFrame(rows, self.outcomes.schema, orient="row")
        outcomes = pl.concat([self.outcomes, more])
        return replace(self, failed=self.failed + len(unsent), outcomes=outcomes)

    def followed_by(self, more: PushResult) -> PushResult:
        """Return it with what was sent afterwards; of a movie in both, the later outcome counts."""
        rows = self.outcomes.join(more.outcomes, on="tmdb_id", how="anti", maintain_order="left")
        return add_up(
            self.target,
            self.push,
            [rows, more.outcomes],
            batches=self.batches + more.batches,
            left_out=self.left_out,
            advice=more.advice,
        )

    def _facts(self) -> list[tuple[str, str]]:
        # A push's name is another one each time: a notebook that is run again would differ.
        facts = counted_facts({name: n for name, n in self.counts().items() if name != "push"})
        if self.left_out:
            facts.append(("not known there", ", ".join(self.left_out)))
        facts += [("note", line) for line in self.notes]
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


@dataclass(frozen=True, repr=False)
class DeleteResult(Drawn):
    """What a deletion came to.

    Attributes:
        pushed: What sending it came to; `undo` takes it back by its name in the import log.
    """

    _heading = "Deleted"

    pushed: PushResult

    @property
    def deleted(self) -> int:
        """How many movies were deleted."""
        return self.pushed.deleted

    @property
    def absent(self) -> int:
        """How many were not there."""
        return self.pushed.unchanged

    @property
    def outcomes(self) -> pl.DataFrame:
        """One row for each movie; one that was not there is `unchanged`."""
        return self.pushed.outcomes

    def counts(self) -> dict[str, str | int]:
        """Return the target and the counts by name."""
        return dict(_of_deletion(self.pushed.counts().items()))

    def _facts(self) -> list[tuple[str, str]]:
        return list(_of_deletion(self.pushed._facts()))


def _of_deletion(facts: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Yield the facts of a push as those of a deletion, which creates and updates nothing."""
    for name, told in facts:
        if name not in ("created", "updated"):
            yield "absent" if name == "unchanged" else name, told


def add_up(
    target: str,
    push: str,
    outcomes: Iterable[pl.DataFrame],
    *,
    batches: int,
    left_out: tuple[str, ...],
    advice: tuple[str, ...],
) -> PushResult:
    """Add up what a push came to; the outcomes have `TOLD` at least."""
    rows = pl.concat([some.select(TOLD) for some in (OUTCOMES.to_frame(), *outcomes)])
    count = Counter(rows["outcome"].to_list())
    return PushResult(
        target=target,
        push=push,
        created=count["created"],
        updated=count["updated"],
        unchanged=count["unchanged"],
        withheld=count["withheld"] + int(rows["withheld"].sum()),
        conflicts=count["conflict"],
        failed=count["failed"],
        unknown=count["unknown"],
        deleted=count["deleted"],
        batches=batches,
        outcomes=rows,
        left_out=left_out,
        advice=advice,
    )


@dataclass(frozen=True, repr=False)
class Verification(Drawn):
    """How a target compares with the stage: what a push by the plan would still change."""

    _heading = "Verified"

    plan: Plan

    def counts(self) -> dict[str, int]:
        """Return how many movies were checked, are equal, different, absent there, or not staged.

        And how many could not be compared, where there are any: `withheld`, since a decision or a
        rule holds them back, and `unknown`, where nobody can tell what an earlier push did to them.
        """
        kinds: Counter[str] = Counter(change.kind for change in self.plan.changes)
        aside = {kind: kinds[kind] for kind in ("withheld", "unknown") if kinds[kind]}
        equal, absent = kinds["unchanged"], kinds["create"]
        checked = len(self.plan) - kinds["not_staged"] - kinds["unknown"]
        return {
            "checked": checked,
            "equal": equal,
            "different": checked - equal - absent - kinds["withheld"],
            "absent": absent,
            "not_staged": kinds["not_staged"],
            **aside,
        }

    def differences(self) -> pl.DataFrame:
        """Return a row for each field that differs, `old` as it is there, `new` as staged."""
        return self.plan.fields().filter(~pl.col("change").is_in(["create", *_ASIDE]))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each difference, with values as they are, and for what is not compared.

        `change` is `different`, `absent`, or why it is not compared.
        """
        for row in self.plan.rows():
            absent = {"new": None} if row["change"] == "create" else {}
            yield {**row, "change": _CALLED.get(row["change"], row["change"]), **absent}

    def _facts(self) -> list[tuple[str, str]]:
        facts = counted_facts({"target": self.plan.target, **self.counts()})
        there = [change for change in self.plan.changes if change.kind != "create"]
        facts += [("different", told) for told in first_lines(there)]
        lacking = [c for c in self.plan.changes if c.kind == "create"]
        facts += first_facts("absent", [f"{c.title} ({c.tmdb_id})" for c in lacking])
        return facts + aside_facts(self.plan.changes, ("failed", *_ASIDE))
