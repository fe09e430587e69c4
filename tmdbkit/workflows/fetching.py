"""From TMDB into the stage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tmdbkit import progress as progresses
from tmdbkit.ids import checked_ids
from tmdbkit.staging import THREADS, StageResult, stage_ids

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tmdbkit.fetching import Gate
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
    gate: Gate | None = None,
) -> StageResult:
    """Fetch movies into the stage; those that are staged already cost no request.

    Args:
        session: Where payloads come from.
        stage: Where they go.
        ids: TMDB ids; repeats count once.
        refresh: Fetch those again that are staged already.
        threads: How many requests are under way at once.
        progress: What is told how far it is; default a widget, a line, or nothing.
        gate: Where whoever has it can hold the requests, and let them on.

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
        gate=gate,
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


def _now() -> datetime:
    return datetime.now(UTC)
