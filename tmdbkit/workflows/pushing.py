"""From the stage to a target: planned, sent, read back, taken back."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl

from tmdbkit.convex.deletion import guarded
from tmdbkit.convex.importer import Importer
from tmdbkit.convex.intents import unknown
from tmdbkit.convex.merge import ALL, PushOptions, Scope
from tmdbkit.convex.parsing import id_of
from tmdbkit.convex.plan import Plan
from tmdbkit.convex.read import pages
from tmdbkit.convex.results import PushResult, Verification
from tmdbkit.convex.target import Target
from tmdbkit.convex.undo import WROTE, plan_undo
from tmdbkit.exceptions import UsageError
from tmdbkit.executors import prefetch
from tmdbkit.images import ImageForm
from tmdbkit.progress import Progress, Silent, counted
from tmdbkit.schema import IMAGES, SYSTEMS
from tmdbkit.settings.arguments import checked
from tmdbkit.stage.stage import Stage
from tmdbkit.workflows.outgoing import Outgoing
from tmdbkit.workflows.run import Run


@checked
def plan_push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    approved: bool = False,
    scope: Scope = ALL,
    limit: int | None = None,
    people: str | None = None,
    images: str | ImageForm | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] | None = None,
) -> Plan:
    """Say what a push would do, and change nothing.

    What became of an earlier push that was killed shows in what is read, and is logged.

    Args:
        stage: What would be sent.
        target: Where it would go; a key for reading is enough.
        ids: Only these; default all that are staged.
        approved: Only what was approved in review, and has not changed since in what was judged.
        scope: Which fields may be touched.
        limit: How many movies go at most.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: `url` or `path`: the form that images get, those that are there too; by default
            each keeps its form, and the stage's settings decide where the target has none.
        progress: Progress reporter; default a widget, a status line, or nothing.
        now: The clock.

    Example:
        >>> plan = plan_push(tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal"), [603])
        >>> plan[603]
        The Matrix (603): create
    """
    options = PushOptions.of(
        stage.store.settings,
        scope=scope,
        limit=limit,
        people=people,
        images=images,
        own=stage.store.own.read().types,
    )
    run = Run(stage, target, options, progress=progress, now=now)
    plan = run.plan(Outgoing.of(stage, ids, scope, approved=approved))
    left = _left_in_another_form(target, options.images, plan.ids())
    return replace(plan, notes=(*plan.notes, *left))


def _left_in_another_form(target: Target, form: ImageForm, planned: set[int]) -> list[str]:
    """Say how many movies there keep the other form, where images are converted."""
    if not form.converts:
        return []
    others = sum(
        any(isinstance(held := row.get(name), str) and not form.fits(held) for name in IMAGES)
        for page in pages(target, "movies")
        for row in page
        if id_of(row) not in planned
    )
    told = (
        f"{counted(others, 'movie')} there, not in this plan, keep images of the form {form.other}"
    )
    return [told] if others else []


@checked
def push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    plan: Plan | str | Path | None = None,
    approved: bool = False,
    scope: Scope = ALL,
    limit: int | None = None,
    people: str | None = None,
    images: str | ImageForm | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] | None = None,
) -> PushResult:
    """Send staged movies to a target: create, update or leave alone, by `tmdb_id`.

    Args:
        stage: Where they come from; its import log tells what was done.
        target: A `ConvexDeployment` or a `ConvexSnapshot`.
        ids: Only these; default all that are staged.
        plan: Send exactly this, made by `plan_push` or `undo`, or saved in a file. A document that
            was changed there since is a conflict: left alone, reported, and planned anew in the
            result's `anew`.
        approved: Only what was approved in review, and has not changed since in what was judged.
        scope: Which fields may be touched.
        limit: How many movies go at most.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: `url` or `path`: the form that images get, those that are there too; by default
            each keeps its form, and the stage's settings decide where the target has none.
        progress: Progress reporter; default a widget, a status line, or nothing.
        now: The clock.

    Raises:
        UsageError: An id that is none, no such choice of people, a plan for another target, or one
            with other limits beside it.
        StopError: Going on is pointless; what was sent until then is in the import log.

    Example:
        >>> stage, target = tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal")
        >>> push(stage, target, [603, 550]).created
        2
        >>> push(stage, target, [603, 550]).unchanged
        2
    """
    plan = Plan.load(Path(plan)) if isinstance(plan, str | Path) else plan
    options = PushOptions.of(
        stage.store.settings,
        scope=scope,
        limit=limit,
        people=people,
        images=images,
        own=stage.store.own.read().types if plan is None or not plan.undoes else {},
    )
    run = Run(stage, target, options, progress=progress, now=now)
    if plan is not None:
        if approved or options.images.converts or (ids, limit) != (None, None):
            raise UsageError(
                "a plan is sent exactly as it is; leave out ids, approved, limit, images"
            )
        return _send_plan(run, plan)
    outgoing = Outgoing.of(stage, ids, scope, approved=approved)

    def plans(importer: Importer) -> Generator[Plan]:
        prepared = (importer.prepare(*piece) for piece in outgoing.pieces())
        return prefetch(prepared, importer.press)

    sent = run.send(plans, outgoing.total)
    return _with_terms_and_new_plan(run, sent, scope).with_failures(outgoing.failures())


def _send_plan(run: Run, plan: Plan) -> PushResult:
    """Send a plan that was made before; a way back is looked over once more at its end."""
    target = run.target
    if not target.title.is_meant(plan.target, plan.identity):
        raise UsageError(f"the plan is for {plan.target}, not for {target.title}")
    if plan.undoes:
        return _undo_late_changes(run, plan, run.send_parts(plan))
    doubtful = unknown(run.unsettled().look_up(target, plan.ids()))
    sent = run.send_parts(replace(plan, changes=(*plan.changes, *doubtful)))
    if any(change.kind == "delete" for change in plan.changes):
        return sent  # a new plan of a push would be no plan of what was meant
    return _with_terms_and_new_plan(run, sent, plan.scope)


def _undo_late_changes(run: Run, plan: Plan, sent: PushResult) -> PushResult:
    """Take back what a mutation did that was still running when its push was killed."""
    settled = run.unsettled().look_up(run.target)
    of_push = (pl.col("push") == plan.undoes) & pl.col("outcome").is_in(WROTE)
    late = set(settled.filter(of_push)["tmdb_id"])
    if not late:
        return sent
    rest = plan_undo(run.stage.imports(), run.target.title, plan.undoes)
    changes = tuple(change for change in rest.changes if change.tmdb_id in late and change.goes)
    return sent.followed_by(run.send_parts(replace(rest, changes=changes)))


def _with_terms_and_new_plan(run: Run, sent: PushResult, scope: Scope) -> PushResult:
    """Return a result with the terms of new ratings, and a new plan for what was a conflict."""
    if (sent.created or sent.updated) and not run.target.deferred:
        sent = replace(sent, notes=(*sent.notes, *_terms(run)))
    conflicts = sent.outcomes.filter(pl.col("outcome") == "conflict")["tmdb_id"].to_list()
    if not conflicts:
        return sent
    options = replace(run.options, scope=scope, limit=None)
    again = Run(run.stage, run.target, options, progress=Silent(), now=run.now)
    anew = again.plan(Outgoing.of(run.stage, conflicts, scope, approved=False))
    return replace(sent, anew=anew)


def _terms(run: Run) -> tuple[str, ...]:
    """Return whose terms go with ratings of systems of which a target had none, in one line."""
    from tmdbkit.ratings.providers import TERMS

    new = {*SYSTEMS} - run.contact.rated()
    fresh = run.stage.ratings().filter("chosen", pl.col("system").is_in(new))
    terms = [TERMS[name] for name in fresh["provider"].unique().sort() if name in TERMS]
    return (f"mind the terms of these ratings: {' · '.join(terms)}",) if terms else ()


@checked
def verify(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    scope: Scope = ALL,
    progress: Progress | None = None,
) -> Verification:
    """Read back what was pushed, and compare it field by field; what is kept counts as equal.

    Example:
        >>> stage, target = tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal")
        >>> verify(stage, target, [603]).counts()
        {'checked': 1, 'equal': 0, 'different': 0, 'absent': 1, 'not_staged': 0}
    """
    return Verification(
        plan_push(stage, target, ids, scope=scope, people="none", progress=progress)
    )


@checked
def undo(
    stage: Stage, target: Target, push_id: str | None = None, *, referenced: bool = False
) -> Plan:
    """Plan the way back from a push, by the import log; send it with `push(..., plan=...)`.

    What was created is deleted, what was changed is set back, what was deleted is created again,
    with another `_id`; a document that someone edited since is a conflict when the plan is sent,
    and left alone. What was taken back already is not in it,
    so that one that was interrupted goes on.

    Args:
        stage: Whose import log tells what was done.
        target: Where it was done.
        push_id: Which push, as the import log names it; default the latest there that is itself no
            undo and not wholly taken back. One that is an undo, named, is done again by it.
        referenced: Delete also what other documents of the target point at by now.

    What a push that was killed has come to is read off its documents first.

    Raises:
        UsageError: The log has no such push to this target, or nothing of it is left to take back.

    Example:
        >>> stage, target = tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal")
        >>> sent = push(stage, target, [603])
        >>> push(stage, target, plan=undo(stage, target)).deleted
        1
    """
    run = Run(stage, target, PushOptions())
    unsettled = run.unsettled()
    if unsettled:
        target.preflight(writing=False)
        unsettled.look_up(target)
    plan = plan_undo(stage.imports(), target.title, push_id)
    return guarded(plan, target, referenced=referenced)
