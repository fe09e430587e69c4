"""Fetches ids on a bounded pool of threads into the stage, part by part as answers come."""

from __future__ import annotations

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from tmdbkit.exceptions import (
    Interrupted,
    NotFound,
    PassingFault,
    ServiceError,
    SettingsError,
    StopError,
    TMDBKitError,
)
from tmdbkit.stage import FAILURES, MISSING, PAYLOADS, STAGED
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.views import draw_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tmdbkit.progress import Progress
    from tmdbkit.stage import Stage
    from tmdbkit.tmdb.session import TMDBSession

THREADS = 20
PART_MOVIES, PART_SECONDS = 50, 0.5
OUTSTANDING = 70  # asked for and not yet on the disk: what a kill can cost


@dataclass(frozen=True)
class Fetched:
    """What came of one id: a payload's text, or an error."""

    tmdb_id: int
    received_at: datetime
    text: str = ""
    error: TMDBKitError | None = None


@dataclass
class Tally:
    """What a run has come to so far."""

    staged: int = 0
    missing: list[int] = field(default_factory=list)
    failed: dict[int, Fetched] = field(default_factory=dict)
    malformed: dict[int, str] = field(default_factory=dict)

    def note(self) -> str:
        """Return it for a line of progress."""
        parts = [(len(self.missing), "missing"), (len(self.failed) + len(self.malformed), "failed")]
        return ", ".join(f"{count:,} {name}" for count, name in parts if count)

    def done(self) -> int:
        """Return how many ids have an outcome."""
        return self.staged + len(self.missing) + len(self.failed) + len(self.malformed)


@dataclass(frozen=True)
class StageResult:
    """What staging came to: each requested id is staged, skipped, missing or failed.

    Attributes:
        requested: How many different ids were asked for.
        staged: How many were fetched and staged.
        skipped: How many were staged before.
        missing: How many TMDB does not have.
        failed: How many could not be staged.
        http_requests: How many requests were made.
        missing_ids: `tmdb_id` of the missing.
        failures: `tmdb_id, reason` of the failed.
    """

    requested: int
    staged: int
    skipped: int
    missing: int
    failed: int
    http_requests: int
    missing_ids: pl.DataFrame = field(repr=False)
    failures: pl.DataFrame = field(repr=False)

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        names = ("requested", "staged", "skipped", "missing", "failed", "http_requests")
        return {name: getattr(self, name) for name in names}

    def _facts(self) -> list[tuple[str, str]]:
        facts = [(name.replace("http_", ""), f"{n:,}") for name, n in self.counts().items()]
        reasons = self.failures.group_by("reason").len().sort("len", "reason", descending=True)
        return facts + [(f"failed: {count:,}", reason) for reason, count in reasons.head(5).rows()]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return draw_facts("Staged", self._facts())


def stage_ids(
    session: TMDBSession,
    stage: Stage,
    ids: list[int],
    *,
    refresh: bool,
    threads: int,
    progress: Progress,
    now: datetime,
    clock: Callable[[], float] = time.monotonic,
) -> StageResult:
    """Stage the ids that are not staged, or with `refresh` all of them.

    What failed for passing reasons is gone over once more at the end.

    Raises:
        StopError: Going on is pointless; what came until then is staged.
    """
    todo, known_missing = (ids, set()) if refresh else _left_to_do(stage, ids, now)
    before = session.requests
    tally = Tally(missing=sorted(known_missing))
    ask = _asker(TMDBClient(session), refresh=refresh)
    progress.begin("staging", len(ids))
    skipped = len(ids) - len(todo) - len(known_missing)
    try:
        for again in (False, True):
            round_ids = _passing(tally) if again else todo
            for batch in fetch_batches(
                ask, round_ids, threads=threads, interrupt=session.interrupt, clock=clock
            ):
                _settle(batch, stage, tally)
                progress.update(skipped + tally.done(), tally.note())
    finally:
        session.resume()
        _log_failures(stage, tally, now)
        progress.end()
    stage.compact_if_piled_up()
    return _result(ids, skipped, tally, session.requests - before)


def fetch_movies(
    session: TMDBSession,
    ids: list[int],
    *,
    threads: int,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[tuple[pl.DataFrame, list[tuple[int, str]]]]:
    """Yield payloads as they come, and `tmdb_id, reason` of what failed; without a stage.

    What failed for passing reasons is gone over once more at the end.
    """
    ask = _asker(TMDBClient(session), refresh=False)
    again: list[int] = []
    try:
        for batch in fetch_batches(
            ask, ids, threads=threads, interrupt=session.interrupt, clock=clock
        ):
            again += [item.tmdb_id for item in batch if isinstance(item.error, PassingFault)]
            yield _without_stage(
                [item for item in batch if not isinstance(item.error, PassingFault)]
            )
        for batch in fetch_batches(
            ask, again, threads=threads, interrupt=session.interrupt, clock=clock
        ):
            yield _without_stage(batch)
    finally:
        session.resume()


def _without_stage(batch: list[Fetched]) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    rows = [
        (item.tmdb_id, item.text, item.received_at, STAGED) for item in batch if item.error is None
    ]
    failed = [(item.tmdb_id, str(item.error)) for item in batch if item.error is not None]
    return pl.DataFrame(rows, PAYLOADS, orient="row"), failed


def fetch_batches(
    ask: Callable[[int], Fetched],
    ids: Iterable[int],
    *,
    threads: int,
    interrupt: Callable[[], None],
    clock: Callable[[], float],
) -> Iterator[list[Fetched]]:
    """Ask for ids on a pool, and hand over what came in batches of 50 movies or half a second.

    At most `OUTSTANDING` ids are asked for and not handed over, so memory does not grow with the
    number of ids. Ctrl-C and a StopError first hand over what came, then go on their way.
    """
    queue, opened = iter(ids), clock()
    batch: list[Fetched] = []
    pending: set[Future[Fetched]] = set()
    stop: BaseException | None = None
    with ThreadPoolExecutor(threads, "tmdbkit-fetch") as pool:
        while True:
            room = OUTSTANDING - len(batch) - len(pending) if stop is None else 0
            pending |= {pool.submit(ask, tmdb_id) for tmdb_id in islice(queue, room)}
            if not pending and not batch:
                break
            try:
                done, pending = wait(
                    pending, max(0.0, opened + PART_SECONDS - clock()), FIRST_COMPLETED
                )
            except KeyboardInterrupt as error:
                stop = error
                interrupt()
                pool.shutdown(wait=True, cancel_futures=True)
                continue
            came = [future.result() for future in done if not future.cancelled()]
            stop = stop or _pointless(came)
            if stop is not None:
                pool.shutdown(wait=False, cancel_futures=True)
            batch += [item for item in came if not _is_stop(item.error)]
            if len(batch) >= PART_MOVIES or clock() - opened >= PART_SECONDS or not pending:
                if batch:
                    yield batch
                batch, opened = [], clock()
    if stop is not None:
        raise stop


def _asker(client: TMDBClient, *, refresh: bool) -> Callable[[int], Fetched]:
    def ask(tmdb_id: int) -> Fetched:
        try:
            answer = client.movie_answer(tmdb_id, store=False, refresh=refresh)
        except TMDBKitError as error:
            return Fetched(tmdb_id, datetime.now(UTC), error=error)
        return Fetched(tmdb_id, answer.received_at, answer.text)

    return ask


def _is_stop(error: TMDBKitError | None) -> bool:
    return isinstance(error, StopError | SettingsError | Interrupted)


def _pointless(came: list[Fetched]) -> TMDBKitError | None:
    """Return the error that makes going on pointless, where one came."""
    return next((item.error for item in came if _is_stop(item.error)), None)


def _left_to_do(stage: Stage, ids: list[int], now: datetime) -> tuple[list[int], set[int]]:
    """Return the ids to ask for, and those that TMDB lately did not have."""
    staged = stage.ids()
    missing = stage.lately_missing(now) - staged
    todo = [tmdb_id for tmdb_id in ids if tmdb_id not in staged and tmdb_id not in missing]
    return todo, missing.intersection(ids)


def _passing(tally: Tally) -> list[int]:
    """Return the ids that failed for passing reasons, and forget their failures."""
    again = [
        tmdb_id for tmdb_id, item in tally.failed.items() if isinstance(item.error, PassingFault)
    ]
    for tmdb_id in again:
        del tally.failed[tmdb_id]
    return again


def _settle(batch: list[Fetched], stage: Stage, tally: Tally) -> None:
    """Write a batch to the stage, and count it."""
    rows = [
        (item.tmdb_id, item.text, item.received_at, STAGED)
        if item.error is None
        else (item.tmdb_id, item.error.message, item.received_at, MISSING)
        for item in batch
        if item.error is None or isinstance(item.error, NotFound)
    ]
    if rows:
        malformed = stage.add(pl.DataFrame(rows, PAYLOADS, orient="row"))
        tally.malformed.update(malformed.rows())
        good = sum(1 for row in rows if row[-1] == STAGED)
        tally.staged += good - malformed.height
        tally.missing += [row[0] for row in rows if row[-1] == MISSING]
    for item in batch:
        if item.error is not None and not isinstance(item.error, NotFound):
            tally.failed[item.tmdb_id] = item


def _log_failures(stage: Stage, tally: Tally, now: datetime) -> None:
    rows = []
    for tmdb_id, item in tally.failed.items():
        error = item.error
        attempts, status = (
            (error.attempts, error.status) if isinstance(error, ServiceError) else (1, None)
        )
        rows.append((tmdb_id, str(error), isinstance(error, PassingFault), attempts, status, now))
    stage.add_failures(pl.DataFrame(rows, FAILURES, orient="row"))


def _result(ids: list[int], skipped: int, tally: Tally, http_requests: int) -> StageResult:
    reasons = {tmdb_id: str(item.error) for tmdb_id, item in tally.failed.items()}
    failed = sorted({**reasons, **tally.malformed}.items())
    return StageResult(
        requested=len(ids),
        staged=tally.staged,
        skipped=skipped,
        missing=len(tally.missing),
        failed=len(failed),
        http_requests=http_requests,
        missing_ids=pl.DataFrame({"tmdb_id": sorted(tally.missing)}, {"tmdb_id": pl.Int64}),
        failures=pl.DataFrame(failed, {"tmdb_id": pl.Int64, "reason": pl.String}, orient="row"),
    )
