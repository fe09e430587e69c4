"""The verbs that users call; composition only."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit import transform
from tmdbkit.convex.delivery import READ
from tmdbkit.convex.importer import CHUNK, PEOPLE, Importer
from tmdbkit.convex.merge import ALL, Scope
from tmdbkit.convex.planned import Plan
from tmdbkit.convex.results import DeleteResult, PushResult
from tmdbkit.convex.sending import Sending
from tmdbkit.convex.undo import way_back
from tmdbkit.convex.verification import Verification
from tmdbkit.exceptions import UsageError
from tmdbkit.logs import IMPORTS
from tmdbkit.schema import ROW
from tmdbkit.settings import Settings
from tmdbkit.staging import THREADS, StageResult, fetch_movies, stage_ids
from tmdbkit.tmdb.images import ImageForm

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from tmdbkit.convex.target import Target
    from tmdbkit.progress import Progress
    from tmdbkit.stage import Stage
    from tmdbkit.tmdb.session import TMDBSession


def stage_movies(
    session: TMDBSession,
    stage: Stage,
    ids: Iterable[int],
    *,
    refresh: bool = False,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> StageResult:
    """Fetch movies into the stage; those that are staged already cost no request.

    Args:
        session: Where payloads come from.
        stage: Where they go.
        ids: TMDB ids; repeats count once.
        refresh: Fetch those again that are staged already.
        threads: How many requests are under way at once.
        progress: What is told how far it is; default a widget, a line, or nothing.

    Raises:
        UsageError: An id that is none.
        StopError: Going on is pointless; what came until then is staged.
    """
    return stage_ids(
        session,
        stage,
        checked_ids(ids),
        refresh=refresh,
        threads=threads,
        progress=progress or progresses.default(),
        now=_now(),
    )


def refresh_movies(
    session: TMDBSession,
    stage: Stage,
    ids: Iterable[int] | None = None,
    *,
    older_than: timedelta | None = None,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> StageResult:
    """Fetch staged movies again: these, those of some age, or all.

    What a person decided is never overwritten, and the payloads of before stay in the log.
    """
    wanted = stage.fetched_before(_now() - older_than) if older_than else stage.ids()
    chosen = wanted if ids is None else wanted.intersection(checked_ids(ids))
    return stage_movies(
        session, stage, sorted(chosen), refresh=True, threads=threads, progress=progress
    )


def plan_push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    scope: Scope = ALL,
    limit: int | None = None,
    people: str | None = None,
    images: ImageForm | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] | None = None,
) -> Plan:
    """Say what a push would do, and change nothing.

    Args:
        stage: What would be sent.
        target: Where it would go; a key for reading is enough.
        ids: Only these; default all that are staged.
        scope: Which fields may be touched.
        limit: How many movies go at most.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: The form of images in an empty target; default as the settings say.
        progress: What is told how far it is.
        now: The time of day.
    """
    wanted = None if ids is None else checked_ids(ids)
    _check_people(people)
    target.preflight(writing=False)
    shown = progress or progresses.default()
    parts: list[Plan] = []
    shown.begin("planning", len(stage) if wanted is None else len(wanted))
    form = images or _image_form()
    try:
        with Importer(
            target, people=people, images=form, now=now or _now, scope=scope, limit=limit
        ) as importer:
            for rows, payloads in stage.batches(wanted, size=CHUNK):
                parts.append(importer.plan(rows, payloads))
                shown.update(sum(map(len, parts)))
    finally:
        shown.end()
    return Plan.joined(str(target.title), parts)


def push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
    plan: Plan | None = None,
    scope: Scope = ALL,
    limit: int | None = None,
    people: str | None = None,
    images: ImageForm | None = None,
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
        scope: Which fields may be touched.
        limit: How many movies go at most.
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: The form of images in an empty target; default as the settings say.
        progress: What is told how far it is.
        now: The time of day.

    Raises:
        UsageError: An id that is none, no such choice of people, a plan for another target.
        StopError: Going on is pointless; what was sent until then is in the import log.
    """
    names = {
        "push": pl.lit(token_hex(8)),
        "plan": pl.lit(plan.id if plan is not None else None, pl.String),
        "target": pl.lit(str(target.title)),
    }

    def log(outcomes: pl.DataFrame) -> None:
        stage.add_imports(outcomes.with_columns(**names).select(IMPORTS.names()))

    wanted = None if ids is None else checked_ids(ids)
    _check_people(people)
    staged = stage.ids()
    absent = [] if wanted is None else [n for n in wanted if n not in staged]
    total = (len(staged) if wanted is None else len(wanted)) - len(absent)
    sending = Sending(target, people, images or _image_form(), progress, log, now or _now)
    if plan is not None:
        if plan.target != str(target.title):
            raise UsageError(f"the plan is for {plan.target}, not for {target.title}")
        sent = sending.run(plan.parts(CHUNK), len(plan), Importer.send)
        return sent if plan.undoes else _planned_anew(sent, stage, sending, plan.scope)
    batches = stage.batches(wanted, size=CHUNK)
    pushed = sending.run(batches, total, _push_rows, scope=scope, limit=limit)
    pushed = _planned_anew(pushed, stage, sending, scope)
    return pushed.with_failures([(n, f"not staged; tmdbkit stage {n} fetches it") for n in absent])


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
    """Read back what was pushed, and compare it field by field; what is kept counts as equal."""
    return Verification(
        plan_push(stage, target, ids, scope=scope, people="none", progress=progress)
    )


def undo(stage: Stage, target: Target, push_id: str | None = None) -> Plan:
    """Plan the way back from a push, by the import log; send it with `push(..., plan=...)`.

    What was created is deleted, what was changed is set back; a document that someone edited since
    is a conflict when the plan is sent, and left alone.

    Args:
        stage: Whose import log tells what was done.
        target: Where it was done.
        push_id: Which push, as the import log names it; default the latest one there.

    Raises:
        UsageError: The log has no such push to this target.
    """
    return way_back(stage.imports(), str(target.title), push_id)


def import_direct(
    session: TMDBSession,
    target: Target,
    ids: Iterable[int],
    *,
    people: str | None = None,
    images: ImageForm | None = None,
    threads: int = THREADS,
    progress: Progress | None = None,
) -> PushResult:
    """Fetch movies and send them to a target, with no stage in between.

    A movie that TMDB does not have, or that could not be fetched, is `failed` in the outcomes.
    """
    wanted = checked_ids(ids)
    options = transform.Options.of(session.settings)
    unsent: list[tuple[int, str]] = []

    def batches() -> Generator[tuple[pl.DataFrame, pl.DataFrame]]:
        for payloads, failed in fetch_movies(session, wanted, threads=threads):
            made = transform.transform(payloads, options)
            unsent.extend(failed)
            unsent.extend(made.malformed.rows())
            yield made.rows.select(ROW.names()), payloads

    form = images or _image_form(session.settings)
    _check_people(people)
    sending = Sending(target, people, form, progress, None, _now)
    with closing(batches()) as fetched:  # a push that stops ends the fetching too
        return sending.run(fetched, len(wanted), _push_rows).with_failures(unsent)


def absent_from_stage(stage: Stage, target: Target) -> list[int]:
    """Return the movies that this stage pushed to the target, and does not hold any more."""
    wrote = pl.col("outcome").is_in(["created", "updated", "unchanged"])
    pushed = stage.imports().filter(wrote & (pl.col("target") == str(target.title)))
    return sorted(set(pushed["tmdb_id"]) - stage.ids())


def delete_movies(target: Target, ids: Iterable[int]) -> DeleteResult:
    """Delete the documents of movies from a target.

    What is there is looked up first: where the answer to a deletion is lost, the second try finds
    nothing, and would report as absent what the first one deleted.
    """
    wanted = checked_ids(ids)
    target.preflight(writing=True)
    target.contract()
    there: set[int] = set()
    for start in range(0, len(wanted), READ):
        found = {int(row["tmdb_id"]) for row in target.documents(wanted[start : start + READ])}
        if found:
            target.delete_movies(sorted(found))
        there |= found
    target.flush()
    rows = [(tmdb_id, "deleted" if tmdb_id in there else "absent") for tmdb_id in wanted]
    frame = pl.DataFrame(rows, {"tmdb_id": pl.Int64, "outcome": pl.String}, orient="row")
    deleted = frame.filter(pl.col("outcome") == "deleted").height
    return DeleteResult(str(target.title), deleted, frame.height - deleted, frame)


def run_local_import(
    session: TMDBSession,
    stage: Stage,
    target: Target,
    ids: Iterable[int],
    *,
    people: str | None = None,
    progress: Progress | None = None,
) -> LocalImport:
    """Stage movies, then push them: each step can be run again, and goes on where it was."""
    wanted = checked_ids(ids)
    staged = stage_movies(session, stage, wanted, progress=progress)
    there = stage.ids().intersection(wanted)  # what of the others became, `staged` tells
    pushed = push(stage, target, sorted(there), people=people, progress=progress)
    return LocalImport(staged, pushed)


@dataclass(frozen=True)
class LocalImport:
    """What staging and pushing came to."""

    staged: StageResult
    pushed: PushResult

    def __repr__(self) -> str:
        return f"{self.staged!r}\n{self.pushed!r}"

    def _repr_html_(self) -> str:
        return self.staged._repr_html_() + self.pushed._repr_html_()


def checked_ids(ids: Iterable[int]) -> list[int]:
    """Return the ids without repeats, in order.

    Raises:
        UsageError: One is not a whole number above 0.
    """
    found: dict[int, None] = {}
    for tmdb_id in ids:
        if isinstance(tmdb_id, bool) or not isinstance(tmdb_id, int) or tmdb_id < 1:
            raise UsageError(f"{tmdb_id!r} is not a TMDB id, a whole number above 0 such as 603")
        found[tmdb_id] = None
    return list(found)


def _check_people(people: str | None) -> None:
    if people not in (None, *PEOPLE):
        raise UsageError(f"people is {people!r}; it must be one of {', '.join(PEOPLE)}")


def _push_rows(importer: Importer, batch: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    return importer.push(*batch)


def _image_form(settings: Settings | None = None) -> ImageForm:
    chosen = settings or Settings.from_env()
    return ImageForm(chosen.images, chosen.poster_size, chosen.backdrop_size)


def _now() -> datetime:
    return datetime.now(UTC)
