"""Movies that leave a target again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from tmdbkit.convex.deletion import deletions, guarded
from tmdbkit.convex.delivery import asked
from tmdbkit.convex.intents import unknown
from tmdbkit.convex.merge import PushOptions
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.results import DeleteResult
from tmdbkit.convex.target import Target
from tmdbkit.convex.undo import standing
from tmdbkit.progress import Progress
from tmdbkit.schema import checked_ids
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.stage import Stage
from tmdbkit.workflows.pushing import push
from tmdbkit.workflows.run import Run


@checked
def absent_from_stage(stage: Stage, target: Target) -> list[int]:
    """Return the movies that this stage created in the target, and does not hold any more.

    What it found there, or changed, is somebody else's to delete.
    """
    there = standing(target.title.rows_of(stage.imports()))
    gone = there.unique("tmdb_id", keep="last", maintain_order=True).filter(outcome="deleted")
    created = set(there.filter(outcome="created")["tmdb_id"])
    return sorted(created - set(gone["tmdb_id"]) - stage.ids())


@checked
def delete_movies(
    stage: Stage,
    target: Target,
    ids: Iterable[int],
    *,
    referenced: bool = False,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> DeleteResult:
    """Delete the documents of movies from a target: a change like any other, and undone like one.

    What someone edits between the look and the deletion is a conflict, and left alone.

    Args:
        stage: Whose import log keeps the whole documents.
        target: Where they are.
        ids: Which movies.
        referenced: Delete also what other documents of the target point at.
        progress: Progress reporter; default a widget, a status line, or nothing.
        now: The clock.

    Raises:
        UsageError: An id that is none.
        StopError: Going on is pointless, such as without a log to write to.

    Example:
        >>> stage, target = tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal")
        >>> sent = tmdbkit.push(stage, target, [603, 550])
        >>> delete_movies(stage, target, [603]).deleted
        1
        >>> tmdbkit.push(stage, target, plan=tmdbkit.undo(stage, target)).created
        1
    """
    plan = plan_deletion(stage, target, ids, referenced=referenced, now=now)
    return DeleteResult(push(stage, target, plan=plan, progress=progress, now=now))


@checked
def plan_deletion(
    stage: Stage,
    target: Target,
    ids: Iterable[int],
    *,
    referenced: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Plan:
    """Say what a deletion would take away, and change nothing; `push(..., plan=...)` sends it."""
    wanted = checked_ids(ids)
    target.preflight(writing=False)
    there = asked(target.documents, wanted)
    run = Run(stage, target, PushOptions(), now=now)
    settled = run.unsettled(needed=False).settle(wanted, there)
    plan = Plan.to(target.title, (*deletions(there, wanted), *unknown(settled)))
    return guarded(plan, target, referenced=referenced)
