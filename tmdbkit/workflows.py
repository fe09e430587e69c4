"""The verbs that users call; composition only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit import transform
from tmdbkit.convex.delivery import READ
from tmdbkit.convex.importer import CHUNK, OUTCOMES, PEOPLE, Importer, PushResult, result
from tmdbkit.exceptions import UsageError
from tmdbkit.schema import ROW
from tmdbkit.settings import Settings
from tmdbkit.stage import IMPORTS
from tmdbkit.staging import THREADS, StageResult, fetch_movies, stage_ids
from tmdbkit.tmdb.images import ImageForm
from tmdbkit.views import draw_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


def push(
    stage: Stage,
    target: Target,
    ids: Iterable[int] | None = None,
    *,
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
        people: `named`, `all` or `none`: whose names go into the table crew.
        images: The form of images in an empty target; default as the settings say.
        progress: What is told how far it is.
        now: The time of day.

    Raises:
        UsageError: An id that is none, or no such choice of people.
        StopError: Going on is pointless; what was sent until then is in the import log.
    """
    wanted = None if ids is None else checked_ids(ids)
    staged = stage.ids()
    absent = [] if wanted is None else [n for n in wanted if n not in staged]
    total = (len(staged) if wanted is None else len(wanted)) - len(absent)
    push_id = pl.lit(token_hex(8))

    def log(outcomes: pl.DataFrame) -> None:
        named = outcomes.with_columns(push=push_id, target=pl.lit(str(target.title)))
        stage.add_imports(named.select(IMPORTS.names()))

    batches = stage.batches(wanted, size=CHUNK)
    form = images or _image_form()
    pushed = _push(batches, total, target, people, form, progress, log, now or _now)
    return pushed.with_failures([(n, f"not staged; tmdbkit stage {n} fetches it") for n in absent])


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

    def batches() -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        for payloads, failed in fetch_movies(session, wanted, threads=threads):
            made = transform.transform(payloads, options)
            unsent.extend(failed)
            unsent.extend(made.malformed.rows())
            yield made.rows.select(ROW.names()), payloads

    form = images or _image_form(session.settings)
    pushed = _push(batches(), len(wanted), target, people, form, progress, None, _now)
    return pushed.with_failures(unsent)


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


def _push(
    batches: Iterable[tuple[pl.DataFrame, pl.DataFrame]],
    total: int,
    target: Target,
    people: str | None,
    images: ImageForm,
    progress: Progress | None,
    log: Callable[[pl.DataFrame], None] | None,
    now: Callable[[], datetime],
) -> PushResult:
    if people not in (None, *PEOPLE):
        raise UsageError(f"people is {people!r}; it must be one of {', '.join(PEOPLE)}")
    target.preflight(writing=True)
    shown = progress or progresses.default()
    done = 0
    outcomes = [OUTCOMES.to_frame()]
    shown.begin("pushing", total)
    try:
        with Importer(target, people=people, images=images, now=now, log=log) as importer:
            for rows, payloads in batches:
                outcomes.append(importer.push(rows, payloads))
                done += rows.height
                shown.update(done)
    finally:
        shown.end()
    return result(importer, outcomes)


def _image_form(settings: Settings | None = None) -> ImageForm:
    chosen = settings or Settings.from_env()
    return ImageForm(chosen.images, chosen.poster_size, chosen.backdrop_size)


def _now() -> datetime:
    return datetime.now(UTC)
