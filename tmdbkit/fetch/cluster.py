"""Fetches ids into the stage on the workers of an executor, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime

from tmdbkit.exceptions import carrying
from tmdbkit.executors import run_on
from tmdbkit.fetch.pool import Fetched, Fetching, asker
from tmdbkit.fetch.staging import (
    StageResult,
    begin,
    log_failures,
    passing,
    result_of,
    write,
)
from tmdbkit.http.pacer import RECOVERY_STEP
from tmdbkit.progress import Progress, showing
from tmdbkit.settings import Settings
from tmdbkit.stage.stage import Stage
from tmdbkit.tmdb.client import TMDBClient
from tmdbkit.tmdb.session import TMDBSession

BATCH = 100  # ids that become one part


@dataclass(frozen=True)
class FetchTask:
    """A batch of ids for a worker to fetch.

    Attributes:
        ids: The ids.
        part: The name of the part that they become: whoever does the task again replaces it.
        root: The stage's path or address, which the worker reaches as well.
        shapes: The settings that shape rows.
        asks: The settings of the session, TMDB's key alone, and its share of the rate.
        threads: How many requests are under way at once.
        refresh: Whether cached answers are passed over.
        reached: Whether TMDB has answered before, so that an outage is waited for.
    """

    ids: tuple[int, ...]
    part: str
    root: str
    shapes: Settings
    asks: Settings
    threads: int
    refresh: bool
    reached: bool


@dataclass(frozen=True)
class FetchTaskResult:
    """What came of a task, without the texts; the payloads are in the stage.

    The `rate` is that at the end: lower than the share where the server was slower.
    """

    items: list[Fetched]
    malformed: dict[int, str]
    requests: int
    rate: float


class SharedRate:
    """The rate that all workers share evenly; it goes down where one found the server slower."""

    def __init__(self, rate: float, workers: int) -> None:
        self._ceiling = self._rate = rate
        self._workers = workers

    @property
    def share(self) -> float:
        """The requests a second of one worker."""
        return self._rate / self._workers

    def learn(self, rate: float) -> None:
        """Take over what a worker found out; what none complains of goes up a little again."""
        if rate < self.share:
            self._rate = rate * self._workers
        else:
            self._rate = min(self._ceiling, self._rate * RECOVERY_STEP)


def stage_ids_on(
    executor: Executor,
    workers: int,
    session: TMDBSession,
    stage: Stage,
    ids: list[int],
    *,
    refresh: bool,
    threads: int,
    progress: Progress,
    now: datetime,
) -> StageResult:
    """Stage as `staging.stage_ids` does, on the workers of an executor.

    A worker writes its batch itself, as one part; what comes back is what became of each id.

    Raises:
        StopError: Going on is pointless; what came until then is staged.
    """
    todo, counts = begin(stage, ids, now, refresh=refresh)
    rate, before = SharedRate(session.service.rate, workers), session.requests

    def result() -> StageResult:
        return result_of(ids, counts, session.requests - before)

    with (
        carrying(lambda: result().counts()),
        showing(progress, "staging", len(ids)) as update,
        ExitStack() as last,
    ):
        last.callback(log_failures, stage, counts)
        for again in (False, True):
            some = passing(counts) if again else todo
            tasks = _tasks(some, session, stage, rate, threads, refresh)
            with closing(run_on(executor, run_task, tasks, workers)) as finished:
                for done in finished:
                    session.requests += done.requests
                    rate.learn(done.rate)
                    for item in done.items:
                        counts.count(item, done.malformed.get(item.tmdb_id))
                    update(counts.done(), counts.note())
    stage.store.compact_if_piled_up()
    return result()


def _tasks(
    ids: list[int],
    session: TMDBSession,
    stage: Stage,
    rate: SharedRate,
    threads: int,
    refresh: bool,
) -> Iterator[FetchTask]:
    """Yield tasks as workers come free, each with the share of the rate that holds by then."""
    for first in range(0, len(ids), BATCH):
        yield FetchTask(
            ids=tuple(ids[first : first + BATCH]),
            part=stage.store.movies.payloads.new_part(),
            root=stage.store.root.full,
            shapes=stage.store.settings.keyless(),
            asks=replace(session.as_settings(), rate=rate.share),
            threads=threads,
            refresh=refresh,
            reached=session.requests > 0,
        )


def run_task(task: FetchTask) -> FetchTaskResult:
    """Fetch a batch and write it to the stage as one part; what came before a stop is written too.

    Raises:
        StopError: Going on is pointless.
    """
    stage = Stage(task.root, settings=task.shapes)
    items: list[Fetched] = []
    with TMDBSession(task.asks, reached=task.reached) as session:
        ask = asker(TMDBClient(session), refresh=task.refresh)
        fetching = Fetching(ask, threads=task.threads, interrupt=session.interrupt)
        try:
            with closing(fetching.batches(task.ids)) as batches:
                for batch in batches:
                    items += batch
                    fetching.settled(len(batch))
        finally:
            part, rows = fetching.despite_ctrl_c(
                lambda: write(items, stage, task.asks.language, task.part)
            )
            malformed = stage.store.derive(part, rows).rows() if part else []
        return FetchTaskResult(
            [replace(item, text="") for item in items],
            dict(malformed),
            session.requests,
            session.pacer.rate,
        )
