"""The import log of a stage, as a push writes it and as whoever comes after settles it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.convex.intents import Unsettled
from tmdbkit.exceptions import StageError, StopError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tmdbkit.convex.planned import Plan
    from tmdbkit.convex.target import Target
    from tmdbkit.stage.stage import Stage


def import_log(
    stage: Stage, target: Target, push: str, plan: Plan | None = None
) -> Callable[[pl.DataFrame], None]:
    """Return what appends rows of a push to the import log of a stage."""
    names = {
        "push": pl.lit(push),
        "plan": pl.lit(plan.id if plan is not None else None, pl.String),
        "target": pl.lit(str(target.title)),
        "identity": pl.lit(target.title.identity or None, pl.String),
    }
    return lambda rows: stage.store.add_imports(rows.with_columns(**names))


def unsettled_of(
    stage: Stage, target: Target, now: Callable[[], datetime], *, needed: bool = True
) -> Unsettled:
    """Return the intents of earlier pushes to a target of which not all is known.

    Args:
        stage: Whose import log has them.
        target: Where they went.
        now: The time of day.
        needed: Whether what becomes known has to be logged; a plan works on a read-only stage.
    """

    def log(settled: pl.DataFrame) -> None:
        with suppress(*(() if needed else (StopError, StageError))):
            stage.store.add_imports(settled)

    return Unsettled(target.title.rows_of(stage.store.unsettled()), log, now)
