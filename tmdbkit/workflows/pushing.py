"""From the stage to a target: planned, sent, read back, taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit.convex.decoded import id_of
from tmdbkit.convex.deletion import guarded
from tmdbkit.convex.importer import CHUNK, PEOPLE, Importer
from tmdbkit.convex.intents import Unsettled, unknown
from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.convex.planned import Plan
from tmdbkit.convex.reading import pages
from tmdbkit.convex.sending import Sending, one_ahead
from tmdbkit.convex.undo import WROTE, way_back
from tmdbkit.convex.verification import Verification
from tmdbkit.exceptions import UsageError
from tmdbkit.images import FORMS, ImageForm
from tmdbkit.progress import counted
from tmdbkit.schema import IMAGES, SYSTEMS
from tmdbkit.workflows.contracts import contact
from tmdbkit.workflows.logging_pushes import import_log, unsettled_of
from tmdbkit.workflows.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable

    from tmdbkit.convex.results import PushResult
    from tmdbkit.convex.target import Target
    from tmdbkit.progress import Progress
    from tmdbkit.settings import Settings
    from tmdbkit.stage.stage import Stage


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
        progress: What is told how far it is.
        now: The time of day.

    Example:
        >>> plan = plan_push(tmdbkit.sample(), tmdbkit.ConvexSnapshot("rehearsal"), [603])
        >>> plan[603]
        The Matrix (603): create
    """
    check_people(people)
    target.preflight(writing=False)
    sent = Outgoing.of(stage, ids, scope, approved=approved)
    shown = progress or progresses.default()
    parts = [sent.plan_of_failures(target)]
    shown.begin("planning", sent.total)
    form = image_form(stage.store.settings, images)
    unsettled = unsettled_of(stage, target, now or _now, needed=False)
    try:
        with Importer(
            target,
            people=people,
            images=form,
            now=now or _now,
            scope=scope,
            limit=limit,
            unsettled=unsettled,
            contact=contact(stage, target),
        ) as importer:
            for piece in sent.pieces():
                parts.append(importer.plan(*piece))
                shown.update(sum(map(len, parts)))
    finally:
        shown.end()
    joined = Plan.joined(str(target.title), parts)
    notes = (*joined.notes, *_left_in_another_form(target, form, joined.ids()))
    return replace(joined, contract=importer.contract.source, notes=notes)


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


def push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    plan: Plan | None = None,
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
        plan: Send exactly this, made by `plan_push` or `undo`. A document that was changed there
            since is a conflict: left alone, reported, and planned anew in the result's `anew`.
        approved: Only what was approved in review, and has not changed since in what was judged.
        scope: Which fields may be touched.
        limit: How many movies go at most.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: `url` or `path`: the form that images get, those that are there too; by default
            each keeps its form, and the stage's settings decide where the target has none.
        progress: What is told how far it is.
        now: The time of day.

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
    form = image_form(stage.store.settings, images)
    if plan is not None and (approved or form.converts or (ids, limit) != (None, None)):
        raise UsageError("a plan is sent exactly as it is; leave out ids, approved, limit, images")
    check_people(people)
    name, now = token_hex(8), now or _now
    unsettled = unsettled_of(stage, target, now)
    sending = Sending(
        target,
        people,
        form,
        progress,
        import_log(stage, target, name, plan),
        now,
        push=name,
        unsettled=unsettled,
        contact=partial(contact, stage),
        terms=partial(_terms, stage),
    )
    if plan is not None:
        return _send_plan(plan, stage, sending, unsettled)

    going = Outgoing.of(stage, ids, scope, approved=approved)

    def plans(importer: Importer) -> Generator[Plan]:
        prepared = (importer.prepare(*piece) for piece in going.pieces())
        return one_ahead(prepared, importer.press)

    pushed = sending.run(plans, going.total, scope=scope, limit=limit)
    pushed = _planned_anew(pushed, stage, sending, scope)
    return pushed.with_failures(going.failures())


def _send_plan(plan: Plan, stage: Stage, sending: Sending, unsettled: Unsettled) -> PushResult:
    """Send a plan that was made before; a way back is looked over once more at its end."""
    target = sending.target
    if not target.title.is_meant(plan.target, plan.identity):
        raise UsageError(f"the plan is for {plan.target}, not for {target.title}")
    if plan.undoes:
        sending = replace(sending, terms=lambda _: ())
        return _take_back_late_ones(
            plan, sending.run(lambda _: plan.parts(CHUNK), len(plan)), stage, sending
        )
    doubtful = unknown(unsettled.look_up(target, plan.ids()))
    plan = replace(plan, changes=(*plan.changes, *doubtful))
    sent = sending.run(lambda _: plan.parts(CHUNK), len(plan))
    if any(change.kind == "delete" for change in plan.changes):
        return sent  # a new plan of a push would be no plan of what was meant
    return _planned_anew(sent, stage, sending, plan.scope)


def _take_back_late_ones(
    plan: Plan, sent: PushResult, stage: Stage, sending: Sending
) -> PushResult:
    """Take back what a mutation did that was still running when its push was killed."""
    settled = unsettled_of(stage, sending.target, sending.now).look_up(sending.target)
    of_push = (pl.col("push") == plan.undoes) & pl.col("outcome").is_in(WROTE)
    late = set(settled.filter(of_push)["tmdb_id"])
    if not late:
        return sent
    rest = way_back(stage.imports(), sending.target.title, plan.undoes)
    changes = tuple(change for change in rest.changes if change.tmdb_id in late and change.goes)
    rest = replace(rest, changes=changes)
    return sent.followed_by(sending.run(lambda _: rest.parts(CHUNK), len(rest)))


def _terms(stage: Stage, rated: Collection[str]) -> tuple[str, ...]:
    """Return whose terms go with ratings of systems of which a target had none, in one line."""
    from tmdbkit.ratings.providers import TERMS

    fresh = stage.ratings().filter("chosen", pl.col("system").is_in({*SYSTEMS} - {*rated}))
    terms = [TERMS[name] for name in fresh["provider"].unique().sort() if name in TERMS]
    return (f"mind the terms of these ratings: {' · '.join(terms)}",) if terms else ()


def _planned_anew(pushed: PushResult, stage: Stage, sent: Sending, scope: Scope) -> PushResult:
    """Return a result with a new plan for what someone else changed meanwhile."""
    conflicts = pushed.outcomes.filter(pl.col("outcome") == "conflict")["tmdb_id"].to_list()
    if not conflicts:
        return pushed
    anew = plan_push(
        stage,
        sent.target,
        conflicts,
        scope=scope,
        people=sent.people,
        images=sent.images,
        progress=progresses.Silent(),
        now=sent.now,
    )
    return replace(pushed, anew=anew)


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
        {'checked': 1, 'equal': 0, 'different': 0, 'absent': 1}
    """
    return Verification(
        plan_push(stage, target, ids, scope=scope, people="none", progress=progress)
    )


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
    unsettled = unsettled_of(stage, target, _now)
    if unsettled:
        target.preflight(writing=False)
        unsettled.look_up(target)
    return guarded(way_back(stage.imports(), target.title, push_id), target, referenced=referenced)


def check_people(people: str | None) -> None:
    """Refuse a choice of people that there is not."""
    if people not in (None, *PEOPLE):
        raise UsageError(f"people is {people!r}; it must be one of {', '.join(PEOPLE)}")


def image_form(settings: Settings, wanted: str | ImageForm | None = None) -> ImageForm:
    """Return the form of images that settings say, or the one that all are to get.

    Raises:
        UsageError: There is no such form.
    """
    if isinstance(wanted, ImageForm):
        return wanted
    if wanted not in (None, *FORMS):
        raise UsageError(f"images is {wanted!r}; it must be one of {', '.join(FORMS)}")
    return ImageForm(
        wanted or settings.images,
        settings.poster_size,
        settings.backdrop_size,
        converts=wanted is not None,
    )


def _now() -> datetime:
    return datetime.now(UTC)
