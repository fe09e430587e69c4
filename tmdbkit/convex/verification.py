"""How a target compares with the stage, read off a plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tmdbkit.convex.shown import aside_facts, first_lines
from tmdbkit.display import Drawn, counted_facts, first_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tmdbkit.convex.plan import Plan

_ASIDE = ("withheld", "not_staged", "unknown")  # kinds of a plan that compare nothing
_CALLED = {"update": "different", "create": "absent"}


@dataclass(frozen=True, repr=False)
class Verification(Drawn):
    """How a target compares with the stage.

    Attributes:
        plan: What a push would still change.
    """

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
