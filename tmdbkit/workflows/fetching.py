"""From TMDB into the stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl

from tmdbkit import progress as progresses
from tmdbkit.exceptions import SettingsError, UsageError
from tmdbkit.executors import workers_of
from tmdbkit.fetch.cluster import stage_ids_on
from tmdbkit.fetch.pool import Gate
from tmdbkit.fetch.staging import THREADS, StageResult, stage_ids
from tmdbkit.progress import Progress
from tmdbkit.schema import checked_ids
from tmdbkit.settings.arguments import checked
from tmdbkit.settings.values import is_language
from tmdbkit.stage.stage import Stage
from tmdbkit.tmdb.changes import stale_ids
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.session import TMDBSession


@checked
def stage_movies(
    session: TMDBSession,
    stage: Stage,
    ids: Iterable[int],
    *,
    refresh: bool = False,
    threads: int = THREADS,
    progress: Progress | None = None,
    gate: Gate | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> StageResult:
    """Fetch movies into the stage; those that are staged already cost no request.

    Those that failed the last time come first. Those that TMDB answers with the same whenever it is
    asked are told as failures again, and are not asked for.

    Args:
        session: Where payloads come from.
        stage: Where they go.
        ids: TMDB ids; repeats count once.
        refresh: Fetch those again that are staged already, missing or refused.
        threads: How many requests are under way at once.
        progress: Progress reporter; default a widget, a status line, or nothing.
        gate: Where whoever has it can hold the requests, and let them on; not with an executor.
        executor: Who fetches, instead of this process: a process pool, or a cluster's executor
            (Dask's `Client.get_executor()`). All share the rate, and must reach the stage.
        workers: How many batches are under way at once; default what the executor says of itself.

    Raises:
        UsageError: An id that is none, or a stage that is in another language.
        StopError: Going on is pointless; what came until then is staged.
    """
    stage.store.marker.check(session.settings.language)
    return _fetch(
        session,
        stage,
        ids,
        refresh=refresh,
        threads=threads,
        progress=progress,
        gate=gate,
        executor=executor,
        workers=workers,
    )


def _fetch(
    session: TMDBSession,
    stage: Stage,
    ids: Iterable[int],
    *,
    refresh: bool,
    threads: int,
    progress: Progress | None,
    executor: Executor | None,
    workers: int | None,
    gate: Gate | None = None,
) -> StageResult:
    """Do what `stage_movies` says."""
    wanted, shown = checked_ids(ids), progress or progresses.default()
    if executor is None:
        fetch = partial(stage_ids, gate=gate)
    else:
        fetch = partial(stage_ids_on, executor, workers or workers_of(executor))

    def run() -> StageResult:
        refused = _refused(stage, wanted, refresh=refresh)
        todo = _failed_first(stage, wanted, refused)
        result = fetch(
            session, stage, todo, refresh=refresh, threads=threads, progress=shown, now=_now()
        )
        return _with_refused(result, refused)

    try:
        return run()
    except SettingsError:  # of a thread, where nobody can be asked for a key
        if not session.ask_for_key():
            raise
    return run()


def _refused(stage: Stage, wanted: list[int], *, refresh: bool) -> pl.DataFrame:
    """Return `tmdb_id, reason` of what is not worth asking for, in the order of the ids."""
    refused = stage.store.movies.refused().select("tmdb_id", "reason")
    return refused.clear() if refresh else refused.filter(pl.col("tmdb_id").is_in(set(wanted)))


def _failed_first(stage: Stage, wanted: list[int], refused: pl.DataFrame) -> list[int]:
    """Return the ids that are to be asked for, those before others that failed the last time."""
    failed, left_out = set(stage.failures()["tmdb_id"]), set(refused["tmdb_id"])
    asked = (tmdb_id for tmdb_id in wanted if tmdb_id not in left_out)
    return sorted(asked, key=lambda tmdb_id: tmdb_id not in failed)


def _with_refused(result: StageResult, refused: pl.DataFrame) -> StageResult:
    return replace(
        result,
        requested=result.requested + refused.height,
        failed=result.failed + refused.height,
        failures=pl.concat([result.failures, refused]).sort("tmdb_id"),
    )


@checked
def refresh_movies(
    session: TMDBSession,
    stage: Stage,
    ids: Iterable[int] | None = None,
    *,
    changed: bool = False,
    older_than: timedelta | None = None,
    language: str | None = None,
    threads: int = THREADS,
    progress: Progress | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
) -> StageResult:
    """Fetch staged movies again: these, those of some age, those that TMDB changed, or all.

    What a person decided is never overwritten, and the payloads of before stay in the log. In
    another language always all are meant: where such a run was stopped, the next one goes on with
    the rest, and nothing else is staged before that.

    Args:
        session: Where payloads come from.
        stage: Where they go.
        ids: Only these of the staged movies; default all.
        changed: Only those that TMDB changed since they were fetched, or since its changes were
            last gone through. It tells changes by the day, so one of that very day counts.
        older_than: Only those that were fetched so long ago.
        language: The language that the stage is to be in; default the one that it is in.
        threads: How many requests are under way at once.
        progress: Progress reporter; default a widget, a status line, or nothing.
        executor: Who fetches, as for `stage_movies`.
        workers: How many batches are under way at once.

    Raises:
        UsageError: An id that is none, a stage in another language than the session, no language.
        StopError: Going on is pointless; what came until then is staged.
    """

    def fetch(some: Iterable[int]) -> StageResult:
        return _fetch(
            session,
            stage,
            sorted(some),
            refresh=True,
            threads=threads,
            progress=progress,
            executor=executor,
            workers=workers,
        )

    if language is not None:
        check_language(language, alone=ids is None and not changed and older_than is None)
        return _change_language(session, stage, language, fetch)
    stage.store.marker.check(session.settings.language)
    now = _now()
    movies = stage.store.movies
    wanted = movies.fetched_before(now - older_than, now) if older_than else movies.ids()
    chosen = wanted if ids is None else wanted.intersection(checked_ids(ids))
    return _follow_changes(session, stage, chosen, fetch) if changed else fetch(chosen)


def check_language(language: str, *, alone: bool) -> None:
    """Find what is wrong with a wish for another language before anything is asked.

    Args:
        language: As TMDB writes it.
        alone: Whether nothing else says which movies are meant.
    """
    if not is_language(language):
        raise UsageError(f"{language!r} is no language; write one such as de-DE")
    if not alone:
        raise UsageError("another language is for all that is staged; leave out which movies")


def _change_language(
    session: TMDBSession,
    stage: Stage,
    language: str,
    fetch: Callable[[Iterable[int]], StageResult],
) -> StageResult:
    """Fetch what is not in the language yet.

    What TMDB no longer has, or will never answer, stays as it is; once nothing else is left, the
    language is changed.
    """
    store = stage.store
    since = store.marker.change(language)
    with session.speaking(language):
        if since is None:
            return fetch(())
        result = fetch(store.movies.fetched_before(since, store.now()))
    left = store.movies.fetched_before(since, store.now()).difference(
        result.missing_ids["tmdb_id"], store.movies.lasting()["tmdb_id"]
    )
    if not left:
        store.marker.changed(language)
    return result


def _follow_changes(
    session: TMDBSession,
    stage: Stage,
    chosen: set[int],
    fetch: Callable[[Iterable[int]], StageResult],
) -> StageResult:
    """Fetch what changed, and note for all others that they are what TMDB has.

    What could not be fetched is not noted, so that the next run finds it changed again.
    """
    began, before = _now(), session.requests
    known = stage.store.movies.as_of().filter(pl.col("tmdb_id").is_in(chosen))
    ahead = pl.col("as_of") > began  # by a clock that was wrong: nobody knows since when
    changed = stale_ids(TMDBClient(session), known.filter(~ahead), began.date())
    result = fetch([*changed, *known.filter(ahead)["tmdb_id"]])
    stage.store.add_checks(chosen.difference(result.failures["tmdb_id"]), began)
    return replace(result, http_requests=session.requests - before)


def _now() -> datetime:
    return datetime.now(UTC)
