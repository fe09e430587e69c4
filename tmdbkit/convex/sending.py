"""One push from beginning to end, whatever its pieces are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tmdbkit import progress as progresses
from tmdbkit.convex.importer import Importer
from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.convex.results import add_up, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import polars as pl

    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.progress import Progress
    from tmdbkit.tmdb.images import ImageForm

T = TypeVar("T")


@dataclass(frozen=True)
class Sending:
    """What a push needs besides its pieces: rows of a stage, rows just fetched, parts of a plan.

    Attributes:
        target: Where it goes.
        people: `named`, `all` or `none`; None as the target's tables suggest.
        images: The form of images in an empty target.
        progress: What is told how far it is.
        log: Is given the outcomes as they come.
        now: The time of day.
    """

    target: Target
    people: str | None
    images: ImageForm
    progress: Progress | None
    log: Callable[[pl.DataFrame], None] | None
    now: Callable[[], datetime]

    def run(
        self,
        pieces: Iterable[T],
        total: int,
        send: Callable[[Importer, T], pl.DataFrame],
        *,
        scope: Scope = ALL,
        limit: int | None = None,
    ) -> PushResult:
        """Send all pieces; of what came of them only what the result tells is kept in memory."""
        self.target.preflight(writing=True)
        shown = self.progress or progresses.default()
        outcomes: list[pl.DataFrame] = []
        done = 0
        shown.begin("pushing", total)
        try:
            with Importer(
                self.target,
                people=self.people,
                images=self.images,
                now=self.now,
                scope=scope,
                limit=limit,
                log=self.log,
            ) as importer:
                for piece in pieces:
                    outcomes.append(told(send(importer, piece)))
                    done += outcomes[-1].height
                    shown.update(done)
        finally:
            shown.end()
        return add_up(
            str(self.target.title),
            outcomes,
            batches=importer.batches,
            left_out=importer.left_out(),
            advice=self.target.advice(),
        )
