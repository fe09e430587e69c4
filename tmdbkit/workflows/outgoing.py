"""What of a stage a push sends: which movies, and what of them is withheld."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from tmdbkit.convex.changes import Change, Withheld
from tmdbkit.convex.importer import CHUNK
from tmdbkit.convex.merge import Scope
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.target import Target
from tmdbkit.schema import RATINGS, checked_ids
from tmdbkit.stage.decisions import verdicts
from tmdbkit.stage.stage import Stage
from tmdbkit.stage.tables import PAYLOADS
from tmdbkit.stage.waivers import summary, waived
from tmdbkit.workflows.checking import errors_of, withheld_of, withheld_unless_approved

Piece = tuple[pl.DataFrame, pl.DataFrame, Withheld]
NOT_STAGED = "not staged; tmdbkit stage {} fetches it"


@dataclass(frozen=True)
class Outgoing:
    """What of a stage a push sends.

    Attributes:
        stage: Where it comes from.
        ids: The movies; None is all that are staged.
        not_staged: Movies that were asked for, and cannot go.
        total: How many there are.
        withheld: What of them is not to be sent, and why.
        waived: Their errors that somebody waived.
        rated: Whether movies that are rated and not staged go as well, with nothing but ratings.
    """

    stage: Stage
    ids: list[int] | None
    not_staged: list[int]
    total: int
    withheld: Withheld
    waived: pl.DataFrame
    rated: bool

    @classmethod
    def of(
        cls, stage: Stage, ids: Iterable[int] | None, scope: Scope, *, approved: bool
    ) -> Outgoing:
        """Ask a stage what a push of this scope sends, of all movies or of some.

        Raises:
            UsageError: An id that is none.
        """
        rated = scope.only is not None and scope.only <= RATINGS
        there = stage.ids().union(stage.store.rated_only()["tmdb_id"] if rated else ())
        wanted = None if ids is None else checked_ids(ids)
        if approved:
            said = verdicts(stage.decisions()).filter(pl.col("kind") == "approve")
            of_these = set(said["tmdb_id"])
            wanted = [n for n in (there if wanted is None else wanted) if n in of_these]
        absent = [] if wanted is None else [n for n in wanted if n not in there]
        total = (len(there) if wanted is None else len(wanted)) - len(absent)
        errors = errors_of(stage)
        keep_back = withheld_unless_approved if approved else withheld_of
        with_ratings = scope.only is None or bool(scope.only & RATINGS)
        let_go = waived(errors).filter(pl.lit(with_ratings))
        return cls(stage, wanted, absent, total, keep_back(stage, errors), let_go, rated)

    def pieces(self) -> Iterator[Piece]:
        """Yield rows and payloads of some movies at a time, and what of them is withheld."""
        for rows, payloads in self.stage.store.batches(self.ids, size=CHUNK):
            yield rows, payloads, self.withheld
        if self.rated:
            for rows in self.stage.store.rated_only(self.ids).iter_slices(CHUNK):
                yield rows, PAYLOADS.to_frame(), self.withheld

    def waived_in(self, changes: Iterable[Change]) -> list[str]:
        """Return which errors of what goes somebody waived, a line for each who did."""
        going = [change.tmdb_id for change in changes if change.goes]
        return summary(self.waived.filter(pl.col("tmdb_id").is_in(going)))

    def failures(self) -> list[tuple[int, str]]:
        """Return which movies cannot go, and why."""
        return [(n, NOT_STAGED.format(n)) for n in self.not_staged]

    def plan_of_failures(self, target: Target) -> Plan:
        """Return the part of a plan that says which movies cannot go."""
        changes = (Change(n, f"movie {n}", "not_staged", reason=why) for n, why in self.failures())
        return Plan.to(target.title, tuple(changes))
